"""Placements, the AUC and DeLong's covariance agree with brute force, with pROC and with closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from pytest_unlearn.statistics import auc, placements
from tests.published.delong import delong_covariance, delong_variance

tied_scores = hnp.arrays(np.float64, st.integers(1, 12), elements=st.integers(0, 3).map(float))
ASAH_POOR = np.repeat(np.arange(5.0), [2, 12, 1, 8, 18])  # pROC's aSAH data: the wfns grade by outcome
ASAH_GOOD = np.repeat(np.arange(5.0), [37, 20, 3, 8, 4])


def pairwise(forget, controls):
    difference = forget[:, None] - controls[None, :]
    return (difference > 0) + 0.5 * (difference == 0)


@given(forget=tied_scores, controls=tied_scores)
def test_placements_equal_the_pairwise_count_under_heavy_ties(forget, controls):
    v10, v01 = placements(forget, controls)
    wins = pairwise(forget, controls)
    np.testing.assert_allclose(v10, wins.mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(v01, wins.mean(axis=0), atol=1e-15)
    assert auc(forget, controls) == pytest.approx(wins.mean(), abs=1e-14)


@settings(max_examples=50)
@given(data=st.data(), k=st.integers(1, 3), m=st.integers(2, 9), n=st.integers(2, 9))
def test_the_covariance_equals_the_one_of_pairwise_placements(data, k, m, n):
    elements = st.integers(0, 4).map(float)
    forget = data.draw(hnp.arrays(np.float64, (k, m), elements=elements))
    controls = data.draw(hnp.arrays(np.float64, (k, n), elements=elements))
    wins = np.stack([pairwise(f, c) for f, c in zip(forget, controls, strict=True)])
    expected = np.cov(wins.mean(axis=2)).reshape(k, k) / m + np.cov(wins.mean(axis=1)).reshape(k, k) / n
    np.testing.assert_allclose(delong_covariance(forget, controls), expected, atol=1e-14)


def test_the_value_and_variance_reproduce_proc_on_asah():
    assert auc(ASAH_POOR, ASAH_GOOD) == pytest.approx(0.8236788617886179, abs=1e-15)
    assert delong_variance(ASAH_POOR, ASAH_GOOD) == pytest.approx(0.0014699147088236264, abs=1e-15)


def test_the_variance_is_the_empirical_one_of_repeated_samples():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(1, 2, 60), rng.normal(0, 1, 90)) for _ in range(3000)]
    claimed = np.mean([delong_variance(f, c) for f, c in pairs])
    assert claimed == pytest.approx(np.var([auc(f, c) for f, c in pairs]), rel=0.08)


CLOSED_FORMS = {
    "unit shift of normals": (lambda r, n: (r.normal(1, 1, n), r.normal(0, 1, n)), 0.7602499),
    "normals of unequal spread": (lambda r, n: (r.normal(1, 2, n), r.normal(0, 1, n)), 0.6726396),
    "scale alone is invisible to a threshold": (lambda r, n: (r.normal(0, 2, n), r.normal(0, 1, n)), 0.5),
    "scale alone shows in the absolute value": (
        lambda r, n: (np.abs(r.normal(0, 2, n)), np.abs(r.normal(0, 1, n))),
        0.7048328,
    ),
    "exponential losses": (lambda r, n: (-r.exponential(1, n), -r.exponential(3, n)), 0.75),
    "randomised response, epsilon 1": (
        lambda r, n: (r.random(n) < special.expit(1), r.random(n) < special.expit(-1)),
        0.7310586,
    ),
    "Laplace mechanism, epsilon 1": (lambda r, n: (r.laplace(1, 1, n), r.laplace(0, 1, n)), 0.7240904),
    "Laplace mechanism, epsilon 2": (lambda r, n: (r.laplace(2, 1, n), r.laplace(0, 1, n)), 0.8646647),
    "correctness": (lambda r, n: (r.random(n) < 0.9, r.random(n) < 0.7), 0.6),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_auc_converges_to_its_closed_form(name):
    draw, expected = CLOSED_FORMS[name]
    forget, controls = draw(np.random.default_rng(1), 400_000)
    assert auc(forget, controls) == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize(("tau", "d"), [(1.0, 1.0), (2.0, 2.0)])
def test_knowing_each_examples_difficulty_is_worth_what_theory_says(tau, d):
    rng = np.random.default_rng(2)
    n, k = 200_000, 4
    hard_f, hard_c = rng.normal(0, tau, n), rng.normal(0, tau, n)
    forget, controls = rng.normal(hard_f + d, 1), rng.normal(hard_c, 1)
    offline_f = forget - rng.normal(hard_f, 1, (k, n)).mean(axis=0)
    offline_c = controls - rng.normal(hard_c, 1, (k, n)).mean(axis=0)
    assert auc(forget, controls) == pytest.approx(special.ndtr(d / math.sqrt(2 * (1 + tau**2))), abs=0.004)
    assert auc(forget - hard_f, controls - hard_c) == pytest.approx(special.ndtr(d / math.sqrt(2)), abs=0.004)
    assert auc(offline_f, offline_c) == pytest.approx(special.ndtr(d / math.sqrt(2 * (1 + 1 / k))), abs=0.004)


@pytest.mark.parametrize(
    ("forget", "controls", "says"),
    [
        ([], [1.0], "forget is empty"),
        ([1.0], [], "controls is empty"),
        ([1.0, math.nan], [1.0], "forget holds 1 values that are not finite"),
        ([1.0], [math.inf, -math.inf], "controls holds 2 values that are not finite"),
        ([[1.0]], [1.0], "one dimension"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(forget, controls, says):
    with pytest.raises(ValueError, match=says):
        placements(forget, controls)


def test_a_variance_needs_two_examples_on_each_side():
    with pytest.raises(ValueError, match="two examples on each side"):
        delong_variance([1.0], [0.0, 2.0])


def test_scores_of_different_attacks_are_not_paired_up():
    with pytest.raises(ValueError, match="pass the same scores"):
        delong_covariance(np.zeros((2, 5)), np.zeros((3, 5)))
