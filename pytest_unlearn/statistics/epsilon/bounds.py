"""Bound epsilon from below by tests of membership.

Either by rates alone, or under the assumption that what hides an example is Gaussian noise (GDP).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.accuracy.proportions import clopper_pearson
from pytest_unlearn.statistics.validation import check_confidence, check_count, vector

SPLITS = 101  # medians over fewer splits depend on the seed


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonBound:
    """Hold a lower bound on epsilon.

    `ceiling` is the largest that this audit could have given, by a perfect attack. `assumes` names what must hold
    beyond random membership for the bound to be one; empty if nothing.
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
    """Return the epsilon that a test fixed beforehand refutes.

    It catches `caught` of `n_forget` and accuses `accused` of `n_controls`. Returns max(0, log((TPR - delta)/FPR),
    log((TNR - delta)/FNR)) at Clopper-Pearson bounds, each at half of 1 - confidence; 0 under perfect unlearning.
    Raises ValueError for impossible counts, a confidence outside (0.5, 1) or a delta outside [0, 1). Source: Jagielski
    2020, "Auditing differentially private machine learning"; Kairouz 2015.
    """
    check_delta(delta)
    true_positive = clopper_pearson(caught, n_forget, confidence, two_sided=True)[0]
    false_positive = clopper_pearson(accused, n_controls, confidence, two_sided=True)[1]
    pairs = ((true_positive, false_positive), (1.0 - false_positive, 1.0 - true_positive))
    return max(0.0, *(math.log((high - delta) / low) if high > delta else 0.0 for high, low in pairs))


def epsilon_ceiling(n_forget: int, n_controls: int, confidence: float, delta: float = 0.0) -> float:
    """Return the largest epsilon that an attack without an error would refute."""
    check_count("n_forget", n_forget)
    check_count("n_controls", n_controls)
    return epsilon_of_rates(n_forget, n_forget, 0, n_controls, confidence, delta)


def epsilon_bound(
    forget: ArrayLike, controls: ArrayLike, confidence: float = 0.95, delta: float = 1e-5, *, seed: int = 0
) -> EpsilonBound:
    """Bound epsilon by scores of members and non-members drawn at random.

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
    """Find where the rates, each drawn towards 1/2 by one error, refute most."""
    thresholds = np.unique(np.concatenate([forget, controls]))
    caught, accused = (x.size - np.searchsorted(np.sort(x), thresholds, "right") for x in (forget, controls))
    positive = np.asarray((caught + 0.5) / (forget.size + 1.0), dtype=np.float64)
    false = np.asarray((accused + 0.5) / (controls.size + 1.0), dtype=np.float64)
    return float(thresholds[int(np.argmax(epsilons_of_rates(positive, false, delta)))])


def epsilons_of_rates(positive: FloatArray, false: FloatArray, delta: float) -> FloatArray:
    """Return the larger of log((TPR - delta)/FPR) and log((TNR - delta)/FNR)."""
    pairs = (positive, false), (1.0 - false, 1.0 - positive)
    return np.asarray(np.maximum(*(np.log(np.maximum(high - delta, 1e-300) / low) for high, low in pairs)))


def rate_bounds(caught: IntArray, m: int, accused: IntArray, n: int, tail: float) -> tuple[FloatArray, FloatArray]:
    """Bound TPR from below and FPR from above, each but for `tail`."""
    some, fewer = np.maximum(caught, 1), np.minimum(accused, n - 1)
    low = np.where(caught > 0, special.betaincinv(some, m - some + 1, tail), 0.0)
    return low, np.where(accused < n, 1.0 - special.betaincinv(n - fewer, fewer + 1, tail), 1.0)


def check_delta(delta: float) -> None:
    """Raise ValueError for a delta outside [0, 1)."""
    if not 0.0 <= delta < 1.0:
        raise ValueError(f"delta is {delta}: it is at least 0 and below 1")


_LARGEST = 700.0


def delta_of_mu(mu: float, epsilon: float) -> float:
    """Return the delta at which mu-GDP is (epsilon, delta) private.

    Raises ValueError for a mu that is not positive. Source: Dong, Roth & Su 2022, corollary 1; Balle & Wang 2018.
    """
    if not mu > 0:
        raise ValueError(f"mu is {mu}: it is positive")
    tail = epsilon + special.log_ndtr(-epsilon / mu - mu / 2.0)
    return float(special.ndtr(-epsilon / mu + mu / 2.0) - math.exp(tail))


def epsilon_of_mu(mu: float, delta: float) -> float:
    """Return the epsilon at which mu-GDP is (epsilon, delta) private.

    It is 0 where delta alone covers it. Raises ValueError for a mu that is not positive, or a delta outside (0, 1).
    """
    check_delta(delta)
    if delta == 0.0:
        raise ValueError("a Gaussian mechanism is private at no epsilon with delta = 0: choose a delta")
    if delta_of_mu(mu, 0.0) <= delta:
        return 0.0
    from scipy import optimize

    return float(optimize.brentq(lambda epsilon: delta_of_mu(mu, epsilon) - delta, 0.0, _LARGEST, xtol=1e-12))


def epsilon_gaussian(
    forget: ArrayLike, controls: ArrayLike, confidence: float = 0.95, delta: float = 1e-5
) -> EpsilonBound:
    """Bound epsilon by scores, if the mechanism is a Gaussian one.

    `forget` [m], `controls` [n] are finite scores, higher meaning more member-like. mu is the largest of
    probit(TPR) - probit(FPR) over all thresholds, at Clopper-Pearson bounds that Bonferroni corrects for their number.
    Returns a bound that `assumes` it; 0 in expectation under perfect unlearning. Raises ValueError for empty or
    non-finite scores, and as `epsilon_of_mu`. Source: Nasr 2023, "Tight auditing of differentially private machine
    learning", section 4.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    m, n = forget.size, controls.size
    tail = (1.0 - check_confidence(confidence)) / (2.0 * (m + n))
    thresholds = np.concatenate([forget, controls])
    caught, accused = (x.size - np.searchsorted(np.sort(x), thresholds, "right") for x in (forget, controls))
    mu = _largest_mu(caught, m, accused, n, tail)
    best = _largest_mu(np.array([m]), m, np.array([0]), n, tail)
    return EpsilonBound(
        low=epsilon_of_mu(mu, delta) if mu > 0 else 0.0,
        ceiling=epsilon_of_mu(best, delta) if best > 0 else 0.0,
        confidence=confidence,
        delta=delta,
        method="Gaussian differential privacy, Bonferroni over thresholds",
        n_forget=m,
        n_controls=n,
        assumes="the mechanism is Gaussian",
    )


def _largest_mu(caught: IntArray, m: int, accused: IntArray, n: int, tail: float) -> float:
    low, high = rate_bounds(caught, m, accused, n, tail)
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(special.ndtri(low) - special.ndtri(high)))
