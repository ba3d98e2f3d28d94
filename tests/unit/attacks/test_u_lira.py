"""U-LiRA: closed forms for known laws, and an exact method at a half."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.attack import Pairing, auc_of_scores
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.u_lira import Shadow, unlearning_lira, unlearning_lira_scores
from pytest_unlearn.statistics import auc, over_models
from tests.unit.attacks.gaussian import answers

PLAIN = Pairing()
attack = partial(unlearning_lira, logit_scaled_confidence)


def world(rng, examples, runs, leak, drawn=None, effect=0.0):
    """Statistics of each run's model: a level each example, `leak` more where requested; `effect` of the method on all.

    Returns unlearned and original statistics, (runs, examples), and who was requested.
    """
    level = rng.normal(0, 3, size=examples)
    requested = rng.random((runs, examples)) < 0.5 if drawn is None else drawn
    unlearned = level + effect + rng.normal(size=(runs, examples)) + leak * requested
    original = level + rng.normal(size=(runs, examples)) + 2.0 * requested
    return unlearned, original, requested


@pytest.mark.parametrize("runs", [9, 33])
def test_with_many_runs_it_is_as_good_as_knowing_the_laws(runs):
    unlearned, _, requested = world(np.random.default_rng(0), 20_000, runs, 1.5)
    scores = unlearning_lira_scores(unlearned[0], unlearned[1:], unlearned[1:], requested[1:])
    found = auc(scores[requested[0]], scores[~requested[0]])
    oracle = norm.cdf(1.5 / 2**0.5)
    assert found < oracle + 0.01
    assert found > oracle - (0.05 if runs == 9 else 0.015)


@pytest.mark.slow
@pytest.mark.parametrize("null", ["unlearned", "never trained"])
@pytest.mark.parametrize("effect", [0.0, 5.0])
def test_an_exact_method_is_at_a_half_and_its_interval_covers(null, effect):
    # `effect` is what the method does to every model: the null that never met it is far off, for all examples alike
    rng = np.random.default_rng(0)
    values, covered = [], []
    for _ in range(40):
        unlearned, original, requested = world(rng, 200, 8, 0.0, effect=effect)
        measures = []
        for k in range(8):
            mine, order = requested[k], np.r_[np.flatnonzero(requested[k]), np.flatnonzero(~requested[k])]
            shadows = [
                Shadow(
                    unlearned=answers(unlearned[j][mine], unlearned[j][~mine]),
                    original=answers(original[j][mine], original[j][~mine]),
                    requested=requested[j][order],
                )
                for j in range(8)
                if j != k
            ]
            target = answers(unlearned[k][mine], unlearned[k][~mine])
            measures.append(auc_of_scores(attack(shadows, null, target, [], PLAIN), PLAIN))
        estimate = over_models(measures, same_examples=False).at(0.95)
        values.append(estimate.value)
        covered.append((estimate.low <= 0.5, estimate.high >= 0.5))
    assert np.mean(values) == pytest.approx(0.5, abs=3 * np.std(values) / 40**0.5)
    assert (np.mean(covered, axis=0) >= 0.85).all()


def test_balanced_requests_would_bias_it():
    # complementary pairs: who is requested in this run is in fewer of the other runs' requests
    rng = np.random.default_rng(0)
    values = []
    for _ in range(60):
        half = rng.random((3, 400)) < 0.5
        unlearned, _, requested = world(rng, 400, 6, 0.0, drawn=np.concatenate([half, ~half]))
        scores = unlearning_lira_scores(unlearned[0], unlearned[1:], unlearned[1:], requested[1:])
        values.append(auc(scores[requested[0]], scores[~requested[0]]))
    assert abs(np.mean(values) - 0.5) > 0.02


def test_an_example_that_all_runs_requested_or_none_is_not_scored():
    rng = np.random.default_rng(0)
    drawn = rng.random((5, 50)) < 0.5
    drawn[:, 0], drawn[:, 1] = True, False
    unlearned, _, requested = world(rng, 50, 5, 1.0, drawn=drawn)
    scores = unlearning_lira_scores(unlearned[0], unlearned, unlearned, requested)
    assert (scores[:2] == 0.0).all()
    assert (scores[2:] != 0.0).any()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="do not go with requests"):
        unlearning_lira_scores(np.zeros(3), np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((3, 3), dtype=bool))
