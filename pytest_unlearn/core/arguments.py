"""Check numbers that a caller gives, in one sentence each."""

from __future__ import annotations

import math
from typing import Any


def whole_number(value: Any, name: str, least: int, otherwise: str = "") -> int:
    """Return a whole number from `least`.

    Raises:
        ValueError: anything else; `otherwise` says what else it might be.
    """
    whole = hasattr(value, "__index__") and not isinstance(value, bool) and not getattr(value, "shape", ())
    if not whole or int(value) < least:
        raise ValueError(f"{name} must be a whole number from {least}{otherwise and ' '}{otherwise}, not {value!r}.")
    return int(value)


def finite_number(value: Any, name: str, above: float, below: float = math.inf, *, least: bool = False) -> float:
    """Return a number above `above` (from it, with `least`) and below `below`.

    Raises:
        ValueError: anything else, NaN and infinity included.
    """
    number = isinstance(value, (int, float)) or (hasattr(value, "__float__") and not getattr(value, "shape", ()))
    inside = number and not isinstance(value, (bool, str)) and (value >= above if least else value > above)
    if not inside or not value < below:
        least_of = "from" if least else "above"
        most = "" if below == math.inf else f" and below {below:g}"
        raise ValueError(f"{name} must be a finite number {least_of} {above:g}{most}, not {value!r}.")
    return float(value)
