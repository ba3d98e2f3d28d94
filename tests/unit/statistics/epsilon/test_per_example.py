"""What is proven of single examples: never more than stated where laws are equal."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics import distinguishable_examples, epsilon_examples, epsilon_of_rates


def laws(models, examples, shift=0.0, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(models, examples)) + shift, rng.normal(size=(2 * models, examples))


@pytest.mark.parametrize("models", [16, 64])
def test_equal_laws_are_rarely_refuted_alone_and_almost_never_together(models):
    found = [epsilon_examples(*laws(models, 300, seed=seed)) for seed in range(5)]
    assert np.mean([one.alone > 0 for one in found]) <= 0.05
    assert not any((one.together > 0).any() for one in found)
    assert not any(len(distinguishable_examples(*laws(models, 300, seed=seed))[1]) for seed in range(20))


@pytest.mark.parametrize("shift", [-30.0, 30.0])
def test_without_an_error_the_bound_is_that_of_the_rates(shift):
    found = epsilon_examples(*laws(64, 10, shift=shift))
    assert found.alone == pytest.approx(np.full(10, epsilon_of_rates(32, 32, 0, 64, 0.95, 1e-5)))
    assert found.together == pytest.approx(np.full(10, epsilon_of_rates(32, 32, 0, 64, 0.995, 1e-5)))
    assert found.ceiling == pytest.approx(found.together[0])


@pytest.mark.parametrize("scale", [0.02, 50.0])
def test_a_law_of_another_width_is_found_as_well(scale):
    assert (epsilon_examples(*laws(64, 10, scale=scale)).together > 0).all()


def test_the_bound_stays_below_the_true_epsilon():
    # A coin of .8 against one of .2: epsilon is log 4 at most, with delta 0.
    rng = np.random.default_rng(0)
    ours, theirs = (rng.random((200, 500)) < share for share in (0.8, 0.2))
    found = epsilon_examples(ours, theirs, delta=0.0)
    assert np.mean(found.alone > np.log(4)) <= 0.05
    assert (found.together <= np.log(4)).all()
    assert (found.alone > 0.3).mean() > 0.9


def test_examples_told_apart_in_nearly_every_model_are_named():
    ours, theirs = laws(16, 200)
    ours[:, [3, 70]] += 8
    ours[:, 5] -= 8
    auc, named = distinguishable_examples(ours, theirs)
    assert named.tolist() == [3, 5, 70]
    assert auc[[3, 5, 70]].tolist() == [1.0, 0.0, 1.0]


def test_two_sets_of_examples_are_refused():
    with pytest.raises(ValueError, match="pass the same ones"):
        epsilon_examples(np.zeros((4, 2)), np.zeros((4, 3)))


@pytest.mark.parametrize("kind", [0, 1], ids=["unlearned", "retrained"])
def test_what_only_the_first_half_of_the_models_shows_proves_nothing(kind):
    pair = list(laws(64, 50))
    pair[kind][: len(pair[kind]) // 2] += 30
    assert np.mean(epsilon_examples(*pair).alone > 0) <= 0.05
