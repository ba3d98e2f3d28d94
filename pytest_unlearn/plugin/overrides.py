"""Find which of the plugin's fixtures are overridden, and for which directory.

pytest keeps a session fixture's value even where a deeper conftest.py overrides what it was made from: without
`reset_stale_fixtures`, the audits of one directory would silently get the models of another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

BUILTIN = "pytest_unlearn.plugin.fixtures"
NAMES = (
    *("unlearn_split", "unlearn_recipe", "unlearner", "unlearning_task", "original_model", "unlearned_model"),
    *("retrained_model", "retrained_models", "forget_loader", "retain_loader", "test_loader", "unlearn"),
)
Resolved = dict[str, "pytest.FixtureDef[Any]"]
RESOLVED = pytest.StashKey[Resolved]()


def resolved_fixtures(item: pytest.Item, names: Iterable[str]) -> Resolved:
    """Find the definition of each fixture that a test sees: the one closest to it."""
    manager = item.session._fixturemanager
    found = {name: manager.getfixturedefs(name, item) for name in names}
    return {name: definitions[-1] for name, definitions in found.items() if definitions}


def overridden(request: pytest.FixtureRequest, name: str) -> bool:
    """Tell whether the requesting test sees a user's definition; nothing is run."""
    definition = resolved_fixtures(request._pyfuncitem, [name]).get(name)
    return definition is not None and not is_builtin(definition)


def is_builtin(definition: pytest.FixtureDef[Any]) -> bool:
    """Tell whether a definition is the plugin's own."""
    return definition.func.__module__ == BUILTIN


def reset_stale_fixtures(item: pytest.Item, names: Iterable[str]) -> None:
    """Drop values that were made from another directory's inputs, before a test."""
    now = resolved_fixtures(item, names)
    if not any(is_builtin(definition) for name, definition in now.items() if name in getattr(item, "fixturenames", ())):
        return  # a test that uses nothing of ours: leave its project's fixtures alone
    before = item.session.stash.get(RESOLVED, now)
    item.session.stash[RESOLVED] = now
    if before != now:
        for definition in before.values():
            definition.finish(item._request)  # type: ignore[attr-defined]
