"""A model is identified and asked once an audit; what the audited one answered is kept for no other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_unlearn import SavedOutputs
from pytest_unlearn.models.handle import ModelHandle, ModelHandles
from pytest_unlearn.models.query import Query
from tests.worlds.networks import mlp, noise_task, seeded
from tests.worlds.simulated import World, split

HONEST = 5  # the seed of a model that never knew


@pytest.fixture(scope="module")
def world():
    return World(split(n_forget=60, n_controls=200))


def test_an_audit_asks_each_model_once_and_the_next_one_asks_the_audited_model_again(world):
    task = world.task()
    model = world.model(seed=HONEST)
    first, second = task.models.for_audit(), task.models.for_audit()
    answered = first.of(model).outputs(task.forget)
    assert first.of(model).outputs(task.forget) is answered
    assert second.of(model).outputs(task.forget) is not answered
    own = task.models.of(task.original).outputs(task.forget)
    assert first.of(task.original).outputs(task.forget) is second.of(task.original).outputs(task.forget) is own


def test_audits_of_a_release_share_what_they_ask_and_forget_it_also_when_one_breaks(world):
    task = world.task()
    model = world.model(seed=HONEST)
    with task.models.shared():
        first = task.models.for_audit().of(model).outputs(task.forget)
        with task.models.shared():
            assert task.models.for_audit().of(model).outputs(task.forget) is first
        assert task.models.for_audit().of(model).outputs(task.forget) is first
    assert task.models.for_audit().of(model).outputs(task.forget) is not first
    with pytest.raises(ValueError, match="SavedOutputs has no rows"), task.models.shared():
        task.models.for_audit().of(SavedOutputs(test=np.zeros((1, 4)))).outputs(task.forget)
    assert task.models.for_audit() is not task.models.for_audit()


def test_a_model_that_changes_while_it_is_audited_is_noticed_when_the_audit_ends():
    task, model = noise_task(), seeded(mlp)
    audit = task.models.for_audit()
    audit.of(model).outputs(task.forget)
    with torch.no_grad():
        model[0].weight.mul_(2)
    with pytest.raises(ValueError, match="the audited model was changed in place"):
        audit.end()


def test_in_a_release_the_release_notices():
    task, model = noise_task(), seeded(mlp)

    def audits():
        with task.models.shared():
            for _ in range(2):
                audit = task.models.for_audit()
                audit.of(model).outputs(task.forget)
                with torch.no_grad():
                    model[0].weight.mul_(2)
                audit.end()

    with pytest.raises(ValueError, match="changed in place"):
        audits()


def test_a_model_of_the_task_that_changed_between_two_audits_is_noticed():
    models, model = ModelHandles(np.arange(3)), seeded(mlp)
    models.keep(model)
    models.for_audit().end()
    with torch.no_grad():
        model[0].bias.add_(1)
    with pytest.raises(ValueError, match="the original or a reference was changed in place"):
        models.for_audit().end()


def test_views_of_one_name_are_told_apart_by_their_examples():
    task, model = noise_task(), seeded(mlp)
    handle = ModelHandle(model, classes=task.split.classes)
    some = type(task.forget)("forget", task.forget.examples, task.forget.indices[:5], task)
    assert len(handle.outputs(some).labels) == 5
    assert len(handle.outputs(task.forget).labels) == len(task.forget)


def test_a_query_is_asked_once_a_view_and_features_are_computed_once_for_all_queries():
    task, model, passes = noise_task(), seeded(mlp), []
    model.register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
    handle = ModelHandle(model, classes=task.split.classes)
    queries = [
        Query(name=name, ask=lambda _, view, answer: answer.features(view, ("into 2",))[0]) for name in ("a", "b")
    ]
    found = [handle.ask(query, task.forget) for query in (*queries, *queries)]
    assert sum(passes) == len(task.forget)
    assert found[0] is found[2]
    np.testing.assert_array_equal(found[0], found[1])
