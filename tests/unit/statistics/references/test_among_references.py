"""A model beside several references: hand-computed distances, and bounds that err as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics import among_references, shift


def test_the_shift_is_the_total_variation_distance_beyond_the_references_own():
    theirs = np.array([np.repeat([0, 1], 50), np.repeat([0, 1], [60, 40]), np.repeat([0, 1], [40, 60])])
    found = shift(np.zeros(100, dtype=int), theirs, np.zeros(100))
    assert found.ours == pytest.approx(0.5)
    assert found.theirs == pytest.approx([0.0, 0.15, 0.15])
    assert found.differences.mean() == pytest.approx(0.5 - 0.1)
    swapped = shift(theirs[0], theirs[1:], np.arange(100) % 2)
    assert swapped.differences.mean() == pytest.approx(swapped.ours - swapped.theirs.mean())


def test_a_further_model_lies_beyond_its_bound_as_often_as_claimed_and_the_mean_too():
    for further in (False, True):
        beyond = []
        for seed in range(600):
            rng = np.random.default_rng(seed)
            shared, effects = rng.normal(0, 0.001, 400), rng.normal(0, 0.1, 5)
            ours = shared + (effects[4] if further else 0.0)
            gap = ours - (shared + effects[:4].mean())
            beyond.append(among_references(gap, effects[:4], further=further, sparse=False).at(0.95).low > 0)
        assert 0.005 < np.mean(beyond) < 0.075


def test_one_reference_does_not_vary_and_is_refused():
    with pytest.raises(ValueError, match="two references or more"):
        among_references(np.zeros(5), [0.5], further=False, sparse=False)
    with pytest.raises(ValueError, match="two references or more"):
        shift(np.zeros(5, dtype=int), np.zeros((1, 5), dtype=int), np.zeros(5))


def test_a_retrained_model_s_expected_shift_is_exactly_zero():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(2000):
        models = rng.integers(0, 3, (5, 12))
        found.append(shift(models[0], models[1:], np.arange(12) % 2).differences.mean())
    assert abs(np.mean(found)) <= 3 * np.std(found) / np.sqrt(len(found))
