"""The AUC relative to references: what is paired cancels, what is not known stays in the interval."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import auc, auc_difference
from tests.published.delong import delong_covariance


def test_the_value_is_the_excess_over_the_references_mean():
    rng = np.random.default_rng(0)
    f, c, rf, rc = rng.normal(1, 1, 30), rng.normal(size=40), rng.normal(size=(3, 30)), rng.normal(size=(3, 40))
    expected = 0.5 + auc(f, c) - np.mean([auc(a, b) for a, b in zip(rf, rc, strict=True)])
    assert auc_difference(f, c, rf, rc).value == pytest.approx(expected, abs=1e-14)


def test_one_reference_gives_the_paired_delong_interval():
    rng = np.random.default_rng(0)
    f, c = rng.normal(1, 1, 300), rng.normal(size=400)
    rf, rc = rng.normal(size=300) + f, rng.normal(size=400) + c
    estimate = auc_difference(f, c, [rf], [rc]).at(0.95)
    v = delong_covariance([f, rf], [c, rc])
    half = 1.6448536269514722 * math.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])
    assert estimate.high - estimate.value == pytest.approx(half, rel=1e-9)
    assert estimate.value - estimate.low == pytest.approx(half, rel=1e-9)


def test_difficulty_shared_with_the_references_cancels():
    rng = np.random.default_rng(1)
    f, c = 3 * rng.normal(size=200), 3 * rng.normal(size=200)
    near = auc_difference(f, c, f + 0.1 * rng.normal(size=(1, 200)), c + 0.1 * rng.normal(size=(1, 200))).at(0.95)
    far = auc_difference(f, c, 3 * rng.normal(size=(1, 200)), 3 * rng.normal(size=(1, 200))).at(0.95)
    assert near.high - near.low < 0.5 * (far.high - far.low)


@pytest.mark.parametrize(("n", "half"), [(50, 0.0513), (500, 0.00538)])
def test_a_model_equal_to_its_reference_still_has_a_width(n, half):
    f, c = np.arange(n) * 1.0, np.arange(n) + 0.5
    estimate = auc_difference(f, c, [f], [c]).at(0.95)
    assert estimate.value == 0.5
    assert estimate.high - 0.5 == pytest.approx(math.sqrt(2) * half, rel=0.01)
    assert 0.5 - estimate.low == pytest.approx(math.sqrt(2) * half, rel=0.01)


def test_references_that_disagree_widen_the_interval():
    rng = np.random.default_rng(2)
    f, c = rng.normal(size=400), rng.normal(size=400)
    steady, shaky = np.zeros((4, 1)), np.array([[-0.8], [-0.2], [0.3], [0.9]])
    rf, rc = f + 0.3 * rng.normal(size=(4, 400)), c + 0.3 * rng.normal(size=(4, 400))
    narrow = auc_difference(f, c, rf + steady, rc).at(0.95)
    wide = auc_difference(f, c, rf + shaky, rc).at(0.95)
    spread = np.var([auc(a, b) for a, b in zip(rf + shaky, rc, strict=True)], ddof=1) / 4
    assert wide.high - wide.value > 1.6448 * math.sqrt(spread) > narrow.high - narrow.value


def test_the_result_stays_on_the_scale_of_an_auc():
    f, c = np.arange(40) + 100.0, np.arange(40.0)
    estimate = auc_difference(f, c, [-f], [c]).at(0.95)
    assert estimate.value == estimate.high == 1.0
    assert 0.0 <= estimate.low < 1.0


def test_strata_and_groups_are_honoured():
    rng = np.random.default_rng(3)
    strata, groups = np.tile([0, 1], 50), np.repeat(np.arange(25), 4)
    f, c = 10 * strata + rng.normal(size=100), 10 * strata + rng.normal(size=100)
    rf, rc = np.zeros((1, 100)), np.zeros((1, 100))
    stratified = auc_difference(f, c, rf, rc, forget_strata=strata, control_strata=strata)
    expected = np.mean([auc(f[strata == s], c[strata == s]) for s in (0, 1)])
    assert stratified.value == pytest.approx(expected)
    clones = np.repeat(rng.normal(size=25), 4)
    plain = auc_difference(clones, c, rf, rc).at(0.95)
    grouped = auc_difference(clones, c, rf, rc, forget_groups=groups).at(0.95)
    assert grouped.high - grouped.low > 1.3 * (plain.high - plain.low)


def test_a_single_unit_bounds_nothing():
    estimate = auc_difference([1.0], [0.0, 1.0, 2.0], [[1.0]], [[0.0, 1.0, 2.0]]).at(0.95)
    assert (estimate.low, estimate.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("rf", "rc", "says"),
    [
        (np.zeros(3), np.zeros((1, 4)), r"reference_forget must have shape \(references, 3\)"),
        (np.zeros((1, 2)), np.zeros((1, 4)), "reference_forget has 2 examples"),
        (np.zeros((2, 3)), np.zeros((1, 4)), "pass the same ones"),
        (np.zeros((0, 3)), np.zeros((0, 4)), "reference_forget is empty"),
        (np.full((1, 3), np.nan), np.zeros((1, 4)), "not finite"),
    ],
)
def test_references_that_do_not_match_are_refused(rf, rc, says):
    with pytest.raises(ValueError, match=says):
        auc_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], rf, rc)


@pytest.mark.parametrize(
    ("m", "n", "k", "shift", "seed_spread"),
    [(100, 100, 4, 0.0, 0.0), (200, 1000, 4, 0.5, 0.0), (200, 1000, 4, 0.0, 0.1), (200, 1000, 2, 0.0, 0.1)],
)
def test_each_bound_covers_at_least_nearly_its_confidence(m, n, k, shift, seed_spread):
    rng = np.random.default_rng(0)
    tau, simulations = 1.5, 500
    truth = special.ndtr(shift / math.sqrt(2 * (1 + tau**2)))
    held = np.zeros(2)
    for _ in range(simulations):
        hard_f, hard_c = rng.normal(0, tau, m), rng.normal(0, tau, n)
        seeds = seed_spread * rng.normal(size=(k, 1))
        estimate = auc_difference(
            hard_f + shift + rng.normal(size=m),
            hard_c + rng.normal(size=n),
            hard_f + seeds + rng.normal(size=(k, m)),
            hard_c + rng.normal(size=(k, n)),
        ).at(0.95)
        held += estimate.low <= truth, estimate.high >= truth
    assert np.all(held / simulations >= 0.925)  # .95 less 2.5 standard errors
    assert np.all(held / simulations <= 0.985)
