"""The AUC's interval: strata, groups, and the degenerate inputs that make a naive gate certify anything."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import auc, auc_measure, null_standard_error, placements
from tests.published.delong import delong_variance

RNG = np.random.default_rng(0)


def bounds(measure, confidence=0.95):
    estimate = measure.at(confidence)
    return estimate.low, estimate.high


def test_the_interval_is_the_logit_delong_one():
    forget, controls = RNG.normal(0.5, 1, 40), RNG.normal(0, 1, 60)
    a, error = auc(forget, controls), math.sqrt(delong_variance(forget, controls))
    half = 1.6448536269514722 * error / (a * (1 - a))
    estimate = auc_measure(forget, controls).at(0.95)
    assert estimate.low == pytest.approx(special.expit(special.logit(a) - half), abs=1e-12)
    assert estimate.high == pytest.approx(special.expit(special.logit(a) + half), abs=1e-12)
    assert (estimate.method, estimate.n_forget, estimate.n_controls) == ("logit-DeLong", 40, 60)


def test_strata_are_weighted_by_their_forget_examples():
    # a: 3 > 2 and 1 < 2 -> 1/2; b: 5 beats 4 but not 6, 7 beats both -> 3/4, and one forget example alone in c: 1
    forget, forget_strata = [3.0, 1.0, 5.0, 7.0, 9.0], ["a", "a", "b", "b", "c"]
    controls, control_strata = [2.0, 4.0, 6.0, 8.0, 8.5], ["a", "b", "b", "c", "c"]
    measure = auc_measure(forget, controls, forget_strata=forget_strata, control_strata=control_strata)
    assert measure.value == pytest.approx((2 * 0.5 + 2 * 0.75 + 1 * 1.0) / 5)


def test_the_stratified_variance_sums_the_weighted_strata():
    m, n = (30, 50), (40, 20)
    forget = [RNG.normal(c, 1, k) for c, k in enumerate(m)]
    controls = [RNG.normal(0.5 * c, 1, k) for c, k in enumerate(n)]
    measure = auc_measure(
        np.concatenate(forget),
        np.concatenate(controls),
        forget_strata=np.repeat([0, 1], m),
        control_strata=np.repeat([0, 1], n),
    )
    parts = [delong_variance(f, c) for f, c in zip(forget, controls, strict=True)]
    assert measure.variance == pytest.approx((30 / 80) ** 2 * parts[0] + (50 / 80) ** 2 * parts[1], rel=1e-12)


def test_a_stratum_of_one_borrows_the_overall_variance():
    forget, strata = np.array([0.1, 0.9, 2.0, 3.0, 0.4]), np.array([0, 0, 0, 0, 1])
    controls, theirs = np.array([0.0, 0.5, 1.0, 2.5, 0.2, 0.6]), np.array([0, 0, 0, 0, 1, 1])
    v10 = np.concatenate([placements(forget[:4], controls[:4])[0], placements(forget[4:], controls[4:])[0]])
    measure = auc_measure(forget, controls, forget_strata=strata, control_strata=theirs)
    expected = (4 / 5) ** 2 * v10[:4].var(ddof=1) / 4 + (1 / 5) ** 2 * v10.var(ddof=1)
    assert measure.forget_variance == pytest.approx(expected, rel=1e-12)
    assert measure.control_variance > 0


def test_controls_of_other_strata_are_ignored_and_not_counted():
    forget, controls = RNG.normal(size=30), RNG.normal(size=50)
    strata, theirs = np.zeros(30, int), np.zeros(50, int)
    plain = auc_measure(forget, controls)
    padded = auc_measure(
        forget,
        np.concatenate([controls, np.full(7, 99.0)]),
        forget_strata=strata,
        control_strata=np.concatenate([theirs, np.ones(7, int)]),
    )
    for name in type(plain).__slots__:
        assert getattr(padded, name) == pytest.approx(getattr(plain, name), rel=1e-13), name


def test_a_forget_stratum_without_controls_is_named():
    with pytest.raises(ValueError, match="no control in stratum 3, 7"):
        auc_measure([1, 2, 3], [1, 2], forget_strata=[0, 3, 7], control_strata=[0, 1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"forget_strata": [0, 0]}, "together"),
        ({"forget_strata": [0], "control_strata": [0, 0]}, "forget_strata must hold one label"),
        ({"forget_strata": [0, 0], "control_strata": [0]}, "control_strata must hold one label"),
        ({"forget_groups": [0, 1, 2]}, "forget_groups must hold one label"),
    ],
)
def test_labels_that_do_not_fit_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        auc_measure([1.0, 2.0], [1.0, 2.0], **arguments)


@pytest.mark.parametrize("confidence", [0.5, 1.0, 0.0, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        auc_measure([1.0, 2.0], [1.0, 3.0]).at(confidence)


@pytest.mark.parametrize("n", [2, 30, 1000])
def test_constant_scores_certify_nothing(n):
    measure = auc_measure(np.full(n, 0.1 + 0.2), np.full(n, 0.1 + 0.2))
    assert measure.value == 0.5
    assert bounds(measure) == (0.0, 1.0)


def test_all_tied_within_each_of_several_strata_certifies_nothing():
    strata = np.repeat([0, 1, 2], 30)
    measure = auc_measure(strata / 7, strata / 7, forget_strata=strata, control_strata=strata)
    assert bounds(measure) == (0.0, 1.0)


def test_half_tied_scores_keep_a_width():
    scores = np.concatenate([np.zeros(50), RNG.normal(size=50)])
    low, high = bounds(auc_measure(scores, np.concatenate([np.zeros(50), RNG.normal(size=50)])))
    assert 0.3 < low < 0.48
    assert 0.52 < high < 0.7


def test_one_constant_side_widens_by_what_it_may_not_have_shown():
    # A model that is certain of every forget example: the leak must stay visible, the bound must not be exact.
    controls = np.concatenate([np.full(10, 1.0), RNG.random(90)])
    estimate = auc_measure(np.full(300, 1.0), controls).at(0.95)
    assert estimate.value == 0.95
    assert 0.85 < estimate.low < 0.93
    assert estimate.high < 1.0
    assert estimate.method.endswith("one side tied")
    few = auc_measure(np.full(3, 0.5), np.concatenate([np.zeros(500), np.ones(500)]))
    assert bounds(few)[1] - bounds(few)[0] > 0.5


@pytest.mark.parametrize(("m", "n", "pairs"), [(5, 50, 5), (40, 8, 8), (20, 20, 20)])
def test_perfect_separation_is_bounded_by_the_independent_pairs(m, n, pairs):
    above = auc_measure(np.arange(m) + 100.0, np.arange(n))
    below = auc_measure(np.arange(m) - 100.0, np.arange(n))
    assert bounds(above) == pytest.approx((0.05 ** (1 / pairs), 1.0))
    assert bounds(below) == pytest.approx((0.0, 1 - 0.05 ** (1 / pairs)))


def test_a_stratum_of_few_pairs_may_hide_every_loss():
    # 40% of the forget set against four controls, which by luck are all below it: with an AUC of 3/4 there and 1
    # elsewhere every eighth model looks like this, so .9 must not be excluded.
    strata, theirs = np.repeat([0, 1], [40, 60]), np.repeat([0, 1], [4, 60])
    labels = {"forget_strata": strata, "control_strata": theirs}
    low, _ = bounds(auc_measure(np.arange(100) + 100.0, np.arange(64), **labels))
    assert low == pytest.approx(0.05 ** (1 / 10))
    rng, excluded, apart = np.random.default_rng(0), 0, 0
    for _ in range(400):
        forget = np.r_[np.zeros(40), np.full(60, 9.0)] + 1e-3 * rng.random(100)
        controls = np.r_[np.where(rng.random(4) < 0.75, -1.0, 1.0), np.zeros(60)]
        estimate = auc_measure(forget, controls, **labels).at(0.95)
        apart += estimate.value == 1.0
        excluded += estimate.low > 0.9
    assert apart > 80
    assert excluded <= 30  # 5% and two and a half standard errors


def test_pairs_are_counted_within_strata_and_by_group():
    forget, controls = np.arange(6) + 100.0, np.arange(6.0)
    strata, theirs = [0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 1, 1]
    by_stratum = auc_measure(forget, controls, forget_strata=strata, control_strata=theirs)
    by_group = auc_measure(forget, controls, forget_groups=[0, 0, 0, 0, 1, 1])
    # The first stratum has two thirds of the weight and one pair, which says no more than 1.5 pairs over all would.
    assert bounds(by_stratum)[0] == pytest.approx(0.05 ** (1 / 1.5))
    assert bounds(by_group)[0] == pytest.approx(0.05 ** (1 / 2))


@pytest.mark.parametrize(
    ("forget", "controls", "groups"),
    [([0.4], np.arange(50.0), None), (np.arange(50.0), [20.5], None), (np.arange(9.0), np.arange(9.0), [4] * 9)],
)
def test_a_single_unit_bounds_nothing(forget, controls, groups):
    assert bounds(auc_measure(forget, controls, forget_groups=groups)) == (0.0, 1.0)


def test_few_units_use_students_t():
    forget, controls = RNG.normal(size=8), RNG.normal(size=1000)
    few = auc_measure(forget, controls).at(0.95)
    assert few.method == "logit-DeLong, t"
    grouped = auc_measure(RNG.normal(size=80), controls, forget_groups=np.repeat(np.arange(8), 10)).at(0.95)
    assert grouped.method == "logit-DeLong, t"
    assert auc_measure(RNG.normal(size=20), controls).at(0.95).method == "logit-DeLong"


def test_a_tiny_variance_by_luck_does_not_certify():
    controls = np.linspace(0, 1, 1001)
    lucky = auc_measure([0.498, 0.5, 0.502], controls).at(0.95)
    assert lucky.high > 0.8
    assert lucky.low < 0.2


def test_groups_of_one_change_nothing_but_clones_widen_the_interval():
    forget, controls = RNG.normal(size=40), RNG.normal(size=500)
    plain = auc_measure(forget, controls)
    assert auc_measure(forget, controls, forget_groups=np.arange(40)).variance == pytest.approx(plain.variance)
    cloned = auc_measure(np.repeat(forget, 5), controls, forget_groups=np.repeat(np.arange(40), 5))
    assert cloned.forget_variance == pytest.approx(plain.forget_variance)
    assert cloned.n_forget == 200
    assert auc_measure(np.repeat(forget, 5), controls).forget_variance < 0.25 * plain.forget_variance


@pytest.mark.slow
@pytest.mark.parametrize("stratified", [False, True])
def test_the_grouped_variance_is_the_empirical_one(stratified):
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 4)
    strata = np.tile([0, 0, 1, 1], 40) if stratified else np.zeros(160, int)
    theirs = np.repeat([0, 1], 100) if stratified else np.zeros(200, int)
    values, claimed, naive = [], [], []
    for _ in range(800):
        forget = rng.normal(size=40)[groups] + 0.7 * rng.normal(size=160) + strata
        controls = 1.2 * rng.normal(size=200) + theirs
        labels = {"forget_strata": strata, "control_strata": theirs}
        measure = auc_measure(forget, controls, **labels, forget_groups=groups)
        values.append(measure.value)
        claimed.append(measure.variance)
        naive.append(auc_measure(forget, controls, **labels).variance)
    assert np.mean(claimed) == pytest.approx(np.var(values), rel=0.15)  # three standard errors
    assert np.mean(naive) < 0.7 * np.var(values)


def test_a_person_who_fills_a_stratum_still_counts_as_uncertain():
    strata = np.repeat(np.arange(10), 5)
    forget = RNG.normal(size=10)[strata] + 0.01 * RNG.normal(size=50)
    measure = auc_measure(
        forget,
        RNG.normal(size=2000),
        forget_strata=strata,
        control_strata=np.tile(np.arange(10), 200),
        forget_groups=strata,
    )
    assert math.sqrt(measure.forget_variance) > 0.05


def test_the_null_standard_error_is_the_one_of_exchangeable_scores():
    assert null_standard_error(30, 50) == pytest.approx(math.sqrt(81 / (12 * 30 * 50)))
    rng = np.random.default_rng(4)
    simulated = np.std([auc(rng.random(10), rng.random(15)) for _ in range(4000)])
    assert simulated == pytest.approx(null_standard_error(10, 15), rel=0.04)
    with pytest.raises(ValueError, match="n_controls"):
        null_standard_error(5, 0)


def test_the_stratified_null_standard_error_weights_the_strata():
    strata, theirs = np.repeat([0, 1], [10, 30]), np.repeat([0, 1, 2], [20, 15, 99])
    expected = math.sqrt((1 / 4) ** 2 * 31 / (12 * 200) + (3 / 4) ** 2 * 46 / (12 * 450))
    measure = auc_measure(range(40), range(134), forget_strata=strata, control_strata=theirs)
    assert measure.null_error == pytest.approx(expected)
