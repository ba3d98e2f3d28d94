"""Augmentations: the same for every model, and noise in proportion to the input."""

from __future__ import annotations

import numpy as np

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.core.evidence import Outputs
from pytest_unlearn.models.queries import Augmentations, Noise, inputs

RNG = np.random.default_rng(0)
TRAIN = (RNG.normal(size=(40, 2, 3)).astype(np.float32), np.arange(40) % 2)
TEST = (RNG.normal(size=(40, 2, 3)).astype(np.float32), np.arange(40) % 2)
VIEW = UnlearningTask(Split(TRAIN, forget=np.arange(20), test=TEST), references=0).forget


def answer(rows, labels):
    flat = np.asarray(rows).reshape(len(rows), -1).astype(float)
    return Outputs(logits=flat[:, :2], labels=np.asarray(labels))


def test_there_is_a_row_of_answers_for_each_query():
    found = Augmentations(queries=4)(None, VIEW, answer)
    assert found.shape == (20, 4, 2)
    assert len(np.unique(found[0, :, 0])) == 4


def test_every_model_is_asked_the_same():
    assert (Augmentations()(None, VIEW, answer) == Augmentations()(None, VIEW, answer)).all()
    assert (Augmentations(seed=1)(None, VIEW, answer) != Augmentations()(None, VIEW, answer)).any()


def test_an_augmentation_of_one_s_own_is_used():
    found = Augmentations(lambda rows, rng: rows[:, ::-1].copy(), queries=1)(None, VIEW, answer)
    assert np.allclose(found[:, 0], TRAIN[0][:20, ::-1].reshape(20, -1)[:, :2])


def test_noise_is_a_share_of_the_input_s_size_and_keeps_its_type():
    rows = np.ones((2, 5000), dtype=np.float32) * np.array([[1.0], [10.0]], dtype=np.float32)
    noise = Noise(0.3)(rows, np.random.default_rng(0)) - rows
    assert noise.dtype == np.float32
    assert np.allclose(noise.std(axis=1), [0.3, 3.0], rtol=0.05)


def test_inputs_are_flattened_and_thinned():
    assert (inputs(None, VIEW, None) == TRAIN[0][:20].reshape(20, -1)).all()
    wide = (RNG.normal(size=(6, 10_000)), np.zeros(6, dtype=int))
    other = (RNG.normal(size=(6, 10_000)), np.zeros(6, dtype=int))
    part = UnlearningTask(Split(wide, forget=[0, 1], test=other), references=0).forget
    assert inputs(None, part, None).shape == (2, 3334)
