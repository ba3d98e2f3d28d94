"""Epsilon from one model: guesses about examples that a coin chose to include or to leave out."""

from __future__ import annotations

import numpy as np
from scipy import special

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.accuracy.proportions import check_counts
from pytest_unlearn.statistics.epsilon.bounds import EpsilonBound, check_delta
from pytest_unlearn.statistics.validation import check_confidence

_LARGEST = 60.0  # epsilon, far above the ceiling of any audit


def one_run_p_value(
    correct: int, guesses: int, epsilon: float, delta: float = 0.0, examples: int | None = None
) -> float:
    """How likely is it that an (epsilon, delta) private model lets `correct` of `guesses` be right?

    `examples` were included by a coin each, from `guesses` (the default) on; those that nobody guessed about were
    abstained from, which must have been decided without knowing the coins. Returns a number in [0, 1]. Raises
    ValueError for impossible counts or a delta outside [0, 1). Source: Steinke, Nasr & Jagielski 2023, "Privacy
    auditing with one (1) training run", theorem 5.2.
    """
    check_counts(correct, guesses)
    check_delta(delta)
    examples = guesses if examples is None else examples
    if examples < guesses:
        raise ValueError(f"{guesses} guesses were made about {examples} examples: there is one a guess at least")
    chance = float(special.expit(epsilon))
    beta = _at_least(np.array([correct]), guesses, chance)[0]
    if delta == 0.0 or correct == 0:
        return float(min(1.0, beta))
    lower = np.arange(1, correct + 1)
    steepest = np.max((_at_least(correct - lower, guesses, chance) - beta) / lower)
    return float(min(1.0, beta + 2.0 * examples * delta * max(0.0, steepest)))


def epsilon_one_run(
    correct: int, guesses: int, confidence: float = 0.95, delta: float = 0.0, *, examples: int | None = None
) -> EpsilonBound:
    """Which epsilon do `correct` of `guesses` refute, where a coin decided on each of `examples`?

    The number of guesses is fixed before they are made. Returns a bound, 0 in expectation under perfect unlearning.
    Raises ValueError as `one_run_p_value`, and for a confidence outside (0.5, 1).
    """
    alpha = 1.0 - check_confidence(confidence)
    return EpsilonBound(
        low=largest_refuted(correct, guesses, alpha, delta, examples),
        ceiling=largest_refuted(guesses, guesses, alpha, delta, examples),
        confidence=confidence,
        delta=delta,
        method="one run",
        n_forget=guesses,
        n_controls=guesses if examples is None else examples,
        assumes="each example was included by a fair coin",
    )


def largest_refuted(
    correct: int, guesses: int, alpha: float, delta: float, examples: int | None, low: float = 0.0
) -> float:
    """The largest epsilon whose p-value is at most `alpha`, or `low` where that is not above it."""
    if one_run_p_value(correct, guesses, low, delta, examples) > alpha:
        return low
    high = _LARGEST
    for _ in range(60):
        middle = (low + high) / 2.0
        if one_run_p_value(correct, guesses, middle, delta, examples) <= alpha:
            low = middle
        else:
            high = middle
    return low


def _at_least(counts: IntArray, trials: int, chance: float) -> FloatArray:
    """The probability of at least so many successes."""
    some = counts > 0
    return np.where(
        some, special.betainc(np.where(some, counts, 1), trials - np.where(some, counts, 1) + 1, chance), 1.0
    )
