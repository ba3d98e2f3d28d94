"""Annotate tests on GitHub: a line a claim that is refuted, undecided or invalid.

Actions reads it in a log. A line is a workflow command; whatever a name or sentence holds stays in its place, or it
would be another command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_unlearn.report import plain, wording
from pytest_unlearn.report.outlets.standing import objections, standing, why

Place = tuple[str, int]
"""A file, relative to the repository, and a line from 1."""

LONGEST = 4_000  # characters of a message
SHOWN = ("undecided", "refuted", "unreadable")


def commands(ledger: Mapping[str, Any], about: Mapping[str, Any], places: Mapping[str, Place]) -> Iterator[str]:
    """Yield the commands, the gate's first, then the gravest claims'; ten are shown.

    Args:
        ledger: what ran.
        about: the facts of the run.
        places: where each test is defined, by its name.
    """
    for objection in objections(ledger, about):
        if objection.name == "release gate":
            yield _command("error", "Release gate: do not release", "\n".join(objection.sentences), None)
    for position in wording.most_severe_first(ledger["entries"]):
        entry = ledger["entries"][position]
        evidence = entry["evidence"]
        if standing(entry) not in SHOWN or evidence["verdict"] == "PASS":
            continue
        level = "error" if entry["outcome"] in ("failed", "error") else "warning"
        title = f"{evidence['claim']['name']}: {evidence['verdict']}"
        sentences = dict.fromkeys([plain.told(entry), why(entry)])
        yield _command(level, title, "\n".join(filter(None, sentences)), places.get(entry["nodeid"]))


def _command(level: str, title: str, message: str, place: Place | None) -> str:
    properties = {"file": place[0], "line": str(place[1])} if place else {}
    written = ",".join(f"{name}={_property(value)}" for name, value in {**properties, "title": title}.items())
    return f"::{level} {written}::{_message(message[:LONGEST])}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
