"""The band of a few references: Student's t in closed form, its coverage by simulation, and what it never claims."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics import band, p_value

REFERENCES = [0.1, -0.3, 0.25, 0.05]


@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.999])
def test_the_bounds_are_those_of_student_for_one_further_observation(confidence):
    known = np.array(REFERENCES)
    half = stats.t.ppf(confidence, df=3) * stats.sem(known) * math.sqrt(len(known) + 1)
    estimate = band(0.7, REFERENCES, n_forget=5, n_controls=7).at(confidence)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (0.7 - known.mean(), 0.7 - known.mean() - half, 0.7 - known.mean() + half)
    )
    assert (estimate.n_forget, estimate.n_controls, estimate.confidence) == (5, 7, confidence)


def test_the_p_value_is_that_of_the_t_statistic():
    known = np.array(REFERENCES)
    t = (2.0 - known.mean()) / (known.std(ddof=1) * math.sqrt(1 + 1 / len(known)))
    assert p_value(band(2.0, REFERENCES), 0.0, "high") == pytest.approx(stats.t.sf(t, df=3), rel=1e-4)
    assert p_value(band(2.0, REFERENCES), 0.0, "low") == 1.0


def test_as_an_auc_it_is_that_of_two_normal_laws_so_far_apart():
    shift = 1.3
    stated = band(shift + np.mean(REFERENCES), REFERENCES, as_auc=True).at(0.95)
    plain = band(shift + np.mean(REFERENCES), REFERENCES).at(0.95)
    draws = np.random.default_rng(0).normal(size=(2, 200_000))
    assert stated.value == pytest.approx((draws[0] + shift > draws[1]).mean(), abs=0.004)
    assert [stated.low, stated.high] == pytest.approx(stats.norm.cdf(np.array([plain.low, plain.high]) / math.sqrt(2)))
    assert band(np.mean(REFERENCES), REFERENCES, as_auc=True).value == pytest.approx(0.5)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_a_further_model_of_the_same_law_lies_within_each_bound_as_often_as_stated(count):
    draws = np.random.default_rng(count).normal(3.0, 0.2, size=(4000, count + 1))
    estimates = [band(row[0], row[1:]).at(0.95) for row in draws]
    error = math.sqrt(0.95 * 0.05 / len(draws))
    for covered in ([one.low <= 0 for one in estimates], [one.high >= 0 for one in estimates]):
        assert np.mean(covered) == pytest.approx(0.95, abs=4 * error)


@pytest.mark.parametrize("as_auc", [False, True])
def test_one_reference_is_never_certain_of_anything(as_auc):
    measure = band(1e6, [0.0], as_auc=as_auc)
    estimate = measure.at(0.95)
    assert (estimate.low, estimate.high) == ((0.0, 1.0) if as_auc else (-math.inf, math.inf))
    assert "single reference" in estimate.method
    assert p_value(measure, 0.55, "high") == 1.0


def test_equal_references_span_no_band_unless_they_are_only_known_so_finely():
    sure = band(0.3, [0.2, 0.2, 0.2]).at(0.95)
    assert [sure.low, sure.value, sure.high] == pytest.approx([0.1] * 3, abs=1e-12)
    floored = band(0.3, [0.2, 0.2, 0.2], least_spread=0.5).at(0.95)
    assert floored.high - floored.value == pytest.approx(stats.t.ppf(0.95, 2) * 0.5 * math.sqrt(4 / 3))


def test_the_floor_under_the_spread_leaves_wider_bands_alone():
    assert band(1.0, REFERENCES, least_spread=1e-3).at(0.95) == band(1.0, REFERENCES).at(0.95)


@pytest.mark.parametrize(
    ("number", "references", "says"),
    [
        (math.nan, REFERENCES, "number must be finite"),
        (math.inf, REFERENCES, "number must be finite"),
        (0.0, [0.0, math.nan], "references holds 1 values that are not finite"),
        (0.0, [], "references is empty"),
        (0.0, [[0.0, 1.0]], "one dimension"),
    ],
)
def test_what_is_no_number_is_refused(number, references, says):
    with pytest.raises(ValueError, match=says):
        band(number, references)


@pytest.mark.parametrize("confidence", [0.5, 1.0, 0.0])
def test_a_confidence_that_bounds_nothing_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        band(0.0, REFERENCES).at(confidence)
