"""The label-only attack: an interval that survives accuracies near 0 and 1, with and without references."""

import numpy as np
import pytest

from pytest_unlearn.statistics import accuracy_gap, auc, newcombe


def correct(right, n):
    return np.arange(n) < right


def test_it_is_the_auc_of_correctness_as_a_score():
    f, c = correct(45, 50), correct(70, 100)
    assert accuracy_gap(f, c).value == pytest.approx(auc(f, c)) == pytest.approx(0.6)


def test_plain_proportions_get_newcombes_interval_one_sided():
    estimate = accuracy_gap(correct(45, 50), correct(70, 100)).at(0.95)
    low, high = newcombe(45, 50, 70, 100, 0.90)
    assert (estimate.low, estimate.high) == pytest.approx((0.5 + low / 2, 0.5 + high / 2))
    assert estimate.method == "Newcombe"


def test_the_references_own_gap_is_subtracted():
    f, c = correct(45, 50), correct(70, 100)
    rf, rc = [correct(44, 50), correct(46, 50)], [correct(80, 100), correct(80, 100)]
    assert accuracy_gap(f, c, rf, rc).value == pytest.approx(0.5 + (0.2 - 0.1) / 2)


def test_strata_are_compared_class_by_class():
    f, fs = [1, 1, 1, 0], [0, 0, 0, 1]
    c, cs = [1, 0, 0, 0, 1], [0, 0, 1, 1, 2]
    gap = 0.75 * (1 - 0.5) + 0.25 * (0 - 0)
    measure = accuracy_gap(f, c, forget_strata=fs, control_strata=cs)
    assert measure.value == pytest.approx(0.5 + gap / 2)
    assert measure.at(0.95).n_controls == 4


@pytest.mark.parametrize("n", [50, 400])
@pytest.mark.parametrize("right", ["all", "none"])
def test_unanimous_answers_never_have_zero_width(n, right):
    values = np.full(n, right == "all")
    for references in ((), ([values], [values])):
        estimate = accuracy_gap(values, values, *references).at(0.95)
        assert estimate.value == 0.5
        z = 1.6448536269514722
        assert estimate.high - 0.5 >= 0.5 * z**2 / (n + z**2) * 0.999
        assert 0.5 - estimate.low >= 0.5 * z**2 / (n + z**2) * 0.999


def test_groups_of_clones_widen_the_interval():
    rng = np.random.default_rng(0)
    person = rng.random(30) < 0.7
    f, c, groups = np.repeat(person, 10), rng.random(1000) < 0.7, np.repeat(np.arange(30), 10)
    plain, grouped = accuracy_gap(f, c).at(0.95), accuracy_gap(f, c, forget_groups=groups).at(0.95)
    assert grouped.value == pytest.approx(plain.value)
    assert grouped.high - grouped.low > 2 * (plain.high - plain.low)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0.5, 1], [1, 0]), "correct_forget must hold 0"),
        (([0, 1], [1, 2]), "correct_controls must hold 0"),
        (([0, 1], [1, 0], [[1, 0]]), "together"),
        (([0, 1], [1, 0], [[1, 0]], [[1, 0], [1, 0]]), "pass the same ones"),
        (([0, 1], [1, 0], [[1, 0.5]], [[1, 0]]), "reference_correct_forget must hold 0"),
        (([0, 1], [1, 0], [1, 0], [[1, 0]]), "must have shape"),
        (([], [1, 0]), "empty"),
    ],
)
def test_other_inputs_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        accuracy_gap(*arguments)


def coverage(m, n, k, right_forget, right_controls, right_reference, simulations=1200):
    rng = np.random.default_rng(0)
    truth = 0.5 + (right_forget - right_controls) / 2
    held = np.zeros(2)
    for _ in range(simulations):
        rows = [rng.random((k, size)) < right_reference for size in (m, n)] if k else []
        estimate = accuracy_gap(rng.random(m) < right_forget, rng.random(n) < right_controls, *rows).at(0.95)
        held += estimate.low <= truth, estimate.high >= truth
    return held / simulations


@pytest.mark.parametrize(
    ("m", "n", "forget", "controls"),
    [(200, 200, 0.02, 0.02), (200, 200, 0.99, 0.95), (50, 500, 0.9, 0.8), (200, 200, 0.6, 0.5)],
)
def test_newcombe_bounds_cover_down_to_tiny_accuracies(m, n, forget, controls):
    held = coverage(m, n, 0, forget, controls, 0)
    assert np.all(held >= 0.93)
    assert np.all(held <= 0.98)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "n", "k", "forget", "controls", "reference"),
    [
        (200, 200, 4, 0.02, 0.02, 0.02),
        (200, 2000, 4, 0.02, 0.02, 0.0),
        (50, 500, 4, 0.9, 0.8, 0.8),
        (200, 1000, 1, 0.98, 0.95, 0.95),
    ],
)
def test_differences_in_differences_do_not_undercover(m, n, k, forget, controls, reference):
    assert np.all(coverage(m, n, k, forget, controls, reference) >= 0.94)


def test_a_plain_leak_of_labels_is_still_found_with_references():
    rng = np.random.default_rng(0)
    easy_f, easy_c = rng.random(300) < 0.8, rng.random(1500) < 0.8
    rows_f = [easy_f ^ (rng.random(300) < 0.05) for _ in range(4)]
    rows_c = [easy_c ^ (rng.random(1500) < 0.05) for _ in range(4)]
    estimate = accuracy_gap(np.ones(300), easy_c ^ (rng.random(1500) < 0.05), rows_f, rows_c).at(0.95)
    assert estimate.low > 0.55
