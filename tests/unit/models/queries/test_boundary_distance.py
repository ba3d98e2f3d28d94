"""Boundary distances: known for a linear model, found by labels alone."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.core.evidence import Outputs
from pytest_unlearn.models.queries import BoundaryDistance

RNG = np.random.default_rng(7)  # not the seed of the directions, which would know the weights


def view(n=80, features=20, shape=None):
    inputs = RNG.normal(size=(n, features))
    inputs = inputs if shape is None else inputs.reshape(n, *shape)
    labels = (inputs.reshape(n, -1) @ WEIGHTS > 0.3).astype(int)
    test = (RNG.normal(size=inputs.shape), labels)
    return UnlearningTask(Split((inputs, labels), forget=np.arange(n // 2), test=test), references=0).forget


WEIGHTS = RNG.normal(size=20)


class Linear:
    """Reveals labels only, and counts how many it was asked for."""

    def __init__(self):
        self.asked = 0

    def __call__(self, inputs, labels):
        self.asked += len(inputs)
        positive = np.asarray(inputs).reshape(len(inputs), -1) @ WEIGHTS > 0.3
        return Outputs(logits=np.eye(2)[positive.astype(int)], labels=np.asarray(labels))


@pytest.mark.parametrize("shape", [None, (4, 5)])
def test_a_linear_model_s_distances_are_found_within_a_few_percent(shape):
    part, model = view(shape=shape), Linear()
    inputs = part.arrays()[0].reshape(len(part), -1)
    exact = np.abs(inputs @ WEIGHTS - 0.3) / np.linalg.norm(WEIGHTS)
    found = BoundaryDistance()(None, part, model)
    assert (found >= exact * (1 - 1e-6)).all()  # what was found does lie beyond the boundary
    assert np.median(found / exact) < 1.15
    assert np.corrcoef(found, exact)[0, 1] > 0.97
    assert model.asked / len(part) < 450


def test_more_steps_come_nearer():
    part = view()
    exact = np.abs(part.arrays()[0] @ WEIGHTS - 0.3) / np.linalg.norm(WEIGHTS)
    few, many = (np.median(BoundaryDistance(steps=steps)(None, part, Linear()) / exact) for steps in (1, 8))
    assert many < few
    assert many < 1.06


def test_a_wrong_label_has_no_distance():
    part = view()

    def contrary(inputs, labels):
        positive = np.asarray(inputs) @ WEIGHTS > 0.3
        return Outputs(logits=np.eye(2)[1 - positive.astype(int)], labels=np.asarray(labels))

    assert (BoundaryDistance()(None, part, contrary) == 0.0).all()


def test_a_label_that_never_changes_is_as_far_as_was_tried():
    part = view()

    def stubborn(inputs, labels):
        return Outputs(logits=np.eye(2)[np.asarray(labels)], labels=np.asarray(labels))

    norms = np.linalg.norm(part.arrays()[0], axis=1)
    assert BoundaryDistance()(None, part, stubborn) == pytest.approx(0.01 * 2**14 * norms)


def test_distances_do_not_depend_on_who_else_is_in_the_set():
    part = view()
    alone = part.task.split.with_forget(np.arange(5))
    few = UnlearningTask(alone, references=0).forget
    whole, some = (BoundaryDistance(steps=0)(None, one, Linear()) for one in (part, few))
    assert whole[:5] == pytest.approx(some)


def test_the_same_seed_gives_the_same_distances():
    part = view()
    one, other = (BoundaryDistance(seed=3)(None, part, Linear()) for _ in range(2))
    assert (one == other).all()
