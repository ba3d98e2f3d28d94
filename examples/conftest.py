"""Loads the plugin, which pyproject.toml keeps out of the project's own tests; elsewhere it is loaded already."""

import pytest


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Load it before options are parsed."""
    if not pluginmanager.has_plugin("unlearn"):
        pluginmanager.import_plugin("pytest_unlearn.plugin")
