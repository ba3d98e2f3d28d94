"""Whether evidence that says PASS bears it out: the gate and stored reports are held to the same questions.

The release gate: from the ledger to a decision. A pure function; whatever is missing is not a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.core import settings
from pytest_unlearn.report.ledger import reconcile

# Which setting limits the claims of a name.
LIMITS = {
    "forgotten": "max_mia_auc",
    "algorithm": "max_mia_auc",
    "sequence": "max_mia_auc",
    "features_forgotten": "max_mia_auc",
    "no_residual": "max_mia_auc",
    "utility": "max_drop",
    "matches_retrained": "max_gap",
    "class_forgotten": "max_gap",
    "efficient": "max_fraction",
}
DEVIATIONS = ("forgotten", "algorithm", "sequence")  # claims with attacks that PASS asks for the upper bound of alone
ROUNDING = 1e-9  # a claim's lower end is stored rounded


def unproven(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Why evidence cannot be the PASS that it says it is, a clause each; empty when nothing speaks against it.

    Large reports leave out parts of it other than claim and estimate.
    """
    claim, estimate = evidence["claim"], evidence["estimate"]
    lowest, highest = claim.get("lowest"), claim.get("highest")
    if lowest is None and highest is None:
        yield "its claim has no limit"
    yield from _beyond("its estimate", estimate, lowest, highest)
    if claim["name"] not in DEVIATIONS and lowest is not None and (estimate["low"] or 0.0) < lowest - ROUNDING:
        yield f"the lower bound of its estimate, {estimate['low']:g}, is below the limit {lowest:g}"
    if estimate["n_forget"] < 1:
        yield "it rests on no example"
    if not _accepted("confidence", estimate["confidence"]):
        yield f"its confidence is {estimate['confidence']}"
    setting = LIMITS.get(claim["name"])
    if setting is not None and not _accepted(setting, highest):
        yield f"no {setting} can be {highest}"
    attacks = evidence.get("attacks", {})
    for name in evidence.get("deciding", ()):
        if attacks and name not in attacks:
            yield f"the deciding attack {name} is missing"
        elif attacks:
            yield from _beyond(f"the deciding attack {name}", attacks[name], lowest, highest)
    controls = evidence.get("controls", {})
    for control in (controls.get("original"), controls.get("blind"), *controls.get("retrained", ())):
        if isinstance(control, Mapping) and control.get("holds") is not True:
            yield f"its control {control.get('name')} does not hold"


def _beyond(what: str, estimate: Mapping[str, Any], lowest: float | None, highest: float | None) -> Iterator[str]:
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        yield f"{what} is not a number with two bounds"
        return
    if not low - ROUNDING <= value <= high + ROUNDING:
        yield f"{what} {value:g} lies outside its interval [{low:g}, {high:g}]"
    if highest is not None and high > highest:
        yield f"the upper bound of {what}, {high:g}, is above the limit {highest:g}"
    if lowest is not None and value < lowest - ROUNDING:
        yield f"{what} {value:g} is below the limit {lowest:g}"


def _accepted(setting: str, value: Any) -> bool:
    try:
        settings.TABLE[setting].parse(value)
    except ValueError:
        return False
    return True


DEFAULT_REQUIRED = ("forgotten",)


@dataclass(frozen=True)
class Decision:
    """Release or block; a block says why, a reason each."""

    release: bool
    reasons: tuple[str, ...] = ()

    def explain(self) -> str:
        """The decision in words."""
        if self.release:
            return "release: every required claim was proven"
        return "\n".join(["The release gate blocks:", *(f"  - {reason}" for reason in self.reasons)])


def decide(ledger: Mapping[str, Any], required: Sequence[str]) -> Decision:
    """Release only when each required claim has evidence, and all of it is PASS in tests that passed.

    A test that was skipped, expected to fail, or passed only when it was run again proves nothing; nor does a partial
    run, because the tests left out might be the ones that fail.
    """
    reasons = [f"a partial run cannot satisfy the gate: {reason}" for reason in ledger["partial"]]
    reasons += reconcile(ledger)
    if not required:
        reasons.append("unlearn_require names no claim, so that nothing would be proven")
    for claim in required:
        entries = [entry for entry in ledger["entries"] if entry["evidence"]["claim"]["name"] == claim]
        if not entries:
            reasons.append(f"no evidence for the required claim {claim!r}{_seen(ledger)}")
        reasons += [reason for entry in entries if (reason := _objection(claim, entry))]
    return Decision(release=not reasons, reasons=tuple(reasons))


def _objection(claim: str, entry: Mapping[str, Any]) -> str:
    verdict, outcome = entry["evidence"]["verdict"], entry["outcome"]
    if verdict != "PASS":
        return f"{claim} is {verdict} in {entry['nodeid']}"
    if outcome != "passed":
        return f"{claim} is PASS in {entry['nodeid']}, but that test ended as {outcome}"
    doubt = next(unproven(entry["evidence"]), "")
    return f"{claim} is PASS in {entry['nodeid']}, but {doubt}" if doubt else ""


def _seen(ledger: Mapping[str, Any]) -> str:
    names = sorted({entry["evidence"]["claim"]["name"] for entry in ledger["entries"]})
    return f" (this run has evidence for {', '.join(names)})" if names else ""
