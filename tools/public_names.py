"""Write the stub of the public face from `__init__.py` and the claim table: `python -m tools.public_names`.

Editors and type checkers cannot follow names that are loaded when they are used. An assertion takes what its audit
takes, so that the stub says that the one is the other.
"""

from __future__ import annotations

from pathlib import Path

import pytest_unlearn
from pytest_unlearn.core.claim_table import TABLE

STUB = Path(pytest_unlearn.__file__).with_suffix(".pyi")
HEAD = "# Made by `python -m tools.public_names`; a test compares.\n"


def stub() -> str:
    """Make the text of the stub."""
    assertions = {f"assert_{name}": f"audit_{name}" for name in TABLE}
    homes = {name: home for name, home in pytest_unlearn._homes().items() if name not in assertions}
    imports = sorted((home, name) for name, home in homes.items())
    lines = [f"from {home} import {name} as {name}" for home, name in imports]
    aliases = [f"{assertion} = {audit}" for assertion, audit in sorted(assertions.items())]
    return HEAD + "\n".join(["", *lines, "", "__all__: list[str]", "__version__: str", *aliases]) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
