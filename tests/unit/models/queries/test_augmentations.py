"""Augmentations: the same for every model, and noise in proportion to the input."""

from __future__ import annotations

import numpy as np

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.core.evidence import Outputs
from pytest_unlearn.models.queries import Augmentations, Noise, inputs
from pytest_unlearn.models.query import Query
from tests.worlds.networks import mlp, noise_task, seeded

RNG = np.random.default_rng(0)
TRAIN = (RNG.normal(size=(40, 2, 3)).astype(np.float32), np.arange(40) % 2)
TEST = (RNG.normal(size=(40, 2, 3)).astype(np.float32), np.arange(40) % 2)
VIEW = UnlearningTask(Split(TRAIN, forget=np.arange(20), test=TEST), references=0).forget


class First:
    """Answers with the first two numbers of an input, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, rows, labels):
        self.asked += 1
        flat = np.asarray(rows).reshape(len(rows), -1).astype(float)
        return Outputs(logits=flat[:, :2], labels=np.asarray(labels))

    def share(self, key, make):
        return make()


answer = First()


def test_what_draws_nothing_is_asked_about_once():
    mirror, noise = First(), First()
    found = Augmentations(lambda rows, rng: rows[:, ::-1].copy(), queries=5)(None, VIEW, mirror)
    assert (found == found[:, :1]).all()
    Augmentations(queries=5)(None, VIEW, noise)
    assert (mirror.asked, noise.asked) == (1, 5)


def test_inputs_are_augmented_once_for_all_models_of_an_audit_and_again_in_the_next():
    draws, task = [], noise_task()

    def augment(rows, rng):
        draws.append(len(rows))
        return rows + rng.normal(size=rows.shape).astype(rows.dtype)

    query = Query(name="augmented", ask=Augmentations(augment, queries=3))
    for audits in (1, 2):
        audit = task.models.for_audit()
        found = [audit.of(seeded(mlp, seed)).ask(query, task.forget) for seed in range(4)]
        assert not np.array_equal(found[0], found[1])
        audit.end()
        assert len(draws) == 3 * audits


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
