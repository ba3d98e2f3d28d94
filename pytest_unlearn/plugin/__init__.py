"""The pytest plugin: options, fixtures, hooks, the session's ledger and gate.

`-p pytest_unlearn.plugin` loads it by name, where entry points are not looked at.
"""

pytest_plugins = ("pytest_unlearn.plugin.hooks",)
