"""Record evidence while a test runs; in a plain script assertions work too.

A recorder fixture would have to be function-scoped, which fails Hypothesis' health check in every `@given` test.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.order import SEVERITY

if TYPE_CHECKING:
    from pytest_unlearn.core.evidence import Evidence

Entry = dict[str, Any]
"""One evidence as JSON, plus `count`: how many evidences it stands for, and `drawn` in a Hypothesis test."""


@dataclass(eq=False)  # the recorders of nested audits are told apart even while they hold the same
class Recorder:
    """Keep what one test recorded, and the layers of settings that apply to it.

    `layers` maps a source ("marker", "command line", "ini") to the settings given there. With `collapse`, the many
    evidences of one claim become the worst of them and a count: a Hypothesis test audits hundreds of examples.
    """

    nodeid: str = ""
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    collapse: bool = False
    entries: list[Entry] = field(default_factory=list)

    def add(self, evidence: Mapping[str, Any], count: int = 1) -> None:
        """Keep one evidence (as JSON), or merge it into the entry of the same claim."""
        new = plain({**evidence, "count": count, **({"drawn": True} if self.collapse else {})})
        for position, old in enumerate(self.entries if self.collapse else ()):
            if old["claim"]["name"] == new["claim"]["name"]:
                worst = max(old, new, key=severity)  # the first of equals stays, so that a replay changes nothing
                self.entries[position] = {**worst, "count": old["count"] + count}
                return
        self.entries.append(new)

    def drain(self) -> list[Entry]:
        """Hand over what was recorded since the last call, a phase or a try of the test."""
        entries, self.entries = self.entries, []
        return entries


_active: ContextVar[Recorder | None] = ContextVar("pytest_unlearn_recorder", default=None)
_place: ContextVar[str] = ContextVar("pytest_unlearn_place", default="")
_running: list[Recorder] = []  # a thread that a test starts knows no context of it, and runs during the latest


def current() -> Recorder | None:
    """Return the recorder of the running test, in any thread; None outside pytest."""
    return _active.get() or (_running[-1] if _running else None)


def record(evidence: Evidence) -> None:
    """Hand evidence to the running test's recorder; outside a test this does nothing."""
    recorder = current()
    if recorder is not None:
        recorder.add(evidence.to_json())


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make `recorder` the active one for the duration of the block."""
    token = _active.set(recorder)
    _running.append(recorder)
    try:
        yield recorder
    finally:
        _running.remove(recorder)
        _active.reset(token)


@contextlib.contextmanager
def defining(place: str) -> Iterator[None]:
    """Say where a request that is defined in this block is defined."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def current_place() -> str:
    """Return where a request defined now is defined: a fixture's file, or a test."""
    running = current()
    return _place.get() or ("" if running is None else running.nodeid)


def severity(entry: Mapping[str, Any]) -> tuple[int, float]:
    """Rank evidence by its verdict, then by how near to or far beyond the limit it is."""
    claim, value = entry["claim"], entry["estimate"]["value"]
    if value is None:  # a non-finite estimate
        return SEVERITY[entry["verdict"]], math.inf
    above = -math.inf if claim["highest"] is None else value - claim["highest"]
    below = -math.inf if claim["lowest"] is None else claim["lowest"] - value
    return SEVERITY[entry["verdict"]], max(above, below)


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: a numpy scalar would bring an xdist run down."""

    def other(item: Any) -> Any:
        for name in ("tolist", "item"):
            if hasattr(item, name):
                return getattr(item, name)()
        return str(item)

    return json.loads(json.dumps(value, default=other), parse_constant=lambda _: None)
