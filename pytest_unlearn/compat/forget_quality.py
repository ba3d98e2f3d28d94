"""Forget quality (TOFU): a p-value that must not be taken for proof, and beside it what proves likeness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pytest_unlearn.compat.metric import Metric
from pytest_unlearn.statistics.validation import check_open_unit, vector


@dataclass(frozen=True, slots=True)
class ForgetQuality:
    """The published p-value, the distance between the two laws, and how large it may be at the stated confidence."""

    p_value: float
    distance: float
    upper: float
    confidence: float

    @property
    def metric(self) -> Metric:
        """The published number, the p-value; it has no target, since it is uniform under perfect unlearning."""
        caution = "a large p-value proves nothing, least of all with few examples: ask for equivalent(margin)"
        return Metric("forget quality", self.p_value, None, "higher", caution)

    def equivalent(self, margin: float) -> bool:
        """Whether the two laws are proven to lie within `margin` of each other; a large p-value proves nothing."""
        check_open_unit("margin", margin)
        return self.upper <= margin


def forget_quality(unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.95) -> ForgetQuality:
    """Do a statistic's values on the forget set follow the same law under unlearning as under retraining?

    `unlearned` [m], `retrained` [n] are truth ratios, or any other statistic. `p_value` is that of the two-sample
    Kolmogorov-Smirnov test: uniform under perfect unlearning. `upper` bounds the largest difference of the two
    distribution functions, by Massart's constant for each. Raises ValueError for what is empty or not finite, or a
    confidence outside (0, 1). Source: Maini 2024 (TOFU); Massart 1990.
    """
    ours, theirs = vector("unlearned", unlearned), vector("retrained", retrained)
    check_open_unit("confidence", confidence)
    tested = stats.ks_2samp(ours, theirs)
    # each empirical law is within sqrt(log(2/a)/2n) of its own with probability 1 - a; half of alpha goes to either
    reach = sum(np.sqrt(np.log(4.0 / (1.0 - confidence)) / (2.0 * side.size)) for side in (ours, theirs))
    distance = float(tested.statistic)
    return ForgetQuality(float(tested.pvalue), distance, min(1.0, distance + float(reach)), confidence)
