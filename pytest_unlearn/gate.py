"""The release gate: from the ledger to a decision. A pure function; whatever is missing is not a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.report.consistency import unproven
from pytest_unlearn.report.ledger import reconcile

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
