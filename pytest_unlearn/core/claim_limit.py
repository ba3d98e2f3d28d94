"""What limits a claim: a setting, its sensible range, how it is told."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

ROUNDING = 9  # digits that survive a report and a logarithm


class Range(NamedTuple):
    """The numbers between two ends, which belong to it only where `closed` names them."""

    low: float
    high: float
    closed: tuple[Literal["low", "high"], ...] = ()

    def holds(self, value: float) -> bool:
        """Tell whether a number lies in the range."""
        return self.low < value < self.high or any(value == getattr(self, end) for end in self.closed)

    def __str__(self) -> str:
        lower, upper = ("from" if "low" in self.closed else "above"), ("at most" if "high" in self.closed else "below")
        return f"a number {lower} {self.low:g} and {upper} {self.high:g}"


class Scale(NamedTuple):
    """How a quantity is told to somebody who is no statistician.

    `shown` turns it into the number that is told; from `chance` both directions count, where that is a number.
    """

    shown: Callable[[float], float] = float
    chance: float | None = None


AS_IT_IS = Scale()


def hundredths(value: float) -> float:
    """Turn a share into a number in a hundred."""
    return 100 * value


def parts_of_hundred(value: float) -> float:
    """Turn a share into parts of a hundred, from none to all."""
    return 100 * min(1.0, max(0.0, value))


class Limit(NamedTuple):
    """The setting that limits a claim.

    Attributes:
        setting: its name.
        range: the values at which a PASS means something.
        side: the end of the claim's interval that it sets.
        value_of: the setting's value that this end stands for.
        mirror: exchanges the two ends that belong together, where a claim has both; None where that varies.
        scale: on which the limited quantity is told in plain words.
    """

    setting: str
    range: Range
    side: Literal["lowest", "highest"] = "highest"
    value_of: Callable[[float], float] = float
    mirror: Callable[[float], float] | None = None
    scale: Scale = AS_IT_IS

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.range.low == self.range.high

    def value(self, claim: Mapping[str, Any]) -> float | None:
        """Return the setting's value that a claim (as JSON) was judged at, if any."""
        end = claim.get(self.side)
        return None if end is None else self._value(end)

    def objection(self, claim: Mapping[str, Any]) -> str:
        """Say why no PASS within a claim's ends (as JSON) means anything, if so."""
        other = claim.get("lowest" if self.side == "highest" else "highest")
        mirrored = None if self.mirror is None or other is None else self._value(self.mirror(other))
        values = [self.value(claim), *([] if mirrored is None else [mirrored])]
        if values[0] is None:
            return f"no {self.setting} limits it"
        beyond = [value for value in values if value is not None and not self.range.holds(value)]
        return f"no {self.setting} can be {beyond[0]:g}" if beyond else ""

    def _value(self, end: float) -> float:
        """Convert an end of the interval to the setting's scale."""
        try:
            return round(self.value_of(end), ROUNDING)
        except OverflowError:
            return math.inf

    def looser(self, value: float, accepted: float) -> bool:
        """Tell whether one value of the setting allows what another does not."""
        return value > accepted if self.side == "highest" else value < accepted


OUT_OF_100 = Scale(hundredths)
AUC = Limit("max_mia_auc", Range(0.5, 1), mirror=lambda end: 1 - end, scale=Scale(hundredths, 0.5))
DROP = Limit("max_drop", Range(0, 1, ("low",)), scale=OUT_OF_100)
GAP = Limit("max_gap", Range(0, 1), mirror=operator.neg, scale=Scale(hundredths, 0.0))
RELEARNING = Limit(
    "max_relearning", Range(1, 10, ("high",)), value_of=math.exp, mirror=operator.neg, scale=Scale(math.exp)
)
RATIO = Limit("min_ratio", Range(0, 1), side="lowest", scale=OUT_OF_100)
FRACTION = Limit("max_fraction", Range(0, 1, ("high",)), scale=OUT_OF_100)
REDUCTION = Limit("min_reduction", Range(0, 1), side="lowest", scale=Scale(parts_of_hundred))
EFFECT = Limit("max_effect", Range(0, 1))
EXTRACTION = Limit("max_probability", Range(0, 1, ("low",)), scale=OUT_OF_100)
FAILURES = Limit("max_failures", Range(0, 0, ("low", "high")))  # no setting: not one is tolerated
