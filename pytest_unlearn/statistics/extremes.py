"""The largest or smallest of several quantities, with bounds that pay for having looked at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_unlearn.evidence import Estimate, Side
from pytest_unlearn.statistics.measure import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtremeMeasure:
    """The extreme of `parts` on one side: the largest ("high") or the smallest ("low").

    Each part is bounded at 1 - alpha / parts, so that all hold together (Bonferroni). The point value is that of the
    part that stands out, and strays from the middle by luck alone where there are many: judge by the bounds.
    """

    parts: Sequence[Measure]
    side: Side

    @property
    def value(self) -> float:
        """The value of the part that stands out."""
        values = [part.value for part in self.parts]
        return max(values) if self.side == "high" else min(values)

    def at(self, confidence: float) -> Estimate:
        """One-sided simultaneous bounds at `confidence`."""
        strict = 1.0 - (1.0 - confidence) / len(self.parts)
        found = [part.at(strict) for part in self.parts]
        pick = max if self.side == "high" else min
        extreme = pick(found, key=lambda estimate: estimate.value)
        return replace(
            extreme,
            low=pick(estimate.low for estimate in found),
            high=pick(estimate.high for estimate in found),
            confidence=confidence,
            method=f"{'largest' if self.side == 'high' else 'smallest'} of {len(found)}, simultaneous {extreme.method}",
        )
