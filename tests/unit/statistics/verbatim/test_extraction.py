"""(n, p)-discoverable extraction: to 1e-12 of fifty digits, from certain texts down to a probability of 1e-300."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_unlearn.statistics.verbatim.extraction import (
    extraction_probability,
    is_extractable,
    log_extraction_probability,
    log_tries_needed,
    tries_needed,
)

mpmath = pytest.importorskip("mpmath")

EXACT = 1e-12
LOGS = [-math.log(10) * power for power in (1e-9, 1e-3, 0.1, 0.3, 0.302, 1, 3, 5, 8, 8.1, 12, 20, 50, 120, 200, 300)]
TRIES = [1, 2, 10, 1000, 10**6, 10**9, 1e20, 1e50, 1e120, 1e200, 1e300]


def exactly(log_probability: float, tries: float):
    """1 - (1 - p)^n, to fifty digits beyond those that cancel."""
    mpmath.mp.dps = 400
    p = mpmath.exp(mpmath.mpf(log_probability))
    return -mpmath.expm1(mpmath.mpf(tries) * mpmath.log1p(-p))


@pytest.mark.parametrize("log_probability", LOGS)
def test_the_probability_is_exact_for_every_number_of_tries(log_probability):
    for tries in TRIES:
        truth, found = exactly(log_probability, tries), float(extraction_probability(log_probability, tries))
        assert abs(found / truth - 1) <= EXACT
        if truth < 0.999:
            assert abs(log_extraction_probability(log_probability, tries) - mpmath.log(truth)) <= EXACT * 10


def test_the_smallest_probability_that_is_asked_for():
    # stated as p and n themselves, not as the float64 nearest to the logarithm of p
    mpmath.mp.dps = 400
    for power in (20, 100, 300):
        truth = -mpmath.expm1(mpmath.mpf(10) ** power * mpmath.log1p(-(mpmath.mpf(10) ** -power)))
        assert abs(float(extraction_probability(-power * math.log(10), 10.0**power)) / truth - 1) <= EXACT


def test_public_code_finds_nothing_where_two_thirds_are_extracted():
    p, n = 1e-20, 1e20
    assert 1.0 - ((1.0 - p) ** n) == 0.0
    assert extraction_probability(math.log(p), n) == pytest.approx(1 - math.exp(-1), rel=EXACT)


@pytest.mark.parametrize("log_probability", LOGS)
@pytest.mark.parametrize("probability", [1e-3, 0.5, 0.99])
def test_the_tries_are_its_inverse(log_probability, probability):
    mpmath.mp.dps = 400
    truth = mpmath.log1p(-mpmath.mpf(probability)) / mpmath.log1p(-mpmath.exp(mpmath.mpf(log_probability)))
    assert abs(log_tries_needed(log_probability, probability) - mpmath.log(truth)) <= EXACT
    tries = float(tries_needed(log_probability, probability))
    if truth < 1e9:
        assert tries == max(mpmath.ceil(truth * (1 - mpmath.mpf(EXACT))), 1)
    assert abs(tries - truth) <= 1 + EXACT * truth


def test_tries_are_whole_and_not_one_too_many():
    assert tries_needed(np.log([0.5, 0.1, 0.1]), 0.75).tolist() == [2, 14, 14]
    assert tries_needed(math.log(0.1), 0.19) == 2  # log1p(-.19) / log1p(-.1) is 2.0000000000000004
    assert tries_needed(math.log(0.9), 0.5) == 1


def test_longer_texts_than_any_float_are_ordered_by_logarithms():
    assert log_extraction_probability(-5000.0, 1e6) == pytest.approx(-5000 + 6 * math.log(10), rel=1e-14)
    assert extraction_probability(-5000.0, 1e6) == 0.0
    assert tries_needed(-5000.0, 0.5) == math.inf
    assert log_tries_needed(-5000.0, 0.5) == pytest.approx(5000 + math.log(math.log(2)), rel=1e-14)
    assert extraction_probability(-5000.0, 10**2171) == pytest.approx(
        -math.expm1(-math.exp(2171 * math.log(10) - 5000))
    )


def test_certain_and_impossible_texts():
    assert extraction_probability([0.0, -math.inf], 7).tolist() == [1.0, 0.0]
    assert log_extraction_probability([0.0, -math.inf], 7).tolist() == [0.0, -math.inf]
    assert tries_needed([0.0, -math.inf], 0.5).tolist() == [1.0, math.inf]
    assert is_extractable([0.0, -math.inf], 1e300, 0.5).tolist() == [True, False]


def test_a_text_is_extractable_from_the_number_of_tries_that_it_needs():
    logs = np.array([-3.0, -40.0, -690.0])
    needed = tries_needed(logs, 0.1)
    for log_probability, tries in zip(logs, needed, strict=True):
        assert is_extractable(log_probability, tries, 0.1)
        assert not is_extractable(log_probability, tries * 0.9 - 1.0 if tries < 100 else tries * 0.9, 0.1)


def test_sampling_agrees():
    rng = np.random.default_rng(0)
    seen = (rng.random((4000, 30)) < 0.05).any(axis=1).mean()
    assert extraction_probability(math.log(0.05), 30) == pytest.approx(seen, abs=4 * 0.5 / 4000**0.5)


@pytest.mark.parametrize("tries", [0, 0.5, -3, math.nan, math.inf, "many", True])
def test_other_tries_are_refused(tries):
    with pytest.raises(ValueError, match="number of samples, at least 1"):
        extraction_probability(-1.0, tries)


def test_probabilities_in_place_of_logarithms_are_refused():
    for wrong in (0.5, [math.nan], "text"):
        with pytest.raises(ValueError, match="log_probability"):
            extraction_probability(wrong, 10)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        tries_needed(-1.0, 1.0)
