"""Write numbers with three digits, and bounds that contradict no verdict.

A bound is rounded away from its estimate, and keeps as many digits as it takes to stay on its side of the limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

Towards = Literal["nearest", "down", "up"]
Limits = tuple["float | None", "float | None"]
MOST_DECIMALS = 9
EQUAL = 1e-12
NOISE = 1e-6  # of the last digit: 0.47 is stored as a little less


def number(value: float | None) -> str:
    """Write three digits; a value that is not finite is stored as None."""
    return bound(value, "nearest")


def bound(value: float | None, towards: Towards, limits: Limits = (None, None), least: int | None = None) -> str:
    """Write a number rounded one way, beyond the limits only if it is.

    Args:
        value: None where it is not finite.
        towards: where it may be moved to by rounding.
        limits: lowest and highest that it is read beside; None is none.
        least: how many decimals it has, unless the limits take more; by default those that leave three digits.
    """
    if value is None:
        return "n/a"
    for digits in range(decimals(value) if least is None else least, MOST_DECIMALS + 1):
        written = _rounded(value, digits, towards)
        if beyond(written, limits) == beyond(value, limits):
            break
    else:
        written, digits = value, MOST_DECIMALS
    return f"{written + 0.0:,.{digits}f}"  # no -0.000


def decimals(value: float) -> int:
    """Count the decimals that leave three digits: 0.723, 1.30, 12.4, 124."""
    size = abs(value)
    return 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0


def interval(estimate: Mapping[str, Any], limits: Limits = (None, None)) -> str:
    """Write `0.620 [0.580, 0.660]`, or `1 of 24` where requests are counted."""
    if counts(estimate):
        return f"{estimate['value']:.0f} of {estimate['n_forget']:,}"
    low, high = bound(estimate["low"], "down", limits), bound(estimate["high"], "up", limits)
    return f"{bound(estimate['value'], 'nearest', limits)} [{low}, {high}]"


def counts(estimate: Mapping[str, Any]) -> bool:
    """Tell whether an estimate counts requests, and so has no interval."""
    return estimate.get("method") == "count" and estimate["value"] is not None


def portion(share: float) -> str:
    """Write a part of a whole: 60%, or "all" of an estimate above 1."""
    return "all" if share >= 1 else f"{share:.0%}"


def portion_at_most(share: float | None) -> str:
    """Write an upper bound of a part: "up to 60%", "all" or "any part"."""
    if share is None or not math.isfinite(share):
        return "any part"
    return "all" if share >= 1 else f"up to {share:.0%}"


def _rounded(value: float, digits: int, towards: Towards) -> float:
    scaled = value * 10.0**digits
    if towards == "down":
        scaled = math.floor(scaled + NOISE)
    elif towards == "up":
        scaled = math.ceil(scaled - NOISE)
    else:
        return round(value, digits)
    return float(scaled / 10.0**digits)


def beyond(value: float, limits: Limits) -> tuple[bool, bool]:
    """Tell whether a number lies below the lowest and above the highest."""
    lowest, highest = limits
    return lowest is not None and value < lowest - EQUAL, highest is not None and value > highest + EQUAL
