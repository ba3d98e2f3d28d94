"""Forgetting quality: never less than the published grid finds, and the numbers that known laws give."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from pytest_unlearn.statistics import bins_of, example_epsilons, forgetting_quality, published_score


def laws(models, examples, shift=0.0, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(models, examples)) + shift, rng.normal(size=(models, examples))


def quality(models, examples, rules="both", **kwargs):
    return forgetting_quality(example_epsilons(*laws(models, examples, **kwargs), rules=rules), models)


def grid_epsilon(ours, theirs, delta=1e-5):
    """The published rules for one example, threshold by threshold: 100 a unit, and 400 left ones for each right one."""

    def best(positive, negative, inside):
        caught, accused = inside(positive).mean(axis=-1), inside(negative).mean(axis=-1)
        fpr, fnr = accused.ravel(), 1 - caught.ravel()
        if ((fpr == 0) & (fnr == 0)).any():
            return 50.0
        both = (fpr > 0) & (fnr > 0)
        fpr, fnr = fpr[both], fnr[both]
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.fmax(np.log(1 - delta - fpr) - np.log(fnr), np.log(1 - delta - fnr) - np.log(fpr))
        return max(0.0, *values) if len(values) else 0.0

    pooled = np.concatenate([ours, theirs])
    high, low = (ours, theirs) if np.median(ours) >= np.median(theirs) else (theirs, ours)
    t = np.linspace(pooled.min(), pooled.max(), max(2, int(100 * np.ptp(pooled))))[:, None]
    single = best(high, low, lambda law: law >= t)
    near, far = (ours, theirs) if np.ptp(ours) <= np.ptp(theirs) else (theirs, ours)
    if np.ptp(near) < 0.01 * np.ptp(far):
        return 50.0
    w = np.ptp(near)
    right = np.linspace(near.min() + w - 2, near.max() + 2, 400)
    left = np.array([np.linspace(r - w - 2, r - w + 2, 400) for r in right])[:, :, None]
    double = best(near, far, lambda law: (law >= left) & (law <= right[:, None, None]))
    return min(50.0, max(single, double))


@pytest.mark.parametrize("scale", [0.3, 1.0, 6.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_exact_thresholds_find_all_that_the_grid_finds_and_no_other_regions(scale, rounded):
    rng = np.random.default_rng(0)
    exact, grid = [], []
    for _ in range(8):
        ours, theirs = (
            scale * rng.normal(rng.choice([0, 0.5, 3]), rng.choice([0.2, 1.0, 3.0]), 8),
            scale * rng.normal(size=8),
        )
        if rounded:  # ties, and values exactly where the published thresholds are
            ours, theirs = np.round(ours, 1), np.round(theirs, 1)
        grid.append(grid_epsilon(ours, theirs))
        exact.append(example_epsilons(ours[:, None], theirs[:, None])[0])
    assert (np.array(exact) >= np.array(grid) - 1e-12).all()
    assert np.isclose(exact, grid).mean() >= 0.7  # a grid of 0.01 misses little between eight values


def test_the_reach_of_an_interval_is_two():
    # An interval that holds just the middle of the wide law would have to end 4.5 below the maximum of the narrow one.
    narrow, wide = np.array([0.0, 1, 9, 10])[:, None], np.array([-30.0, 4, 5, 40])[:, None]
    near = example_epsilons(narrow, wide)[0]
    assert near == pytest.approx(grid_epsilon(narrow[:, 0], wide[:, 0]))


def test_by_hand():
    # Six of eight above 0 against two of eight, all others between: the best threshold has FNR = FPR = 1/4, but t = 5
    # with FNR = 1/2, FPR = 1/8 is better: log((1 - 1/2 - d) / (1/8)).
    ours, theirs = np.array([5.0, 5, 5, 5, 1, 1, -1, -1]), np.array([5.0, 1, -1, -1, -1, -1, -1, -1])
    found = example_epsilons(ours[:, None], theirs[:, None], rules="single")
    assert found == pytest.approx([math.log((0.5 - 1e-5) / 0.125)])


def test_it_does_not_matter_which_law_is_called_unlearned():
    ours, theirs = laws(12, 40, shift=0.4, scale=1.3)
    assert example_epsilons(ours, theirs) == pytest.approx(example_epsilons(theirs, ours))
    assert example_epsilons(ours + 7, theirs + 7) == pytest.approx(example_epsilons(ours, theirs))


def test_laws_that_do_not_overlap_are_infinitely_far_and_count_fifty():
    ours, theirs = laws(6, 10, shift=100)
    assert (example_epsilons(ours, theirs) == 50).all()
    assert forgetting_quality([50.0, 50.0], 6) == 0.0
    assert (example_epsilons(ours * 0 + 1, theirs) == 50).all()  # a point against a law


def test_points_that_coincide_are_not_told_apart():
    same = np.ones((5, 3))
    assert (example_epsilons(same, same) == 0).all()
    assert (example_epsilons(same, same + 1e-9) == 50).all()


def test_laws_of_equal_median_are_taken_either_way_round():
    """f >= 1 holds 4 of 10 against 1 of 10, and both medians are 0: log((4/10) / (1/10))."""
    ours, theirs = (np.array([0.0] * 5 + [1.0] * ones + [-1.0] * (5 - ones))[:, None] for ones in (4, 1))
    for pair in ((ours, theirs), (theirs, ours)):
        assert example_epsilons(*pair, delta=0.0, rules="single") == pytest.approx([np.log(4)])


def test_a_law_a_hundred_times_narrower_counts_fifty_even_where_no_region_tells_them_apart():
    spike, wide = np.zeros((8, 1)), np.array([0, 0, 1, -1, 2, -2, 0.5, -0.5])[:, None]
    assert example_epsilons(spike, wide) == example_epsilons(wide, spike) == [50.0]
    almost = spike + 0.05 * np.arange(8)[:, None] / 7
    assert example_epsilons(almost, wide) < 50.0


def test_one_kind_of_error_alone_is_discarded():
    # t = 1 has no false positive but misses half, t = 0 misses none: the published rule sees no difference
    ours, theirs = np.array([1.0, 1, 0, 0])[:, None], np.array([0.0, 0, -1, -1])[:, None]
    assert example_epsilons(ours, theirs, rules="single") == pytest.approx([0.0])


@pytest.mark.parametrize("models", [16, 32, 64, 128])
def test_equal_gaussian_laws_score_a_fifth(models):
    assert 0.15 <= quality(models, 300) <= 0.215
    assert 0.28 <= quality(models, 300, rules="single") <= 0.40


def test_the_published_number_of_models_scores_no_more():
    found = example_epsilons(*laws(512, 60))
    assert 0.15 <= forgetting_quality(found, 512) <= 0.22  # 60 examples leave an error of 0.02
    assert 1.3 <= np.median(found) <= 1.7


@pytest.mark.slow
def test_over_more_examples_the_published_number_of_models_scores_as_published():
    assert 0.16 <= quality(512, 600) <= 0.21
    assert 0.29 <= quality(512, 600, rules="single") <= 0.40


@pytest.mark.parametrize(("change", "measured"), [({"shift": 1}, 0.018), ({"scale": 2}, 0.0033)])
def test_known_departures_score_what_the_grid_gave(change, measured):
    assert quality(512, 40, **change) == pytest.approx(measured, rel=0.35)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "measured"),
    [
        ({"shift": 0.25}, 0.133),
        ({"shift": 0.5}, 0.066),
        ({"shift": 1}, 0.018),
        ({"shift": 2}, 0.0015),
        ({"shift": 3}, 0.0005),
        ({"scale": 1.5}, 0.014),
        ({"scale": 2}, 0.0033),
        ({"scale": 4}, 0.0007),
    ],
)
def test_departures_over_more_examples(change, measured):
    assert quality(512, 300, **change) == pytest.approx(measured, rel=0.25)


def test_a_thousand_examples_take_seconds():
    pair = laws(64, 1000)
    started = time.process_time()
    example_epsilons(*pair)
    assert time.process_time() - started < 2.5


def test_the_published_bins():
    assert bins_of(512) == 14
    assert forgetting_quality([0.0, 0.49, 0.5, 1.2], 512) == pytest.approx((1 + 1 + 0.5 + 0.25) / 4)
    assert forgetting_quality([6.99, 7.0], 512) == pytest.approx(2.0**-13 / 2)


def test_the_published_score_multiplies_by_both_ratios():
    assert published_score(0.2, (0.9, 1.0), (0.88, 0.8)) == pytest.approx(0.2 * 0.9 * 1.1)
    with pytest.raises(ValueError, match="retained|test accuracies"):
        published_score(0.2, (0.9, 1.0), (0.88, 0.0))


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        (np.zeros((3, 5)), np.zeros((4, 5)), "3 unlearned models are too few"),
        (np.zeros((4, 5)), np.zeros((4, 6)), "pass the same ones"),
        (np.full((4, 5), np.nan), np.zeros((4, 5)), "not finite"),
        (np.zeros(4), np.zeros((4, 5)), r"shape \(models, examples\)"),
    ],
)
def test_what_makes_no_sense_is_refused(ours, theirs, says):
    with pytest.raises(ValueError, match=says):
        example_epsilons(ours, theirs)
