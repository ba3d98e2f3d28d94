"""Simulations with people who leave several examples: bounds cover where both sides are clustered, and only there."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import accuracy_gap, auc_difference, auc_measure

pytestmark = pytest.mark.slow
BOTH, APART, FORGET, NONE = "both sides", "both sides, nobody on both", "forget side only", "no groups"


def groupings(ours, theirs):
    """What may be known of whose the examples are."""
    return {
        BOTH: {"forget_groups": ours, "control_groups": theirs},
        APART: {"forget_groups": ours, "control_groups": theirs + 10**6},
        FORGET: {"forget_groups": ours},
        NONE: {},
    }


def people(first, each, second, others, *, on_both):
    """Whose `each` examples of `first` forget people and `others` of `second` control people are."""
    return np.repeat(np.arange(first), each), np.repeat(np.arange(second) + (0 if on_both else first), others)


def effects(rng, ours, theirs, sign):
    """A normal effect of each person on its examples, on the controls with `sign`."""
    effect = rng.normal(size=max(ours.max(), theirs.max()) + 1)
    return effect[ours], sign * effect[theirs]


def coverage(ours, theirs, known, *, shift=0.0, sign=1.0, simulations=800):
    """How often the lower and the upper 95% bound of the AUC hold, for each of some groupings."""
    rng = np.random.default_rng(0)
    within = np.mean(ours[:, None] == theirs[None, :])  # pairs of one person, whose effect cancels
    truth = (1 - within) * special.ndtr(shift / 2) + within * special.ndtr(shift / math.sqrt(2))
    held = {name: np.zeros(2) for name in known}
    for _ in range(simulations):
        forget, controls = effects(rng, ours, theirs, sign)
        forget, controls = forget + shift + rng.normal(size=ours.size), controls + rng.normal(size=theirs.size)
        for name in known:
            estimate = auc_measure(forget, controls, **groupings(ours, theirs)[name]).at(0.95)
            held[name] += estimate.low <= truth, estimate.high >= truth
    return [held[name] / simulations for name in known]


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_both_bounds_cover_where_both_sides_are_clustered(shift):
    (held,) = coverage(*people(40, 4, 40, 4, on_both=False), [BOTH], shift=shift)
    assert np.all((held >= 0.93) & (held <= 0.97))  # .95 give or take two and a half standard errors


def test_whoever_ignores_the_groups_of_the_controls_is_too_sure():
    ours, theirs = people(100, 3, 50, 8, on_both=False)
    clustered, ignored, plain = coverage(ours, theirs, [BOTH, FORGET, NONE])
    assert np.all((clustered >= 0.93) & (clustered <= 0.97))
    assert np.all(ignored < 0.9)
    assert np.all(plain < 0.85)


def test_people_on_both_sides_whose_effect_cancels_narrow_the_interval():
    clustered, apart = coverage(*people(60, 4, 60, 4, on_both=True), [BOTH, APART])
    assert np.all((clustered >= 0.93) & (clustered <= 0.97))
    assert np.all(apart > 0.99)


def test_people_on_both_sides_whose_effect_adds_up_widen_the_interval():
    # As of a model that was made worse on what people deleted the better it had known them.
    ours, theirs = people(60, 4, 60, 4, on_both=True)
    clustered, apart, plain = coverage(ours, theirs, [BOTH, APART, NONE], sign=-1.0)
    assert np.all((clustered >= 0.93) & (clustered <= 0.97))
    assert np.all(apart < 0.92)
    assert np.all(plain < 0.85)


def test_some_people_on_both_sides_are_covered_too():
    ours, theirs = np.repeat(np.arange(60), 4), np.repeat(np.arange(30, 90), 4)
    (held,) = coverage(ours, theirs, [BOTH])
    assert np.all((held >= 0.93) & (held <= 0.97))


@pytest.mark.parametrize("on_both", [False, True])
@pytest.mark.parametrize("count", [4, 12])
def test_a_handful_of_people_does_not_undercover(count, on_both):
    (held,) = coverage(*people(count, 4, count, 4, on_both=on_both), [BOTH], simulations=300)
    assert np.all(held >= 0.93)


def test_stratified_bounds_cover_with_people_on_both_sides():
    rng = np.random.default_rng(0)
    ours, theirs = people(60, 4, 60, 4, on_both=True)
    labels = {"forget_strata": np.arange(240) % 3, "control_strata": (np.arange(240) * 7 + 1) % 3}
    held = np.zeros(2)
    for _ in range(500):
        forget, controls = effects(rng, ours, theirs, 1.0)
        forget = forget + rng.normal(size=240) + 2 * labels["forget_strata"]
        controls = controls + rng.normal(size=240) + 2 * labels["control_strata"]
        estimate = auc_measure(forget, controls, **labels, **groupings(ours, theirs)[BOTH]).at(0.95)
        held += estimate.low <= 0.5, estimate.high >= 0.5
    assert np.all((held / 500 >= 0.92) & (held / 500 <= 0.98))  # three standard errors


@pytest.mark.parametrize(("on_both", "sign"), [(False, 1.0), (True, 1.0), (True, -1.0)])
def test_the_difference_to_references_covers_where_both_sides_are_clustered(on_both, sign):
    rng = np.random.default_rng(0)
    ours, theirs = people(100, 3, 100, 8, on_both=on_both)
    held = {BOTH: np.zeros(2), NONE: np.zeros(2)}
    for _ in range(300):
        easy = rng.normal(size=ours.size), rng.normal(size=theirs.size)  # to every model, and seeds differ little
        own = effects(rng, ours, theirs, sign)
        scores = [e + p + 0.5 * rng.normal(size=e.size) for e, p in zip(easy, own, strict=True)]
        rows = [e + 0.2 * rng.normal(size=(4, e.size)) for e in easy]
        for name, counts in held.items():
            estimate = auc_difference(*scores, *rows, **groupings(ours, theirs)[name]).at(0.95)
            counts += estimate.low <= 0.5, estimate.high >= 0.5
    assert np.all(held[BOTH] / 300 >= 0.91)  # .95 less three standard errors
    cancels = on_both and sign > 0  # then no side is taken to be surer than its people can be
    assert cancels or np.all(held[BOTH] / 300 <= 0.985)
    assert cancels or np.all(held[NONE] / 300 < 0.9)


def test_the_gap_in_accuracy_does_not_undercover_where_both_sides_are_clustered():
    rng = np.random.default_rng(0)
    ours, theirs = people(60, 4, 60, 4, on_both=False)
    held = {BOTH: np.zeros(2), NONE: np.zeros(2)}
    for _ in range(400):
        answers = [e + rng.normal(size=e.size) > -1.0 for e in effects(rng, ours, theirs, 1.0)]
        for name, counts in held.items():
            estimate = accuracy_gap(*answers, **groupings(ours, theirs)[name]).at(0.95)
            counts += estimate.low <= 0.5, estimate.high >= 0.5
    assert np.all(held[BOTH] / 400 >= 0.93)
    assert np.all(held[NONE] / 400 < 0.9)
