"""Word claims and runs for all renderers, and what neither may be taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.core.wording import (
    DEFAULTS,
    HEADLINES,
    allowed,
    controls_of,
    counts,
    gone,
    headline_of,
    interval,
    next_steps,
    number,
    sizes,
)
from pytest_unlearn.report.gate import excused, unproven
from pytest_unlearn.report.ledger import reconcile

__all__ = [
    "DEFAULTS",
    "HEADLINES",
    "allowed",
    "controls_of",
    "counts",
    "gone",
    "headline_of",
    "interval",
    "next_steps",
    "number",
    "sizes",
]

THREAT_MODEL = (
    "Where every claim passed, no leakage was found through the tested channels: the attacks listed above, against "
    "this model, at the stated confidence. It does not show that the data left no trace. Attacks that were not run may "
    "succeed, and a provider who controls the model can defeat any test of the model alone (Thudi et al. 2022; Zhang "
    "et al. 2024). The digests, seeds and settings in report.json let the run be reproduced."
)
NOT_TESTABLE = "NOT TESTABLE"


def word(evidence: Mapping[str, Any]) -> str:
    """Return the verdict, or that a claim is not testable where that is enough."""
    return NOT_TESTABLE if excused(evidence) else str(evidence["verdict"])


def sentence(entry: Mapping[str, Any]) -> str:
    """Put one claim in plain words: concluded, measured, allowed."""
    evidence = entry["evidence"]
    estimate, claim = evidence["estimate"], evidence["claim"]
    headline = headline_of(evidence)
    worst = f" at worst in {entry['count']:,} requests" if entry["count"] > 1 else ""
    if counts(estimate):
        measured = f"{interval(estimate)} {claim['quantity']}; {allowed(claim)} is allowed"
    else:
        measured = (
            f"{claim['quantity']} {number(estimate['value'])}{worst}, from {number(estimate['low'])} to "
            f"{number(estimate['high'])} by one-sided {estimate['confidence']:.0%} bounds; {allowed(claim)} is allowed"
        )
    if evidence.get("share_left"):
        measured += f"; {gone(evidence)}"
    but = "" if entry["outcome"] in ("passed", "failed") else f" The test itself ended as {entry['outcome']}."
    return f"{headline[:1].upper()}{headline[1:]}: {measured}.{but}"


def conclusion(ledger: Mapping[str, Any], gate: Mapping[str, Any] | None) -> tuple[bool, str]:
    """Tell whether the whole run may be called passed, and say so in words.

    A gate must release, and every claim must be proven. Nothing that is missing or partial is a pass.
    """
    entries = ledger["entries"]
    missing = sum(1 for entry in entries if not is_accepted(entry))
    untested = sum(1 for entry in entries if excused(entry["evidence"]))
    besides = f"; {untested:,} not testable here" if untested else ""
    unproven = f"{missing:,} of {len(entries):,} claims {'was' if missing == 1 else 'were'} not proven"
    if gate is not None and not gate["release"]:
        return False, "Blocked: the release gate is not satisfied"
    if gate is not None and missing:
        return False, f"The release gate is satisfied, but {unproven}"
    if gate is not None:
        return True, f"Release: every required claim was proven{besides}"
    if not entries:
        return False, "Nothing was audited"
    if missing:
        return False, unproven[:1].upper() + unproven[1:]
    if (ledger.get("history") or {}).get("reasons"):
        return False, "Proven in this run, but the same model failed before under the same suite"
    if ledger["partial"] or reconcile(ledger):
        return False, "Incomplete: what ran was proven, but not everything ran"
    return True, f"Every {'required' if untested else ''} claim was proven{besides}".replace("  ", " ")


def is_proven(entry: Mapping[str, Any]) -> bool:
    """Tell whether a claim is a PASS that its evidence bears out and its test passed."""
    evidence = entry.get("evidence", {})
    plainly = evidence.get("verdict") == "PASS" and entry["outcome"] == "passed"
    return bool(plainly and next(unproven(evidence), None) is None)


def is_accepted(entry: Mapping[str, Any]) -> bool:
    """Tell whether a claim is proven, or not testable here where that is enough."""
    return is_proven(entry) or (entry["outcome"] == "passed" and excused(entry.get("evidence", {})))


def most_severe_first(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Order the entries' positions: first those that need attention."""
    rank = [(is_proven(entry), -SEVERITY[entry["evidence"]["verdict"]]) for entry in entries]
    return sorted(range(len(entries)), key=rank.__getitem__)
