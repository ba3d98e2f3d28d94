"""Which of a method's models are unlike retrained ones by themselves, whatever the others are like."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import IntArray
from pytest_unlearn.statistics.band import band
from pytest_unlearn.statistics.forgetting_quality import margins
from pytest_unlearn.statistics.validation import check_confidence


def models_apart(unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.99) -> IntArray:
    """Which models answer further from retrained ones, on average over the examples, than a retrained one would?

    A method that forgets nearly always hides the runs in which it does not among the others: no mean over models, and
    no example's law, shows one in sixteen.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples), four models or more.
        retrained: the same of retrained models; examples in the same order.
        confidence: that none is named where all laws are equal.

    Returns:
        The positions of such unlearned models, in order; none under perfect unlearning.

    Raises:
        ValueError: as `example_epsilons`.

    Source: Student's prediction interval of a further observation (see `band`), Bonferroni over models and sides.
    """
    ours, theirs = margins("unlearned", unlearned), margins("retrained", retrained)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"{ours.shape[1]} and {theirs.shape[1]} examples: pass the same ones.")
    level = 1.0 - (1.0 - check_confidence(confidence)) / (2.0 * len(ours))
    bounds = [band(mean, theirs.mean(axis=1)).at(level) for mean in ours.mean(axis=1)]
    return np.flatnonzero([bound.low > 0.0 or bound.high < 0.0 for bound in bounds])
