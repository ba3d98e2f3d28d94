"""A class-blind attack condemns an honest model; a class-matched one does not."""

from __future__ import annotations

import pytest

from examples.class_forgetting.__main__ import RECIPE, SHIRT, measure, models, world
from examples.fashion_mnist import fashion_mnist
from pytest_unlearn import UnlearningTask


@pytest.fixture(scope="module")
def split():
    return world(0, train=1500)


def test_controls_are_shirts_that_were_never_trained_on(split):
    trained = {split.train[i][0].tobytes() for i in split.forget_indices}
    controls = [split.held_out[i] for i in split.control_indices]
    assert {int(y) for _, y in controls} == {SHIRT}
    assert not trained & {x.tobytes() for x, _ in controls}
    assert len(trained) + len(controls) >= 6990 <= (fashion_mnist()[1] == SHIRT).sum() + 1000


@pytest.mark.slow
def test_what_the_two_attacks_say_of_each_model(tmp_path):
    """At a quarter of the size, for every model: the retrain is innocent, and only matching says so."""
    task = UnlearningTask(world(0, train=1500), RECIPE, cache_dir=tmp_path)
    seen = {name: measure(model, task) for name, model in models(task).items()}
    assert seen["retrained"].unseen < 0.01
    assert seen["retrained"].blind < 0.1
    assert 0.42 < seen["retrained"].matched < 0.58
    assert seen["original"].matched > 0.58
    assert seen["original"].verdict.startswith("FAIL")
    assert not seen["retrained"].verdict.startswith(("FAIL", "INVALID"))
    assert seen["anchored"].forget > seen["fine-tuned"].forget - 0.01
