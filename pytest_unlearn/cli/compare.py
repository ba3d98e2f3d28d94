"""Compare two stored reports of the same recipe, claim by claim.

About the same data and request their estimates are compared; about others, verdicts and the room that is left to the
limits, which mean the same whatever the request.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import BLOCKED, FINE, NOT_COMPARABLE, plural, say
from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.report.json import mapping
from pytest_unlearn.report.ledger import reconcile
from pytest_unlearn.report.wording import interval

LedgerEntry = Mapping[str, Any]
Key = tuple[str, str, int]


@dataclass(frozen=True)
class ClaimChange:
    """Set a claim of two reports side by side: what got worse, or what differs.

    `differs` is why they cannot be compared, `other` that they are about other data and compared by their limits alone.
    """

    key: Key
    old: LedgerEntry | None
    new: LedgerEntry | None
    differs: str = ""
    other: str = ""
    worse: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name the test and the claim."""
        nodeid, claim, occurrence = self.key
        return f"{nodeid} {claim}" + (f" (number {occurrence + 1})" if occurrence else "")


def add(commands: Any) -> None:
    """Add `compare` to the command line."""
    command = commands.add_parser(
        "compare",
        help="show what changed between two stored reports",
        description="Claim by claim, what changed between two stored reports of the same recipe. About another request "
        "or other data, claims are compared by verdict and by the room that is left to their limits; of what cannot be "
        "compared it says what differs.",
        epilog="Exit status: 0; with --fail-on-regression 1 if anything got worse or is missing, and 3 if nothing did, "
        "but something could not be compared; 2 a report cannot be read or contradicts itself.",
        allow_abbrev=False,
    )
    command.add_argument("old", type=Path, help="a report.json")
    command.add_argument("new", type=Path, help="a later report.json")
    command.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with status 1 when anything got worse, and with 3 when that cannot be told",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load both, compare, and say what changed."""
    old, new = (stored_report.load(path) for path in (options.old, options.new))
    say(f"{options.old} ({old['created']}) -> {options.new} ({new['created']})")
    found = changes(old["claims"], new["claims"])
    for change in found:
        for line in describe(change):
            say(line)
    ledger = stored_report.ledger(new)
    doubts = [f"the new report is of a partial run: {reason}" for reason in ledger["partial"]] + reconcile(ledger)
    worse = [change for change in found if change.worse]
    apart = [change for change in found if change.differs]
    compared = [change for change in found if change.old and change.new and not change.differs]
    if not compared:
        doubts.append("nothing could be compared")
    elif apart:
        doubts.append(f"{plural(len(apart), 'claim')} could not be compared")
    say(
        f"{plural(len(compared), 'claim')} compared, {plural(len(worse), 'regression')}, {len(apart)} not comparable, "
        f"{sum(change.old is None for change in found)} new"
    )
    for doubt in doubts:
        say(f"cannot tell: {doubt}")
    for part in ("reasons", "warnings", "notes"):
        for sentence in mapping(new.get("history")).get(part) or ():
            say(f"history: {sentence}")
    if not options.fail_on_regression:
        return FINE
    return BLOCKED if worse else NOT_COMPARABLE if doubts else FINE


def changes(old: list[LedgerEntry], new: list[LedgerEntry]) -> list[ClaimChange]:
    """Match the claims of two reports by test, claim and number among equals.

    A test may be named after its request: what is left over is matched by its claim, where each side has one of it.
    """
    before, after = numbered(old), numbered(new)
    renamed = dict(_renamed(before, after))
    taken = set(renamed.values())
    keys = dict.fromkeys(key for key in (*before, *after) if key not in taken or key in before)
    return [change(key, before.get(key), after.get(renamed.get(key, key))) for key in keys]


def _renamed(before: Mapping[Key, LedgerEntry], after: Mapping[Key, LedgerEntry]) -> Iterator[tuple[Key, Key]]:
    """Yield the keys of claims that only one report has under that name, and of which each has one."""
    left, right = ([key for key in one if key not in other] for one, other in ((before, after), (after, before)))
    for key in left:
        alike = [[one for one in side if one[1] == key[1]] for side in (left, right)]
        if [len(side) for side in alike] == [1, 1]:
            yield key, alike[1][0]


def numbered(entries: list[LedgerEntry]) -> dict[Key, LedgerEntry]:
    """Key each claim by test, name and its number among equals."""
    found: dict[Key, LedgerEntry] = {}
    for entry in entries:
        nodeid, name, occurrence = entry["nodeid"], entry["evidence"]["claim"]["name"], 0
        while (nodeid, name, occurrence) in found:
            occurrence += 1
        found[nodeid, name, occurrence] = entry
    return found


def change(key: Key, old: LedgerEntry | None, new: LedgerEntry | None) -> ClaimChange:
    """Compare one claim."""
    if old is None:
        return ClaimChange(key, old, new)
    if new is None:
        return ClaimChange(key, old, new, worse=("the claim is missing in the new report",))
    if old.get("brief") or new.get("brief"):
        differs, other = _other_basis(old, new), ""
    else:
        differs, other = incomparable(old["evidence"], new["evidence"]), other_request(old["evidence"], new["evidence"])
    return ClaimChange(key, old, new, differs, other, () if differs else tuple(regressions(old, new, bool(other))))


def _other_basis(old: LedgerEntry, new: LedgerEntry) -> str:
    """Explain why entries of large reports, with one digest, are incomparable."""
    if not old.get("basis") or not new.get("basis"):
        return f"the {'new' if old.get('basis') else 'old'} report has no digest of data and recipe"
    return "" if old["basis"] == new["basis"] else "the data, the request or the recipe differ"


def incomparable(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say why two evidences cannot be compared; nothing if they can."""
    ours, theirs = (_digests(evidence) for evidence in (old, new))
    if not ours or not theirs:
        return f"the {'old' if not ours else 'new'} report has no digests of the data"
    tasks = [_part(_part(evidence, "provenance"), "task") for evidence in (old, new)]
    recipes = [task.get("recipe") for task in tasks]
    if None not in recipes and recipes[0] != recipes[1]:
        return "the recipe differs"
    keys = [_keys(task) for task in tasks]
    if all(keys) and keys[0] != keys[1] and not other_request(old, new):
        return "the retrained references differ (another recipe, seed, device or library version)"
    return ""


def other_request(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say in what two evidences are about other data; nothing if they are not."""
    ours, theirs = (_digests(evidence) for evidence in (old, new))
    names = [name for name in dict.fromkeys([*ours, *theirs]) if ours.get(name) != theirs.get(name)]
    if names:
        return f"the {' and the '.join(names)} data differ"
    splits = [_part(_part(evidence, "provenance"), "task").get("split") for evidence in (old, new)]
    return "" if splits[0] == splits[1] else "the split differs (data, request or controls)"


def regressions(old: LedgerEntry, new: LedgerEntry, other: bool = False) -> Iterator[str]:
    """Yield in what respects a claim got worse; about other data, by its limits alone."""
    before, after = old["evidence"], new["evidence"]
    verdicts = before["verdict"], after["verdict"]
    if SEVERITY[verdicts[1]] > SEVERITY[verdicts[0]]:
        yield f"the verdict went from {verdicts[0]} to {verdicts[1]}"
    if old["outcome"] == "passed" != new["outcome"]:
        yield f"the test passed and now ended as {new['outcome']}"
    ends = [_ends(evidence) for evidence in (before, after)]
    if ends[1][0] < ends[0][0] or ends[1][1] > ends[0][1]:
        yield f"the limit was loosened from {_within(*ends[0])} to {_within(*ends[1])}"
    levels = [evidence["estimate"]["confidence"] for evidence in (before, after)]
    if levels[1] < levels[0]:
        yield f"the confidence was lowered from {levels[0]:g} to {levels[1]:g}"
    if _controlled(old) is True and _controlled(new) is not True:
        yield "controls are no longer required"
    if other:
        rooms = room(before), room(after)
        if rooms[0] is not None and (rooms[1] is None or rooms[1][1] < rooms[0][0]):
            yield f"the room to the limit went from {_roomy(rooms[0])} to {_roomy(rooms[1])}"
    elif _further_out(before["estimate"], after["estimate"], *ends[0]):
        yield f"the estimate went from {interval(before['estimate'])} to {interval(after['estimate'])}"


def room(evidence: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return how far within its limits a claim lies, at least and at most.

    Below 0 it is beyond them. None where there is no limit, or an estimate without finite bounds.
    """
    lowest, highest = _ends(evidence)
    low, high = (evidence["estimate"][name] for name in ("low", "high"))
    if low is None or high is None or lowest == -highest == -math.inf:
        return None
    middle = (lowest + highest) / 2 if math.isfinite(lowest + highest) else low if lowest == -math.inf else high
    inmost = min(max(middle, low), high)
    least, most = min(low - lowest, highest - high), min(inmost - lowest, highest - inmost)
    return (least, most)


def _roomy(room: tuple[float, float] | None) -> str:
    return "unknown" if room is None else f"{room[0]:.3f} to {room[1]:.3f}"


def _controlled(entry: LedgerEntry) -> Any:
    """Tell whether missing controls count; a shortened entry tells only if not."""
    settings = _part(_part(entry["evidence"], "provenance"), "settings")
    return settings.get("require_controls", True if entry.get("brief") else None)


def describe(change: ClaimChange) -> Iterator[str]:
    """Yield the lines on one claim's change."""
    if change.old is None and change.new is not None:
        yield f"new             {change.name}: {_seen(change.new)}"
    elif change.new is None:
        yield f"REGRESSION      {change.name}: {change.worse[0]}"
    elif change.old is not None:
        word = "not comparable" if change.differs else "REGRESSION" if change.worse else "compared"
        by_limits = f"{change.other}: compared by verdict and limit" if change.other else ""
        told = change.differs or by_limits
        yield f"{word:<14}  {change.name}" + (f": {told}" if told else "")
        yield f"                {_seen(change.old)} -> {_seen(change.new)}"
        if by_limits and not change.differs:
            rooms = [_roomy(room(entry["evidence"])) for entry in (change.old, change.new)]
            yield f"                room to the limit {rooms[0]} -> {rooms[1]}"
        for reason in change.worse:
            yield f"                worse: {reason}"


def _seen(entry: LedgerEntry) -> str:
    evidence = entry["evidence"]
    return f"{evidence['verdict']} {interval(evidence['estimate'])} {_within(*_ends(evidence))}"


def _further_out(old: Mapping[str, Any], new: Mapping[str, Any], lowest: float, highest: float) -> bool:
    """Tell whether the new interval is wholly beyond the old, nearer to the limit."""
    if any(old[name] is None for name in ("value", "low", "high")):
        return False
    if any(new[name] is None for name in ("value", "low", "high")):
        return True
    apart = bool(new["low"] > old["high"] or new["high"] < old["low"])
    room: list[float] = [min(estimate["value"] - lowest, highest - estimate["value"]) for estimate in (old, new)]
    return apart and room[1] < room[0]


def _ends(evidence: Mapping[str, Any]) -> tuple[float, float]:
    """Return the limits of a claim, infinite where it has none."""
    lowest, highest = (evidence["claim"].get(name) for name in ("lowest", "highest"))
    return -math.inf if lowest is None else lowest, math.inf if highest is None else highest


def _within(lowest: float, highest: float) -> str:
    if lowest == -math.inf:
        return "without a limit" if highest == math.inf else f"at most {highest:g}"
    return f"at least {lowest:g}" if highest == math.inf else f"within {lowest:g} and {highest:g}"


def _digests(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the digest of each view; nothing where any is missing."""
    data = _part(_part(evidence, "provenance"), "data")
    found = {name: _part(data, name).get("digest") for name in data}
    return found if all(isinstance(digest, str) for digest in found.values()) else {}


def _keys(task: Mapping[str, Any]) -> list[Any]:
    references = task.get("references")
    rows = references if isinstance(references, list) else []
    return [reference.get("key") for reference in rows if isinstance(reference, Mapping)]


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Look up a part of the provenance, empty where it is not a mapping."""
    return mapping(whole.get(name))
