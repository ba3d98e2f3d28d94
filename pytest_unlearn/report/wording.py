"""Word claims and runs for all renderers, and what neither may be taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.core.numbers import beyond, bound, counts, interval, number
from pytest_unlearn.core.wording import (
    DEFAULTS,
    HEADLINES,
    allowed,
    bounds_of,
    controls_of,
    decisive,
    example,
    gone,
    headline_of,
    limits_of,
    next_steps,
    other_bounds_of,
    seen,
    sizes,
)
from pytest_unlearn.report import on_method
from pytest_unlearn.report.excuse import excused
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.ledger import reconcile

__all__ = [
    "DEFAULTS",
    "HEADLINES",
    "allowed",
    "bounds_of",
    "controls_of",
    "counts",
    "decisive",
    "example",
    "gone",
    "headline_of",
    "interval",
    "limits_of",
    "next_steps",
    "number",
    "other_bounds_of",
    "seen",
    "sizes",
]

THREAT_MODEL = (
    "PASS means that no leakage was found through the tested channels: the attacks that are listed, against this "
    "model, at the stated confidence. It does not show that the data left no trace. Attacks that were not run may "
    "succeed, and a provider who controls the model can defeat any test of the model alone (Thudi et al. 2022; Zhang "
    "et al. 2024)."
)
NOT_TESTABLE = "NOT TESTABLE"


def word(evidence: Mapping[str, Any]) -> str:
    """Return the verdict, or that a claim is not testable where that is enough."""
    return NOT_TESTABLE if excused(evidence) else str(evidence["verdict"])


def sentence(entry: Mapping[str, Any]) -> str:
    """Put one claim in plain words: concluded, measured, allowed."""
    evidence = entry["evidence"]
    estimate, claim = decisive(evidence), evidence["claim"]
    headline = headline_of(evidence)
    worst = f" at worst in {entry['count']:,} requests" if entry["count"] > 1 else ""
    if counts(estimate):
        measured = f"{interval(estimate)} {claim['quantity']}; {allowed(claim)} is allowed"
    else:
        limits = limits_of(claim)
        low, high = bound(estimate["low"], "down", limits), bound(estimate["high"], "up", limits)
        measured = (
            f"{claim['quantity']} {bound(estimate['value'], 'nearest', limits)}{worst}, from {low} to {high} by "
            f"{bounds_of(evidence)}; {allowed(claim)} is allowed"
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
    missing = sum(1 for entry in entries if not is_borne_out(entry))
    untested = sum(1 for entry in entries if excused(entry["evidence"]))
    besides = f"; {untested:,} not testable here" if untested else ""
    if of_method := on_method.methods((gate or {}).get("required") or ()):
        besides += f"; {' and '.join(of_method)} of the method, not of this model"
    unproven = f"{missing:,} of {len(entries):,} claims {'was' if missing == 1 else 'were'} not proven"
    if gate is not None and not gate["release"]:
        return False, "Blocked: the release gate is not satisfied"
    if gate is not None and missing:
        return False, f"The release gate is satisfied, but {unproven}"
    beside = ended_otherwise(entries)
    if gate is not None and beside:
        return False, f"The release gate is satisfied, but {beside}"
    if gate is not None:
        return True, f"Release: every required claim was proven{besides}"
    if not entries:
        return False, "Nothing was audited"
    if missing:
        return False, unproven[:1].upper() + unproven[1:]
    if beside:
        return False, f"Every claim was proven, but {beside}"
    if (ledger.get("history") or {}).get("reasons"):
        return False, "Proven in this run, but the same model failed before under the same suite"
    if ledger["partial"] or reconcile(ledger):
        return False, "Incomplete: what ran was proven, but not everything ran"
    return True, f"Every {'required' if untested else ''} claim was proven{besides}".replace("  ", " ")


def ended_otherwise(entries: Sequence[Mapping[str, Any]]) -> str:
    """Say which tests did not pass although their claims are proven, if any."""
    ended = {entry["nodeid"]: entry["outcome"] for entry in entries if is_borne_out(entry)}
    others = [(nodeid, outcome) for nodeid, outcome in ended.items() if outcome != "passed"]
    if not others:
        return ""
    more = f", and {len(others) - 1:,} more" if len(others) > 1 else ""
    return f"a test did not pass: {others[0][0]} ended as {others[0][1]}{more}"


def is_borne_out(entry: Mapping[str, Any]) -> bool:
    """Tell whether a claim is proven or excused, however its test ended."""
    evidence = entry.get("evidence", {})
    plainly = evidence.get("verdict") == "PASS" and next(unproven(evidence), None) is None
    return plainly or excused(evidence)


def is_proven(entry: Mapping[str, Any]) -> bool:
    """Tell whether a claim is a PASS that its evidence bears out and its test passed."""
    plainly = entry.get("evidence", {}).get("verdict") == "PASS" and entry["outcome"] == "passed"
    return plainly and is_borne_out(entry)


def is_accepted(entry: Mapping[str, Any]) -> bool:
    """Tell whether a claim is proven, or not testable here where that is enough."""
    return is_proven(entry) or (entry["outcome"] == "passed" and excused(entry.get("evidence", {})))


def most_severe_first(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Order the entries' positions: first those that need attention."""
    rank = [(is_proven(entry), -SEVERITY[entry["evidence"]["verdict"]]) for entry in entries]
    return sorted(range(len(entries)), key=rank.__getitem__)


def observed(entry: Mapping[str, Any], brief: bool = False) -> str:
    """Put what was seen beside its claim; if `brief`, by attack, not quantity."""
    evidence = entry["evidence"]
    label = f" ({evidence['label']})" if evidence.get("label") else ""
    times = f" (worst of {entry['count']})" if entry["count"] > 1 else ""
    text = evidence["claim"]["text"]
    by = ""
    if brief:
        text = text.removeprefix(evidence["claim"]["quantity"]).strip()
        by = f" by {evidence['decided_by']}" if "AUC" in evidence["claim"]["quantity"] else ""
    return f"{seen(evidence)}{by} vs {text}{label}{times}"


def brief(evidence: Mapping[str, Any]) -> str:
    """Say verdict, claim and number in half a line: `FAIL forgotten 0.723 > 0.6`."""
    estimate, claim, verdict = decisive(evidence), evidence["claim"], word(evidence)
    start, limits = f"{verdict} {claim['name']}", limits_of(claim)
    if verdict == "INVALID" or estimate["value"] is None:
        return f"{start}: {next(iter(evidence.get('reasons', ())), headline_of(evidence))}"
    value = str(f"{estimate['value']:.0f}" if counts(estimate) else bound(estimate["value"], "nearest", limits))
    under, over = beyond(estimate["value"], limits)
    if verdict == "FAIL" and (under or over):
        return f"{start} {value} {'>' if over else '<'} {limits[1] if over else limits[0]:g}"
    return f"{start} {seen(evidence)} vs {allowed(claim)}"
