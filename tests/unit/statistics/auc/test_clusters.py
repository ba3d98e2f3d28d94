"""Examples that come in groups, on a side or on both: Obuchowski's variance, and what must stay uncertain."""

import math

import numpy as np
import pytest

from pytest_unlearn.statistics import accuracy_gap, auc_difference, auc_measure, can_certify


def wins(forget, controls):
    """The pairs that the forget example wins, ties counting one half: one row a forget example."""
    return np.array([[float(f > c) + 0.5 * float(f == c) for c in controls] for f in forget])


def obuchowski(kernel, forget_groups, control_groups):
    """The variance of the mean of a kernel over all pairs, summed group by group as Obuchowski 1997 writes it."""
    m, n = kernel.shape
    mean = kernel.mean()
    everyone = sorted({*forget_groups, *control_groups})
    ours, theirs = dict.fromkeys(everyone, 0.0), dict.fromkeys(everyone, 0.0)
    for i, group in enumerate(forget_groups):
        ours[group] += sum(kernel[i, j] for j in range(n)) / n - mean
    for j, group in enumerate(control_groups):
        theirs[group] += sum(kernel[i, j] for i in range(m)) / m - mean
    first, second, both = len(set(forget_groups)), len(set(control_groups)), len(everyone)
    s10 = first / ((first - 1) * m) * sum(x**2 for x in ours.values())
    s01 = second / ((second - 1) * n) * sum(y**2 for y in theirs.values())
    s11 = both / (both - 1) * sum(ours[group] * theirs[group] for group in everyone)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def clustered(seed, people=12, on_both=6, size=4):
    """Scores with an effect of each person, some ties, and whose they are; `on_both` people are on both sides."""
    rng = np.random.default_rng(seed)
    ours = np.repeat(np.arange(people), rng.integers(1, size + 1, people))
    theirs = np.repeat(np.arange(people - on_both, 2 * people - on_both), rng.integers(1, size + 1, people))
    effect = rng.normal(size=2 * people)
    forget = np.round(0.3 + effect[ours] + rng.normal(size=ours.size), 1)
    controls = np.round(effect[theirs] + rng.normal(size=theirs.size), 1)
    return forget, controls, ours, theirs


@pytest.mark.parametrize("on_both", [0, 1, 6, 12])
@pytest.mark.parametrize("seed", range(3))
def test_the_variance_is_obuchowskis(seed, on_both):
    forget, controls, ours, theirs = clustered(seed, on_both=on_both)
    measure = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    expected = obuchowski(wins(forget, controls), ours, theirs)
    assert measure.variance == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert (measure.covariance == 0.0) is (on_both == 0)


@pytest.mark.parametrize("seed", range(3))
def test_the_variance_of_a_difference_to_references_is_obuchowskis_for_the_difference_of_wins(seed):
    forget, controls, ours, theirs = clustered(seed)
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2, forget.size)), rng.normal(size=(2, controls.size))
    measure = auc_difference(forget, controls, *rows, forget_groups=ours, control_groups=theirs)
    kernel = wins(forget, controls) - (wins(rows[0][0], rows[1][0]) + wins(rows[0][1], rows[1][1])) / 2
    variance = sum(variance for variance, _ in measure.sides) + 2 * measure.covariance
    assert variance == pytest.approx(obuchowski(kernel, ours, theirs), rel=1e-12)


def test_the_variance_of_a_gap_in_accuracy_is_obuchowskis_for_the_difference_of_answers():
    forget, controls, ours, theirs = clustered(0)
    right, known = forget > 0, controls > 0
    measure = accuracy_gap(right, known, forget_groups=ours, control_groups=theirs)
    kernel = right[:, None].astype(float) - known[None, :]
    variance = sum(variance for variance, _ in measure.sides) + 2 * measure.covariance
    assert variance == pytest.approx(obuchowski(kernel, ours, theirs), rel=1e-12)


def test_it_does_not_matter_which_side_is_called_which():
    forget, controls, ours, theirs = clustered(0)
    one = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    other = auc_measure(-controls, -forget, forget_groups=theirs, control_groups=ours)
    assert other.value == pytest.approx(one.value)
    assert other.variance == pytest.approx(one.variance, rel=1e-12)


@pytest.mark.parametrize("stratified", [False, True])
def test_groups_of_one_change_nothing(stratified):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=40), rng.normal(size=90)
    strata = {"forget_strata": np.arange(40) % 3, "control_strata": np.arange(90) % 4} if stratified else {}
    alone = {"forget_groups": np.arange(40), "control_groups": 40 + np.arange(90)}
    plain, grouped = auc_measure(forget, controls, **strata), auc_measure(forget, controls, **strata, **alone)
    for name in type(plain).__slots__:
        assert getattr(grouped, name) == pytest.approx(getattr(plain, name), rel=1e-12), name
    rows = rng.normal(size=(3, 40)), rng.normal(size=(3, 90))
    without, with_groups = (auc_difference(forget, controls, *rows, **strata, **g).at(0.95) for g in ({}, alone))
    assert (with_groups.low, with_groups.high) == pytest.approx((without.low, without.high), rel=1e-12)


def test_clones_of_controls_count_once():
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=300), rng.normal(size=40)
    plain = auc_measure(forget, controls)
    cloned = auc_measure(forget, np.repeat(controls, 5), control_groups=np.repeat(np.arange(40), 5))
    assert cloned.control_variance == pytest.approx(plain.control_variance)
    assert cloned.forget_variance == pytest.approx(plain.forget_variance)
    assert (cloned.n_controls, cloned.control_units, cloned.units) == (200, 40, 300)
    assert cloned.null_error == pytest.approx(plain.null_error)


def test_groups_within_strata_add_up_stratum_by_stratum():
    parts = [clustered(seed, on_both=0) for seed in range(3)]
    forget, controls = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    ours, theirs = (np.concatenate([100 * k + part[side] for k, part in enumerate(parts)]) for side in (2, 3))
    strata, others = (np.repeat(np.arange(3), [part[side].size for part in parts]) for side in (2, 3))
    measure = auc_measure(
        forget, controls, forget_strata=strata, control_strata=others, forget_groups=ours, control_groups=theirs
    )
    shares = [part[0].size / forget.size for part in parts]
    expected = sum(w**2 * obuchowski(wins(f, c), g, h) for w, (f, c, g, h) in zip(shares, parts, strict=True))
    assert measure.variance == pytest.approx(expected, rel=1e-12)


def test_controls_of_other_strata_bring_no_groups():
    forget, controls, ours, theirs = clustered(0)
    measure = auc_measure(
        forget,
        np.r_[controls, 9.0, 9.0],
        forget_strata=np.zeros(forget.size),
        control_strata=np.r_[np.zeros(controls.size), 1, 1],
        forget_groups=ours,
        control_groups=np.r_[theirs, 500, 501],
    )
    plain = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    assert measure.control_units == plain.control_units == 12
    assert measure.variance == pytest.approx(plain.variance, rel=1e-12)


def test_groups_may_have_names():
    forget, controls, ours, theirs = clustered(0)
    numbered = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    named = auc_measure(
        forget, controls, forget_groups=[f"person {i}" for i in ours], control_groups=[f"person {i}" for i in theirs]
    )
    assert named.variance == pytest.approx(numbered.variance, rel=1e-12)


@pytest.mark.parametrize("measure", [auc_measure, accuracy_gap])
def test_control_groups_of_another_length_are_refused(measure):
    with pytest.raises(ValueError, match="control_groups must hold one label for each of 2 examples"):
        measure([1.0, 0.0], [1.0, 0.0], control_groups=[0, 1, 2])


@pytest.mark.parametrize(("ours", "theirs"), [(None, [7] * 30), ([7] * 30, None), ([7] * 30, [7] * 30)])
def test_a_single_group_on_a_side_bounds_nothing(ours, theirs):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=30), rng.normal(size=30)
    groups = {"forget_groups": ours, "control_groups": theirs}
    rows = rng.normal(size=(2, 30)), rng.normal(size=(2, 30))
    for measure in (
        auc_measure(forget, controls, **groups),
        auc_measure(forget + 99, controls, **groups),
        auc_difference(forget, controls, *rows, **groups),
        accuracy_gap(forget > 0, controls > 0, **groups),
        accuracy_gap(forget > 0, controls > 0, rows[0] > 0, rows[1] > 0, **groups),
    ):
        estimate = measure.at(0.95)
        assert (estimate.low, estimate.high) == (0.0, 1.0)
        assert "undefined" in estimate.method


def test_a_few_people_among_the_controls_use_students_t_and_cannot_certify():
    rng = np.random.default_rng(0)
    forget, controls, theirs = rng.normal(size=500), rng.normal(size=500), np.arange(500) % 10
    assert auc_measure(forget, controls).at(0.95).method == "logit-DeLong"
    assert auc_measure(forget, controls, control_groups=theirs).at(0.95).method == "logit-DeLong, t"
    assert can_certify(0.55, 0.95, 500, 500)
    assert not can_certify(0.55, 0.95, 500, 500, control_groups=theirs)


@pytest.mark.parametrize(("on_both", "pairs"), [(0, 12), (12, 6), (4, 10)])
def test_perfect_separation_is_bounded_by_pairs_without_a_common_person(on_both, pairs):
    ours = np.repeat(np.arange(12), 3)
    theirs = np.repeat(np.arange(12 - on_both, 24 - on_both), 3)
    estimate = auc_measure(np.arange(36) + 99.0, np.arange(36.0), forget_groups=ours, control_groups=theirs).at(0.95)
    assert estimate.low == pytest.approx(0.05 ** (1 / pairs))
    assert estimate.high == 1.0


def test_a_control_person_who_fills_a_stratum_still_counts_as_uncertain():
    rng = np.random.default_rng(0)
    strata = np.repeat(np.arange(10), 5)
    controls = rng.normal(size=10)[strata] + 0.01 * rng.normal(size=50)
    theirs = np.tile(np.arange(10), 200)
    measure = auc_measure(
        rng.normal(size=2000), controls, forget_strata=theirs, control_strata=strata, control_groups=strata
    )
    assert math.sqrt(measure.control_variance) > 0.05


@pytest.mark.parametrize("people", [5, 30, 300])
def test_people_whose_two_sides_cancel_still_leave_a_width(people):
    # Each person's forget example scores as that person's control does: the AUC is 1/2 whoever was asked to delete.
    scores, groups = np.random.default_rng(0).normal(size=people), np.arange(people)
    both = {"forget_groups": groups, "control_groups": groups}
    measure = auc_measure(scores, scores, **both)
    assert measure.variance == pytest.approx(0.0, abs=1e-15)
    rows = np.zeros((1, people)), np.zeros((1, people))
    for estimate in (measure.at(0.95), auc_difference(scores, scores, *rows, **both).at(0.95)):
        assert estimate.value == 0.5
        assert estimate.high >= 1 - 0.5 * 0.05 ** (1 / people) - 1e-12
        assert estimate.low <= 0.5 * 0.05 ** (1 / people) + 1e-12
        assert estimate.high < 0.7 or people < 20


@pytest.mark.slow
def test_no_grouping_makes_a_variance_negative():
    rng = np.random.default_rng(0)
    for _ in range(300):
        m, n, people = rng.integers(2, 12, 3)
        forget, controls = np.round(rng.normal(size=m)), np.round(rng.normal(size=n))
        labels = {
            "forget_strata": rng.integers(0, 2, m),
            "control_strata": np.r_[0, 1, rng.integers(0, 3, n - 2)],
            "forget_groups": rng.integers(0, people, m),
            "control_groups": rng.integers(0, people, n),
        }
        measure = auc_measure(forget, controls, **labels)
        assert not measure.variance < 0.0
        rows = rng.normal(size=(2, m)), rng.normal(size=(2, n))
        for any_measure in (
            measure,
            auc_difference(forget, controls, *rows, **labels),
            accuracy_gap(forget > 0, controls > 0, rows[0] > 0, rows[1] > 0, **labels),
        ):
            estimate = any_measure.at(0.95)
            assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0
            assert estimate.low < estimate.high


def test_a_person_who_fills_a_stratum_makes_no_more_than_one_pair_there():
    # Four examples of one person and four controls in the first class; in the second a single control. The first has
    # two thirds of the weight.
    estimate = auc_measure(
        np.arange(6) + 99.0,
        np.arange(5.0),
        forget_strata=[0, 0, 0, 0, 1, 1],
        control_strata=[0, 0, 0, 0, 1],
        forget_groups=[0, 0, 0, 0, 1, 2],
    ).at(0.95)
    assert estimate.low == pytest.approx(0.05 ** (1 / 1.5))
