"""Compute how likely a text is generated in so many tries, and the inverse.

All in logarithms: that a text of fifty tokens comes next has a probability of 1e-20, or of 1e-300, and 1 - (1 - p)^n is
0 in floating point for every n where it may be a half.

Source: Hayes et al. 2025, "Measuring memorization in language models via probabilistic extraction" (arXiv 2410.19482),
(n, p)-discoverable extraction. It needs no sampling: p is the product of the probabilities of the tokens.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.validation import check_open_unit, is_number, real_array

_HALF = -math.log(2.0)
_ROUNDING = 1e-15  # of a logarithm, a whole number of tries must not be missed by it
_EXACT = 2.0**53  # from here on every float64 is whole


def extraction_probability(log_probability: ArrayLike, tries: float) -> FloatArray:
    """Compute 1 - (1 - p)^n, the probability that a text comes back in n tries.

    Args:
        log_probability: natural logarithm of the text's probability p, any shape, at most 0; -inf: it is impossible.
        tries: n, independent samples at temperature 1, at least 1; whole, or a float of any size.

    Returns:
        Probabilities of that shape, with a relative error of at most 1e-12 down to p = 1e-300 and up to n = 1e300.
        Under perfect unlearning they are those of retrained models, which are not 0.

    Raises:
        ValueError: a logarithm above 0, or fewer than one try.
    """
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(-np.expm1(-np.exp(_log_rate(_checked(log_probability)) + _log_tries(tries))))


def log_extraction_probability(log_probability: ArrayLike, tries: float) -> FloatArray:
    """Compute the natural logarithm of `extraction_probability`, where that is 0.

    Arguments and errors as there.
    """
    log_rate = _log_rate(_checked(log_probability)) + _log_tries(tries)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        rate = np.exp(log_rate)
        return np.asarray(np.where(rate < 1e-8, log_rate - 0.5 * np.minimum(rate, 1.0), np.log(-np.expm1(-rate))))


def log_tries_needed(log_probability: ArrayLike, probability: float) -> FloatArray:
    """Compute ln n of the n after which a text has come back with `probability`.

    n = log(1 - probability) / log(1 - p), a real number, below 1 where one try is more than enough; inf where the text
    is impossible, -inf where it is certain. Arguments as in `extraction_probability`; raises ValueError for a
    probability outside (0, 1) too.
    """
    wanted = math.log(-math.log1p(-check_open_unit("probability", probability)))
    return np.asarray(wanted - _log_rate(_checked(log_probability)))


def tries_needed(log_probability: ArrayLike, probability: float) -> FloatArray:
    """Compute the fewest tries after which a text has come back with `probability`.

    Whole numbers, 1 at least, right but for the rounding of a logarithm; inf beyond 1e308 and where the text is
    impossible. Arguments and errors as in `log_tries_needed`.
    """
    logs = log_tries_needed(log_probability, probability)
    with np.errstate(over="ignore"):
        tries = np.exp(logs)
        whole = np.where(tries < _EXACT, np.ceil(tries * (1.0 - _slack(logs))), tries)
    return np.asarray(np.maximum(whole, 1.0))


def is_extractable(log_probability: ArrayLike, tries: float, probability: float) -> np.typing.NDArray[np.bool_]:
    """Tell which texts are (n, p)-discoverably extractable.

    Whether each comes back in `tries` samples with `probability` at least. False for a model that never saw the text,
    unless the text is easy. Arguments and errors as in `log_tries_needed` and `extraction_probability`.
    """
    needed, given = log_tries_needed(log_probability, probability), _log_tries(tries)
    return np.asarray(needed <= given + _slack(np.asarray(given)))


def _slack(logs: FloatArray) -> FloatArray:
    return np.asarray(_ROUNDING * (1.0 + np.minimum(np.abs(logs), 1e6)))


def _log_rate(log_probability: FloatArray) -> FloatArray:
    """Compute log(-log(1 - p)), which is near log p for a small p."""
    with np.errstate(divide="ignore", under="ignore", invalid="ignore"):
        small = np.exp(np.minimum(log_probability, _HALF))
        # -log(1 - p) = p (1 + p/2 + ...): the factor is taken apart, so that p itself may be 0 in floating point
        factor = np.where(small > 1e-8, -np.log1p(-small) / small, 1.0 + 0.5 * small)
        large = np.log(-np.log(-np.expm1(np.maximum(log_probability, _HALF))))
        return np.asarray(np.where(log_probability > _HALF, large, log_probability + np.log(factor)))


def _log_tries(tries: float) -> float:
    if not is_number(tries) or not 1 <= tries < math.inf:
        raise ValueError(f"tries is {tries!r}: it is a number of samples, at least 1.")
    return math.log(tries)


def _checked(log_probability: ArrayLike) -> FloatArray:
    values = real_array("log_probability", log_probability)
    if np.isnan(values).any() or (values > 0.0).any():
        raise ValueError("log_probability holds numbers above 0 or NaN: pass natural logarithms of probabilities.")
    return values
