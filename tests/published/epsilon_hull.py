"""Epsilon from one model's scores, when no threshold was fixed beforehand: as published, and strictly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.epsilon.bounds import EpsilonBound, check_delta, epsilon_of_mu
from pytest_unlearn.statistics.validation import check_confidence, vector
from tests.published.epsilon_one_run import largest_refuted
from tests.published.one_run_gaussian import largest_refuted_mu

_COIN = "each example was included by a fair coin"


def epsilon_hull(
    forget: ArrayLike, controls: ArrayLike, confidence: float = 0.95, delta: float = 1e-5, *, gaussian: bool = False
) -> EpsilonBound:
    """Which epsilon do these scores refute according to jax_privacy? For comparing with it, not for judging.

    `forget` [m], `controls` [n] are finite scores, higher meaning more member-like. All examples scoring at least a
    threshold are guessed to be members, at each vertex of the convex hull of the ROC curve, and 1 - confidence is
    divided by the number of vertices. That number depends on the data, and so does the choice of vertices: this is not
    strictly a bound, where `epsilon_thresholds` is one. With `gaussian` the mechanism is assumed to be, which about
    doubles the bound (f-DP). Returns a bound, 0 in expectation under perfect unlearning. Raises ValueError for empty or
    non-finite scores, a confidence outside (0.5, 1), a delta outside [0, 1), or of 0 if Gaussian. Source: Steinke 2023,
    "Privacy auditing with one (1) training run"; Mahloujifar 2024, "Auditing f-differential privacy in one run".
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    m, n = forget.size, controls.size
    caught, accused = _hull(forget, controls)
    alpha = 1.0 - check_confidence(confidence)
    check_delta(delta)
    perfect = np.array([m]), np.array([m]), alpha / 3.0  # the hull of an attack without an error has three vertices
    found = caught, caught + accused, alpha / caught.size
    if gaussian:
        low, ceiling = (
            _gaussian(correct, guesses, level, delta, m + n) for correct, guesses, level in (found, perfect)
        )
    else:
        low, ceiling = (_any_law(correct, guesses, level, delta, m + n) for correct, guesses, level in (found, perfect))
    return EpsilonBound(
        low=low,
        ceiling=ceiling,
        confidence=confidence,
        delta=delta,
        method="one run, Bonferroni over hull vertices, as published",
        n_forget=m,
        n_controls=n,
        assumes=f"{_COIN}, and the mechanism is Gaussian" if gaussian else _COIN,
    )


def epsilon_thresholds(
    forget: ArrayLike,
    controls: ArrayLike,
    confidence: float = 0.95,
    delta: float = 1e-5,
    *,
    guesses: Sequence[int] | None = None,
) -> EpsilonBound:
    """Which epsilon do these scores refute, whatever threshold shows most?

    `forget` [m], `controls` [n] are finite scores, higher meaning more member-like. The highest k examples are guessed
    to be members, for every k from 1 to m + n, or for each in `guesses`, which must be chosen before the scores are
    seen; 1 - confidence is divided by their number, and ties count against the attacker. A delta costs more the smaller
    that share is: with many examples, a few `guesses` refute more than all. Returns a bound, 0 in expectation under
    perfect unlearning. Raises ValueError as `epsilon_hull`, and for guesses outside [1, m + n]. Source: Steinke 2023.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    m, total = forget.size, forget.size + controls.size
    numbers = np.arange(1, total + 1) if guesses is None else np.unique(np.asarray(guesses, dtype=np.int64))
    if numbers.size == 0 or numbers[0] < 1 or numbers[-1] > total:
        raise ValueError(f"guesses are numbers of examples, between 1 and {total}, not {guesses}")
    level = (1.0 - check_confidence(confidence)) / numbers.size
    check_delta(delta)
    member = np.repeat([1, 0], [m, controls.size])
    ranked = member[np.lexsort((member, -np.concatenate([forget, controls])))]
    return EpsilonBound(
        low=_any_law(np.cumsum(ranked)[numbers - 1], numbers, level, delta, total),
        ceiling=_any_law(np.minimum(numbers, m), numbers, level, delta, total),
        confidence=confidence,
        delta=delta,
        method=f"one run, Bonferroni over {numbers.size} numbers of guesses",
        n_forget=m,
        n_controls=controls.size,
        assumes=_COIN,
    )


def _hull(forget: FloatArray, controls: FloatArray) -> tuple[IntArray, IntArray]:
    """Caught and accused at the vertices of the upper convex hull of the ROC curve, both ends included."""
    thresholds = np.unique(np.concatenate([forget, controls]))[::-1]
    caught, accused = (x.size - np.searchsorted(np.sort(x), thresholds, "left") for x in (forget, controls))
    vertices = [(0, 0)]
    for x, y in zip(accused.tolist(), caught.tolist(), strict=True):
        while len(vertices) > 1:
            (x0, y0), (x1, y1) = vertices[-2:]
            if (x1 - x0) * (y - y0) < (y1 - y0) * (x - x0):
                break
            vertices.pop()
        vertices.append((x, y))
    found = np.array(vertices, dtype=np.int64)
    return found[:, 1], found[:, 0]


def _any_law(correct: IntArray, guesses: IntArray, alpha: float, delta: float, examples: int) -> float:
    best = 0.0
    while correct.size:
        # A p-value is at least the binomial tail, and at least what delta adds for any one number of wins given away:
        # that of a typical outcome rules most out at once.
        chance = float(special.expit(best))
        tail = _tail(correct, guesses, chance)
        given = np.maximum(1, correct - np.floor(guesses * chance).astype(np.int64))
        least = tail + 2.0 * examples * delta * (_tail(correct - given, guesses, chance) - tail) / given
        kept = np.flatnonzero((least <= alpha) & (guesses > 0))
        if kept.size == 0:
            break
        first = kept[np.argmin(least[kept])]
        best = largest_refuted(int(correct[first]), int(guesses[first]), alpha, delta, examples, best)
        kept = kept[kept != first]
        correct, guesses = correct[kept], guesses[kept]
    return best


def _tail(correct: IntArray, guesses: IntArray, chance: float) -> FloatArray:
    some = np.maximum(correct, 1)
    return np.where(correct > 0, special.betainc(some, np.maximum(guesses - some, 0) + 1, chance), 1.0)


def _gaussian(correct: IntArray, guesses: IntArray, alpha: float, delta: float, examples: int) -> float:
    best = 0.0
    for k in np.argsort(_tail(correct, guesses, 0.75)):
        if guesses[k]:
            best = largest_refuted_mu(int(correct[k]), int(guesses[k]), alpha, examples, best)
    return epsilon_of_mu(best, delta) if best > 0 else 0.0
