"""Which of the plugin's fixtures a user has overridden, and for which directory.

pytest keeps a session fixture's value even where a deeper conftest.py overrides what it was made from: without `renew`,
the audits of one directory would silently get the models of another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

OURS = "pytest_unlearn.plugin.fixtures"
NAMES = (
    *("unlearn_split", "unlearn_recipe", "unlearner", "unlearning_task", "original_model", "unlearned_model"),
    *("retrained_model", "retrained_models", "forget_loader", "retain_loader", "test_loader", "unlearn"),
)
Active = dict[str, "pytest.FixtureDef[Any]"]
ACTIVE = pytest.StashKey[Active]()


def active(item: pytest.Item, names: Iterable[str]) -> Active:
    """The definition of each fixture that a test sees: the one closest to it."""
    manager = item.session._fixturemanager
    found = {name: manager.getfixturedefs(name, item) for name in names}
    return {name: definitions[-1] for name, definitions in found.items() if definitions}


def overridden(request: pytest.FixtureRequest, name: str) -> bool:
    """Whether the requesting test sees a user's definition; asking runs no fixture, so that nothing is trained."""
    definition = active(request._pyfuncitem, [name]).get(name)
    return definition is not None and not ours(definition)


def ours(definition: pytest.FixtureDef[Any]) -> bool:
    """Whether a definition is the plugin's own."""
    return definition.func.__module__ == OURS


def renew(item: pytest.Item, names: Iterable[str]) -> None:
    """Before a test: drop derived values that were made from the inputs of another directory."""
    now = active(item, names)
    if not any(ours(definition) for name, definition in now.items() if name in getattr(item, "fixturenames", ())):
        return  # a test that uses nothing of ours: leave its project's fixtures alone
    before = item.session.stash.get(ACTIVE, now)
    item.session.stash[ACTIVE] = now
    if before != now:
        for definition in before.values():
            definition.finish(item._request)  # type: ignore[attr-defined]
