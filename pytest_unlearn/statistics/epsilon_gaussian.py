"""Epsilon under the assumption that what hides an example is Gaussian noise (GDP)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.evidence import IntArray
from pytest_unlearn.statistics.epsilon import EpsilonBound, check_delta
from pytest_unlearn.statistics.validation import check_confidence, vector

_LARGEST = 700.0


def delta_of_mu(mu: float, epsilon: float) -> float:
    """The delta at which a mu-GDP mechanism is (epsilon, delta) private.

    Raises ValueError for a mu that is not positive. Source: Dong, Roth & Su 2022, corollary 1; Balle & Wang 2018.
    """
    if not mu > 0:
        raise ValueError(f"mu is {mu}: it is positive")
    tail = epsilon + special.log_ndtr(-epsilon / mu - mu / 2.0)
    return float(special.ndtr(-epsilon / mu + mu / 2.0) - math.exp(tail))


def epsilon_of_mu(mu: float, delta: float) -> float:
    """The epsilon at which a mu-GDP mechanism is (epsilon, delta) private; 0 where delta alone covers it.

    Raises ValueError for a mu that is not positive, or a delta outside (0, 1).
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
    """Which epsilon do these scores refute, if the mechanism is a Gaussian one?

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
    low = np.where(caught > 0, special.betaincinv(np.maximum(caught, 1), m - np.maximum(caught, 1) + 1, tail), 0.0)
    fewer = np.minimum(accused, n - 1)
    high = np.where(accused < n, 1.0 - special.betaincinv(n - fewer, fewer + 1, tail), 1.0)
    with np.errstate(invalid="ignore"):
        return float(np.nanmax(special.ndtri(low) - special.ndtri(high)))
