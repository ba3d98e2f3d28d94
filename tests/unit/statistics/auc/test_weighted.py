"""A weighted AUC is that of controls under the forget set's law, and never surer than its weights."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import auc, auc_measure, effective_size, weighted_auc


def shifted(rng, n, by=1.0, leak=0.0):
    """Forget examples of N(by, 1) and controls of N(0, 1), whose score is where they lie; a leak adds to the former."""
    forget, controls = rng.normal(by, 1, n), rng.normal(0, 1, n)
    return forget + leak, controls, np.exp(by * controls)


@pytest.mark.parametrize("leak", [0.0, 0.5, 1.0])
def test_weights_take_the_shift_away_and_leave_the_leak(leak):
    forget, controls, odds = shifted(np.random.default_rng(0), 200_000, leak=leak)
    assert auc(forget, controls) > 0.75
    found = weighted_auc(forget, controls, odds)
    assert found.value == pytest.approx(special.ndtr(leak / math.sqrt(2)), abs=0.01)
    assert found.at(0.999).low < special.ndtr(leak / math.sqrt(2)) < found.at(0.999).high


def test_equal_weights_are_delongs():
    rng = np.random.default_rng(1)
    forget, controls = rng.normal(0.3, 1, 40), rng.normal(0, 1, 70)
    plain, found = auc_measure(forget, controls), weighted_auc(forget, controls, np.full(70, 3.0))
    assert found.value == pytest.approx(plain.value)
    assert found.variance == pytest.approx(plain.variance)
    assert found.effective == pytest.approx(70)


def test_whole_weights_are_repetitions_and_make_nobody_surer():
    rng = np.random.default_rng(2)
    forget, controls, times = rng.normal(0, 1, 30), rng.normal(0, 1, 20), rng.integers(0, 4, 20)
    found = weighted_auc(forget, controls, times)
    assert found.value == pytest.approx(auc(forget, np.repeat(controls, times)))
    assert found.variance > weighted_auc(forget, np.repeat(controls, times), np.ones(times.sum())).variance
    assert found.effective < 20


def test_ties_count_one_half():
    assert weighted_auc([1.0, 1.0], [1.0, 0.0], [3.0, 1.0]).value == pytest.approx(0.625)


def test_copies_in_a_group_are_one_witness():
    rng = np.random.default_rng(3)
    forget, controls, weights = rng.normal(0.5, 1, 25), rng.normal(0, 1, 25), rng.uniform(0.5, 2, 25)
    once, ids = weighted_auc(forget, controls, weights), np.repeat(np.arange(25), 4)
    four = [np.repeat(part, 4) for part in (forget, controls, weights)]
    grouped = weighted_auc(*four, forget_groups=ids, control_groups=ids)
    assert grouped.variance == pytest.approx(once.variance)
    assert grouped.at(0.95).low == pytest.approx(once.at(0.95).low)
    assert weighted_auc(*four).variance < once.variance / 2


def test_one_control_that_carries_all_the_weight_shows_nothing():
    found = weighted_auc([1.0, 2.0, 3.0], [0.0, 5.0, 6.0], [1.0, 0.0, 0.0]).at(0.95)
    assert (found.low, found.high) == (0.0, 1.0)
    assert "too few" in found.method


def test_full_separation_is_no_certainty():
    high = weighted_auc([2.0] * 5, [1.0] * 5, np.ones(5)).at(0.95)
    assert (high.value, high.high) == (1.0, 1.0)
    assert high.low == pytest.approx(0.05 ** (1 / 5))
    low = weighted_auc([0.0] * 5, [1.0] * 5, np.ones(5)).at(0.95)
    assert low.high == pytest.approx(1 - 0.05 ** (1 / 5))


@pytest.mark.parametrize(
    ("weights", "sentence"), [([1.0], "one number"), ([1.0, -1.0], "at least 0"), ([0.0, 0.0], "some above")]
)
def test_weights_that_are_none_are_refused(weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        weighted_auc([1.0, 2.0], [1.0, 2.0], weights)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="forget_groups must hold one label"):
        weighted_auc([1.0, 2.0], [1.0, 2.0], [1.0, 1.0], forget_groups=[1])


def test_the_effective_size_of_a_shift_is_known():
    _, _, odds = shifted(np.random.default_rng(4), 200_000, by=0.5)
    assert effective_size(odds) / 200_000 == pytest.approx(math.exp(-0.25), abs=0.02)
