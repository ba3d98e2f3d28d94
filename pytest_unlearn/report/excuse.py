"""Tell where it is enough for a release that a claim is not testable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def excused(evidence: Mapping[str, Any]) -> bool:
    """Tell whether a claim is not testable here, and no policy requires it."""
    untestable = evidence.get("verdict") == "INCONCLUSIVE" and bool(evidence.get("not_testable"))
    return untestable and evidence.get("required") is False and not any(_accusations(evidence))


def _accusations(evidence: Mapping[str, Any]) -> Iterator[bool]:
    """Yield whether something in evidence is beyond the limits with certainty, or a reference fails."""
    lowest, highest = evidence["claim"].get("lowest"), evidence["claim"].get("highest")
    attacks = evidence.get("attacks") or {}
    for estimate in (
        evidence["estimate"],
        *(attacks[name] for name in evidence.get("deciding", ()) if name in attacks),
    ):
        low, high = estimate["low"], estimate["high"]
        yield low is not None and highest is not None and low > highest
        yield high is not None and lowest is not None and high < lowest
    for control in (evidence.get("controls") or {}).get("retrained", ()):
        yield control.get("holds") is not True
