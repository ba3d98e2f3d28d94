"""Tell a claim in a sentence to readers who know no statistics.

The number is the bound that decided, never the estimate: "at most 53 times in 100" is what was proven. Bounds are
rounded away from what was measured, and never across the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_unlearn.core.claim_limit import Scale, hundredths, parts_of_hundred
from pytest_unlearn.core.claim_table import TABLE, ClaimSpec
from pytest_unlearn.core.numbers import Limits, Towards, beyond, bound, counts
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.wording import NOT_TESTABLE, decisive, headline_of, word

SMALL = 5  # numbers of a hundred below it have a decimal


def told(entry: Mapping[str, Any]) -> str:
    """Say what was found out about one claim, in one sentence and its first reason."""
    evidence = entry["evidence"]
    verdict, because = word(evidence), first_reason(evidence)
    if verdict == NOT_TESTABLE:
        return _sentence(f"This could not be tested: {because or 'nothing would show'}")
    if verdict == "INVALID":
        return _sentence(f"This audit says nothing about it: {because or headline_of(evidence)}")
    if doubt := next(unproven(evidence), "") if verdict == "PASS" else "":
        return _sentence(f"This PASS is not borne out by its numbers: {doubt}")
    found = measured(evidence)
    worst = f" (the worst of {entry['count']:,} requests)" if entry["count"] > 1 else ""
    if verdict == "INCONCLUSIVE":
        return _sentence(f"It is not known: {found}{worst}") + (f" {_sentence(because)}" if because else "")
    return _sentence(found + worst)


def first_reason(evidence: Mapping[str, Any]) -> str:
    """Return why a verdict is not PASS; empty where nothing is said."""
    if evidence.get("not_testable"):
        return str(evidence["not_testable"])
    if evidence["verdict"] == "PASS":
        return ""
    return str(next(iter(evidence.get("reasons", ())), ""))


def measured(evidence: Mapping[str, Any]) -> str:
    """Say what was measured, by the bounds that decided, and what is allowed."""
    spec = TABLE.get(evidence["claim"]["name"])
    estimate, claim = decisive(evidence), evidence["claim"]
    if counts(estimate):
        return _counted(spec, estimate, claim)
    if estimate["low"] is None or estimate["high"] is None or spec is None or not spec.plain:
        return f"{headline_of(evidence)} ({claim['quantity']} {_unscaled(estimate, claim)})"
    scale = spec.limit.scale
    low, high, limits = _scaled(estimate, claim, scale)
    if spec.below_zero and high < 0.0:
        least, most = _whole(-high, "down", (None, None), scale), _whole(-low, "up", (None, None), scale)
        number = f"at least {least}" if evidence["verdict"] == "PASS" else f"between {least} and {most}"
        return f"{spec.below_zero.format(number)} (a loss of {_allowed(limits)} is allowed)"
    number = _range(evidence["verdict"], low, high, limits, scale, two_sided=_two_sided(claim, scale))
    sentence = spec.plain.format(number, quantity=claim["quantity"], n=estimate["n_forget"])
    return f"{sentence} ({_allowed(limits)} allowed)"


def _counted(spec: ClaimSpec | None, estimate: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    plain = spec.plain if spec is not None and spec.plain else "{} of {n} requests"
    return plain.format(f"{estimate['value']:.0f}", quantity=claim["quantity"], n=f"{estimate['n_forget']:,}")


def _scaled(
    estimate: Mapping[str, Any], claim: Mapping[str, Any], scale: Scale
) -> tuple[float, float, tuple[float | None, float | None]]:
    """Put bounds and limits on the scale of plain words; distances from chance where both directions count."""
    low, high = estimate["low"], estimate["high"]
    lowest, highest = claim.get("lowest"), claim.get("highest")
    if scale.chance is not None and _two_sided(claim, scale) is False:
        middle = scale.chance
        near = 0.0 if low <= middle <= high else min(abs(low - middle), abs(high - middle))
        far = max(abs(low - middle), abs(high - middle))
        most = min(abs(end - middle) for end in (lowest, highest) if end is not None)
        return scale.shown(middle + near), scale.shown(middle + far), (None, scale.shown(middle + most))
    ends = [None if end is None else scale.shown(end) for end in (lowest, highest)]
    return scale.shown(low), scale.shown(high), (ends[0], ends[1])


def _two_sided(claim: Mapping[str, Any], scale: Scale) -> bool:
    """Tell whether both ends are told: not where they lie as far from chance on either side, or one is open."""
    lowest, highest = claim.get("lowest"), claim.get("highest")
    if lowest is None or highest is None:
        return False
    return scale.chance is None or abs((highest - scale.chance) - (scale.chance - lowest)) > 1e-9


def _range(verdict: str, low: float, high: float, limits: Limits, scale: Scale, *, two_sided: bool) -> str:
    """Write "at most 53", "at least 68" or "between 48 and 61": what was proven, or what is possible."""
    least, most = _whole(low, "down", limits, scale), _whole(high, "up", limits, scale)
    under, over = beyond(high, limits)[0], beyond(low, limits)[1]
    if over or (verdict == "PASS" and limits[1] is None):
        return f"at least {least}"
    if under or (verdict == "PASS" and not two_sided):
        return f"at most {most}"
    return f"between {least} and {most}"


def _whole(value: float, towards: Towards, limits: Limits, scale: Scale) -> str:
    """Write a number of a hundred without decimals, a small one with one, unless the limits take more."""
    if scale.shown not in (hundredths, parts_of_hundred):
        return bound(value, towards, limits)
    written = bound(value, towards, limits, least=int(abs(value) < SMALL))
    return written.removesuffix(".0")


def _allowed(limits: Limits) -> str:
    lowest, highest = (None if limit is None else f"{limit:.3g}" for limit in limits)
    if lowest is None or highest is None:
        return f"at most {highest}" if highest else f"at least {lowest}" if lowest else "anything"
    return f"{lowest} to {highest}"


def _unscaled(estimate: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    limits = claim.get("lowest"), claim.get("highest")
    return f"from {bound(estimate['low'], 'down', limits)} to {bound(estimate['high'], 'up', limits)}"


def _sentence(text: str) -> str:
    """Begin with a capital letter, and end with a full stop."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
