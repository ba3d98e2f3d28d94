"""A model that was there before is named; one that only looks so is not."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from pytest_unlearn import Verdict, audit_forgotten
from pytest_unlearn.claims.common.provenance import NO_OP, identity_notes, provenance, twin_of
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.data.view import as_view
from tests.worlds.networks import Boxed, convolutional, mlp, noise_task, seeded
from tests.worlds.simulated import World, split
from unlearners import decoys


def test_a_copy_of_the_original_or_of_a_reference_is_named():
    original, references = seeded(mlp), [seeded(mlp, seed) for seed in (1, 2)]
    assert twin_of(deepcopy(original), original, references) == "original"
    assert twin_of(deepcopy(references[1]), original, references) == "retrained 1"
    assert twin_of(seeded(mlp, 3), original, references) == ""
    assert identity_notes(deepcopy(original), original, references) == (NO_OP,)
    assert identity_notes(references[0], None, references) == (
        "the audited model is retrained 0, a reference: it was judged by the others",
    )
    assert identity_notes(seeded(mlp, 3), original, references) == ()


def test_one_weight_or_one_statistic_makes_a_difference():
    original = seeded(convolutional)
    for name in ("0.weight", "1.running_mean"):
        other = deepcopy(original)
        with torch.no_grad():
            other.state_dict()[name].view(-1)[0] += 1e-6
        assert twin_of(other, original, []) == ""


def test_estimators_are_compared_by_their_state_and_functions_by_identity():
    x, y = noise_task().retain.arrays()
    fitted = GaussianNB().fit(x, y)
    assert twin_of(deepcopy(fitted), fitted, []) == "original"
    assert twin_of(GaussianNB().fit(x[1:], y[1:]), fitted, []) == ""

    def one(x):
        return x

    assert twin_of(one, one, []) == "original"
    assert twin_of(lambda x: x, one, []) == ""
    assert twin_of(one, None, [lambda x: x, one]) == "retrained 1"


def test_modules_that_hold_no_tensor_are_not_all_alike():
    one, other = Boxed(seeded(mlp)), Boxed(seeded(mlp, 1))
    assert twin_of(one, other, [nn.Identity()]) == ""
    assert twin_of(one, other, [one]) == "retrained 0"


@pytest.mark.parametrize("decoy", [decoys.LogitNoise(), decoys.TemperatureFlattening()], ids=repr)
def test_a_filter_around_the_original_is_no_copy_of_it(decoy):
    task, original = noise_task(), seeded(mlp)
    assert twin_of(decoy(original, task.retain, task.forget, seed=0), original, []) == ""


def test_the_audit_of_outputs_names_them_too():
    world = World(split())
    task = world.task()
    assert NO_OP in audit_forgotten(task.original, task.forget).reasons
    evidence = audit_forgotten(task.retrained[3], task.forget)
    assert "the audited model is retrained 3, a reference: it was judged by the others" in evidence.reasons
    assert evidence.verdict is Verdict.PASS
    assert not any("judged by the others" in reason for reason in audit_forgotten(world.model(), task.forget).reasons)


def test_evidence_names_the_request_that_it_is_about():
    task, model = noise_task(), seeded(mlp)
    views = (task.test,)
    of_task = provenance(model, views, task, original=False, retrained=False)["request"]
    bare_request = {"n": len(task.forget), "digest": task.forget.unordered_digest, "defined in": None}
    assert of_task == {**bare_request, "of": len(task.split.train)}
    bare = as_view(task.forget.arrays(), "forget")
    with recording(Recorder("test_it.py::test_a")):
        of_bare = provenance(model, (bare,), None, original=False, retrained=False)["request"]
    assert of_bare == {**bare_request, "defined in": "test_it.py::test_a"}
    of_none = provenance(model, (as_view(task.test.arrays(), "test"),), None, original=False, retrained=False)
    assert of_none["request"] is None
