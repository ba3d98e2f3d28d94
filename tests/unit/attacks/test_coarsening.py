"""What one model's statistic looks like through another's ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.coarsening import coarsened, noise_between
from pytest_unlearn.attacks.signals import hinge_margin, logit_scaled_confidence
from pytest_unlearn.attacks.thresholds import reference_residual, revealed
from pytest_unlearn.core.evidence import Answers, Outputs

RNG = np.random.default_rng(0)
FINE, OTHER = RNG.normal(size=(2, 400))


def test_nothing_changes_where_the_pattern_has_no_ties():
    assert np.array_equal(coarsened(FINE, OTHER), FINE)


def test_all_ties_where_all_of_the_pattern_tie():
    assert np.ptp(coarsened(FINE, np.zeros(400))) == 0


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_a_rounded_pattern_leaves_as_many_levels_of_the_same_sizes(decimals):
    pattern = np.round(OTHER, decimals)
    found = coarsened(FINE, pattern)
    sizes = [np.unique(one, return_counts=True)[1] for one in (found, pattern)]
    assert sizes[0].tolist() == sizes[1].tolist()
    assert (np.diff(found[np.argsort(FINE)]) >= 0).all()


def test_a_statistic_seen_through_its_own_rounding_is_ordered_like_it():
    for rounded in (np.round(FINE, 1), np.clip(FINE, -0.5, 0.5), FINE > 0.3):
        assert np.array_equal(rankdata(coarsened(FINE, rounded)), rankdata(rounded))


def test_values_that_tie_stay_together():
    few = np.repeat([1.0, 2.0, 3.0, 4.0], 100)
    assert np.array_equal(coarsened(few, OTHER), few)
    assert len(np.unique(coarsened(few, np.repeat([0.0, 1.0], 200)))) == 2
    assert len(np.unique(coarsened(few, np.arange(400) >= 150))) == 2  # the cut falls within the second hundred


def test_sums_in_another_order_are_no_difference():
    pattern = np.repeat(np.arange(40.0), 10)
    noisy = pattern + 1e-15 * RNG.normal(size=400)
    assert np.array_equal(coarsened(FINE, noisy), coarsened(FINE, pattern))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="a pattern of 3 examples does not go with 2 values"):
        coarsened([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="pattern"):
        coarsened([1.0], [np.nan])


def answers(logits, labels, **rest):
    half = len(labels) // 2
    sides = {"forget": slice(half), "controls": slice(half, None)}
    return Answers(**{name: Outputs(logits=logits[s], labels=labels[s]) for name, s in sides.items()}, **rest)


@pytest.mark.parametrize("signal", [logit_scaled_confidence, hinge_margin])
def test_an_attack_sees_no_more_of_a_model_than_the_channel_shows(signal):
    labels, logits = RNG.integers(3, size=300), RNG.normal(size=(300, 3))
    logits[np.arange(150), labels[:150]] += 2
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rounded = np.log(np.maximum(np.round(exact, 1), 1e-12))
    reference = answers(RNG.normal(size=(300, 3)), labels)
    fine, coarse = answers(logits, labels), answers(rounded, labels)
    through = answers(logits, labels, channel=coarse)
    assert len(np.unique(np.concatenate(revealed(signal, through)))) < 60 < 300
    ties = [reference_residual(signal, one, [reference], Pairing()).tie_share for one in (fine, through, coarse)]
    assert ties[0] == 0 < ties[1]
    assert ties[1] == pytest.approx(ties[2], abs=0.03)


def test_noise_that_was_added_is_found_and_none_where_there_is_none():
    rng = np.random.default_rng(0)
    expected = rng.normal(size=50_000)
    values = expected + 0.5 * rng.normal(size=expected.size)
    noisy = values + rng.normal(size=expected.size)
    spread = np.sqrt(1.25)  # of values, whose normal scores have a spread of 1
    assert noise_between(values, noisy, expected) == pytest.approx(1 / spread, rel=0.03)
    assert noise_between(values, np.exp(noisy), expected) == pytest.approx(1 / spread, rel=0.03)
    assert noise_between(values, expected + 0.5 * rng.normal(size=expected.size), expected) == 0.0
    assert noise_between(noisy, values, expected) == 0.0
    assert noise_between(values, rng.normal(size=expected.size), expected) > 10.0
    assert noise_between(np.zeros(expected.size), noisy, expected) == 0.0
    assert noise_between(values, np.zeros(expected.size), expected) > 10.0
