"""Degrees of freedom come from the strata and units that carry the variance, not from how many examples there are."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics import auc_difference, auc_measure, placements
from pytest_unlearn.statistics.auc.strata import layout

RNG = np.random.default_rng(0)


def two_classes(few=4, rest=396, share=160):
    """`share` of 400 forget examples against `few` controls, the others against `rest`."""
    strata, theirs = np.repeat([0, 1], [share, 400 - share]), np.repeat([0, 1], [few, rest])
    return {"forget_strata": strata, "control_strata": theirs}


def test_the_degrees_are_satterthwaites():
    forget, controls = RNG.normal(size=(2, 20)), RNG.normal(size=(2, 15))
    strata = {"forget_strata": np.repeat([0, 1], [20, 10]), "control_strata": np.repeat([0, 1], [12, 15])}
    forget, controls = np.r_[forget[0], forget[1, :10]], np.r_[controls[0, :12], controls[1]]
    measure = auc_measure(forget, controls, **strata)
    parts = []
    for first, second, share in (((0, 20), (0, 12), 2 / 3), ((20, 30), (12, 27), 1 / 3)):
        v10, v01 = placements(forget[slice(*first)], controls[slice(*second)])
        parts += [(share**2 * v.var(ddof=1) / v.size, v.size - 1 if v.size < 20 else math.inf) for v in (v10, v01)]
    variance = sum(part for part, _ in parts)
    expected = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    assert measure.variance == pytest.approx(variance, rel=1e-12)
    # Few units never count for less than exchangeable ones, or than those of all strata do.
    assert 0.6 * expected < measure.degrees < 1.2 * expected
    half = stats.t.ppf(0.95, measure.degrees) * math.sqrt(measure.variance + measure.missing)
    logit = half / (measure.value * (1 - measure.value))
    assert measure.at(0.95).high == pytest.approx(1 / (1 + (1 / measure.value - 1) * math.exp(-logit)), rel=1e-12)


def test_many_single_examples_in_one_stratum_are_sure():
    for labels in ({}, {"forget_strata": np.zeros(30), "control_strata": np.zeros(25)}):
        measure = auc_measure(RNG.normal(size=30), RNG.normal(size=25), **labels)
        assert (measure.degrees, measure.missing) == (math.inf, 0.0)


@pytest.mark.parametrize(("few", "degrees"), [(4, 4.5), (3, 3.0), (2, 1.5), (1, 1.5)])
def test_a_class_of_few_controls_leaves_few_degrees(few, degrees):
    labels = two_classes(few)
    for _ in range(20):
        measure = auc_measure(RNG.normal(size=400), RNG.normal(size=few + 396), **labels)
        assert 1.0 <= measure.degrees <= degrees
        rows = RNG.normal(size=(3, 400)), RNG.normal(size=(3, few + 396))
        paired = auc_difference(RNG.normal(size=400), RNG.normal(size=few + 396), *rows, **labels)
        assert few == 1 or 1.0 <= paired.degrees <= 4 * degrees


def test_controls_that_look_alike_by_luck_hand_no_weight_to_surer_classes():
    forget, controls = RNG.normal(size=400), RNG.normal(size=400)
    forget[:160] = np.linspace(-1, 1, 160)
    controls[:4] = 0.0  # the median of their class, all of them
    measure = auc_measure(forget, controls, **two_classes())
    assert measure.variance < 0.001
    assert measure.variance + measure.missing > 0.4**2 / 12 / 4
    assert measure.degrees < 4


def test_a_small_class_of_little_weight_costs_little():
    measure = auc_measure(RNG.normal(size=400), RNG.normal(size=400), **two_classes(4, 396, share=8))
    assert measure.degrees > 100


def test_many_classes_of_one_control_pool_their_degrees():
    strata, theirs = np.repeat(np.arange(50), 8), np.arange(50)
    labels = {"forget_strata": strata, "control_strata": theirs}
    design = layout(400, 50, strata, theirs)
    # 50 single controls with a degree each, and 400 forget examples with 7 a class, of variance 3/16 a control's.
    control, forget = 1 + 0.5 / 8, 1 / 8 + 0.5 / 8
    assert design.null_degrees == pytest.approx(50 * (control + forget) ** 2 / (control**2 + forget**2 / 7))
    measure = auc_measure(RNG.normal(size=400), RNG.normal(size=50), **labels)
    assert 25 < measure.degrees < 100


def test_people_of_unequal_size_are_fewer_than_they_seem():
    sizes = np.array([1, 2, 3, 10, 4, 5])
    groups = np.repeat(np.arange(6), sizes)
    side = layout(groups.size, 30, forget_groups=groups).forget
    w = sizes / sizes.sum()
    assert side.effective[0] == pytest.approx(1 / np.sum(w**2))
    assert side.degrees[0] == pytest.approx(np.sum(w**2) ** 2 / np.sum(w**4) - 1)
    # The expected share of the variance of the mean that squared deviations of totals show, person by person.
    expected = sum(w[g] ** 2 * ((1 - w[g]) ** 2 + sum(w[h] ** 2 for h in range(6) if h != g)) for g in range(6))
    assert side.shown[0] == pytest.approx(6 / 5 * expected / np.sum(w**2))


def test_people_of_equal_size_are_as_many_as_they_are():
    side = layout(120, 30, forget_groups=np.arange(120) % 30).forget
    assert (side.effective[0], side.degrees[0], side.shown[0]) == pytest.approx((30, 29, 1))


@pytest.mark.parametrize("strata", [1, 3])
def test_a_person_in_several_classes_is_one_person(strata):
    groups = np.repeat(np.arange(30), 6)
    labels = {"forget_strata": np.arange(180) % strata, "control_strata": np.arange(180) % strata}
    apart = auc_measure(*RNG.normal(size=(2, 180)), **labels, forget_groups=groups, control_groups=groups + 30)
    both = auc_measure(*RNG.normal(size=(2, 180)), **labels, forget_groups=groups, control_groups=groups)
    assert 29 < apart.degrees <= 58 + 1e-9
    assert both.degrees == pytest.approx(29)


def test_what_unequal_people_do_not_show_is_added():
    groups = np.repeat(np.arange(5), [1, 1, 1, 1, 30])
    measure = auc_measure(RNG.normal(size=34), RNG.normal(size=200), forget_groups=groups)
    assert measure.missing > 2 * measure.forget_variance  # the largest moves the mean with it
    assert measure.degrees < 1.1
