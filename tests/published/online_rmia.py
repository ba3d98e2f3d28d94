"""Online RMIA, the published attack: reference models that were trained with the example and without it."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.attacks.rmia import OFFLINE, offline_average, share_exceeded
from pytest_unlearn.core.evidence import FloatArray


def online_rmia_scores(
    target: FloatArray,
    references: FloatArray,
    population: FloatArray,
    population_references: FloatArray,
    included: np.ndarray,
    *,
    a: float = OFFLINE,
    gamma: float = 1.0,
) -> FloatArray:
    """Score as `rmia_scores`, where `included` (models, examples) marks what each reference was trained on."""
    gains = target - online_average(references, included)
    return share_exceeded(gains, population - offline_average(population_references, a), gamma, 0.0)


def online_average(references: FloatArray, included: np.ndarray) -> FloatArray:
    """Log a probability averaged over the models with the example and those without, in equal parts."""
    included = np.asarray(included, dtype=bool)
    counts = included.sum(axis=0), (~included).sum(axis=0)
    if included.shape != references.shape or min(count.min() for count in counts) < 1:
        raise ValueError("online, each example is in some of the models and out of some")
    probability = np.exp(references)
    means = [
        (probability * kind).sum(axis=0) / count for kind, count in zip((included, ~included), counts, strict=True)
    ]
    return np.asarray(np.log(np.maximum((means[0] + means[1]) / 2.0, np.finfo(np.float64).tiny)))
