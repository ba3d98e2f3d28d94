"""Show that a difference is small, which no large p-value does."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics.measure import Measure, p_value
from pytest_unlearn.statistics.validation import check_confidence, is_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Hold two one-sided tests of a difference against a margin.

    `p_equivalent` is that of the hypothesis that the difference is at least `margin` on one side or the other,
    `p_different` that it is 0. Both may be large, from few data.
    """

    estimate: Estimate
    margin: float
    p_equivalent: float
    p_different: float

    @property
    def equivalent(self) -> bool:
        """Whether both bounds lie within the margin, each at the confidence."""
        return -self.margin < self.estimate.low and self.estimate.high < self.margin

    @property
    def different(self) -> bool:
        """Whether the difference is not 0, at the confidence on both sides together."""
        return self.p_different <= 1.0 - self.estimate.confidence


def equivalence(measure: Measure, margin: float, confidence: float = 0.95) -> Equivalence:
    """Test whether a difference lies within a margin, and whether it is there at all.

    Args:
        measure: of a difference that is 0 under perfect unlearning.
        margin: the largest difference that does not matter, above 0, in the units of the measure.
        confidence: of each bound, in (0.5, 1).

    Returns:
        Both answers. A difference of `margin` is called equivalent with probability 1 - confidence at most: two tests
        need no correction, for only one of them can err.

    Raises:
        ValueError: a margin that is no positive number, a confidence outside (0.5, 1).

    Source: Schuirmann 1987, two one-sided tests.
    """
    if not is_number(margin) or not 0.0 < margin < math.inf:
        raise ValueError(f"margin is {margin!r}: it is the largest difference that does not matter, above 0.")
    found = measure.at(check_confidence(confidence))
    beyond = p_value(measure, margin, "low"), p_value(measure, -margin, "high")
    off = p_value(measure, 0.0, "high"), p_value(measure, 0.0, "low")
    return Equivalence(
        estimate=found, margin=float(margin), p_equivalent=max(beyond), p_different=min(1.0, 2.0 * min(off))
    )
