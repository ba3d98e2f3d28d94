"""How far from differential privacy a test of membership proves a model to be: lower bounds on epsilon."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import FloatArray
from pytest_unlearn.statistics.proportions import clopper_pearson
from pytest_unlearn.statistics.validation import check_confidence, check_count, vector

SPLITS = 101  # medians over fewer splits depend on the seed


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonBound:
    """A lower bound on epsilon, and the largest that this audit could have given: `ceiling`, by a perfect attack.

    `assumes` names what must hold beyond random membership for the bound to be one; empty if nothing.
    """

    low: float
    ceiling: float
    confidence: float
    delta: float
    method: str
    n_forget: int
    n_controls: int
    assumes: str = ""


def epsilon_of_rates(
    caught: int, n_forget: int, accused: int, n_controls: int, confidence: float, delta: float = 0.0
) -> float:
    """Which epsilon do `caught` of `n_forget` and `accused` of `n_controls`, by a test fixed beforehand, refute?

    Returns max(0, log((TPR - delta)/FPR), log((TNR - delta)/FNR)) at Clopper-Pearson bounds, each at half of
    1 - confidence; 0 under perfect unlearning. Raises ValueError for impossible counts, a confidence outside (0.5, 1)
    or a delta outside [0, 1). Source: Jagielski 2020, "Auditing differentially private machine learning"; Kairouz 2015.
    """
    check_delta(delta)
    true_positive = clopper_pearson(caught, n_forget, confidence, two_sided=True)[0]
    false_positive = clopper_pearson(accused, n_controls, confidence, two_sided=True)[1]
    pairs = ((true_positive, false_positive), (1.0 - false_positive, 1.0 - true_positive))
    return max(0.0, *(math.log((high - delta) / low) if high > delta else 0.0 for high, low in pairs))


def epsilon_ceiling(n_forget: int, n_controls: int, confidence: float, delta: float = 0.0) -> float:
    """The largest epsilon that any attack could refute with so many examples: that of one without an error."""
    check_count("n_forget", n_forget)
    check_count("n_controls", n_controls)
    return epsilon_of_rates(n_forget, n_forget, 0, n_controls, confidence, delta)


def epsilon_bound(
    forget: ArrayLike, controls: ArrayLike, confidence: float = 0.95, delta: float = 1e-5, *, seed: int = 0
) -> EpsilonBound:
    """Which epsilon do these scores refute, for members and non-members drawn at random?

    `forget` [m], `controls` [n] are finite scores, higher meaning more member-like, at least two a side. The threshold
    is chosen on a random half of each side and judged on the other; of 101 such splits the median bound holds, each at
    half of 1 - confidence. Returns a bound, 0 in expectation under perfect unlearning. Raises ValueError for empty or
    non-finite scores, fewer than two a side, and as `epsilon_of_rates`. Source: Meinshausen, Meier & Bühlmann 2009,
    "p-values for high-dimensional regression", for the median over splits.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    m, n = forget.size, controls.size
    if min(m, n) < 2:
        raise ValueError(f"a threshold is chosen on one half and judged on the other: {m} and {n} scores are too few")
    check_confidence(confidence)
    level = (1.0 + confidence) / 2.0
    rng = np.random.default_rng(seed)
    bounds = []
    for _ in range(SPLITS):
        ours, theirs = rng.permutation(forget), rng.permutation(controls)
        threshold = _best_threshold(ours[: m // 2], theirs[: n // 2], delta)
        caught, accused = int((ours[m // 2 :] > threshold).sum()), int((theirs[n // 2 :] > threshold).sum())
        bounds.append(epsilon_of_rates(caught, m - m // 2, accused, n - n // 2, level, delta))
    return EpsilonBound(
        low=float(np.median(bounds)),
        ceiling=epsilon_ceiling(m - m // 2, n - n // 2, level, delta),
        confidence=confidence,
        delta=delta,
        method=f"Clopper-Pearson, median of {SPLITS} splits",
        n_forget=m,
        n_controls=n,
    )


def _best_threshold(forget: FloatArray, controls: FloatArray, delta: float) -> float:
    """Where the rates, each drawn towards 1/2 by one error, refute most."""
    thresholds = np.unique(np.concatenate([forget, controls]))
    caught, accused = (x.size - np.searchsorted(np.sort(x), thresholds, "right") for x in (forget, controls))
    positive = np.asarray((caught + 0.5) / (forget.size + 1.0), dtype=np.float64)
    false = np.asarray((accused + 0.5) / (controls.size + 1.0), dtype=np.float64)
    gain = np.maximum(_log_ratio(positive, false, delta), _log_ratio(1.0 - false, 1.0 - positive, delta))
    return float(thresholds[int(np.argmax(gain))])


def _log_ratio(high: FloatArray, low: FloatArray, delta: float) -> FloatArray:
    return np.asarray(np.log(np.maximum(high - delta, 1e-300) / low))


def auc_of_epsilon(epsilon: float, delta: float = 0.0) -> float:
    """The highest AUC of any attack on what is (epsilon, delta) private: 1 - (1 - delta)^2 / (1 + e^epsilon).

    Raises ValueError for a negative epsilon or a delta outside [0, 1). Derived from the region of Kairouz 2015.
    """
    check_delta(delta)
    if not epsilon >= 0:
        raise ValueError(f"epsilon is {epsilon}: it is at least 0")
    return 1.0 - (1.0 - delta) ** 2 / (1.0 + math.exp(min(epsilon, 700.0)))


def epsilon_of_auc(auc: float, delta: float = 0.0) -> float:
    """The smallest epsilon at which an attack may have this AUC: log((1 - delta)^2 / (1 - AUC) - 1), at least 0.

    Of the lower bound of an AUC this gives one of epsilon. Infinite for an AUC of 1. Raises ValueError for an AUC
    outside [0, 1] or a delta outside [0, 1).
    """
    check_delta(delta)
    if not 0.0 <= auc <= 1.0:
        raise ValueError(f"an AUC is between 0 and 1, not {auc}")
    if auc == 1.0:
        return math.inf
    odds = (1.0 - delta) ** 2 / (1.0 - auc) - 1.0
    return max(0.0, math.log(odds)) if odds > 0 else 0.0


def check_delta(delta: float) -> None:
    """ValueError for a delta outside [0, 1)."""
    if not 0.0 <= delta < 1.0:
        raise ValueError(f"delta is {delta}: it is at least 0 and below 1")
