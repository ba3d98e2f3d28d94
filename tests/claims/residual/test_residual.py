"""audit_no_residual: what a filter hides of exactly the forget inputs comes back beside them, or in a changed copy."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_no_residual
from pytest_unlearn.claims.residual.audit import CHANGES
from pytest_unlearn.claims.residual.weight_changes import Pruned, RoundedWeights
from pytest_unlearn.models.adapters import model_digest
from tests.worlds.hidden import class_split, class_task, example_task, folder, fresh, random_task
from tests.worlds.networks import Boxed
from unlearners import decoys


def unlearned(method, task):
    return method(task.original, task.retain, task.forget, seed=0)


def shown(evidence, title):
    return next(table for table in evidence.to_json()["exhibits"] if table["title"] == title)


@pytest.mark.slow
def test_the_original_fails_is_named_and_its_evidence_is_plain_and_the_same_again():
    task = random_task()
    model = unlearned(decoys.NoOp(), task)
    before, state = model_digest(model), torch.random.get_rng_state()
    evidence = audit_no_residual(model, task.forget)
    first = evidence.to_json()
    assert (first["verdict"], first["label"]) == ("FAIL", "recognisable")
    assert "no-op: every weight of the audited model is the original's" in first["reasons"]
    assert json.loads(json.dumps(first)) == first
    assert first == audit_no_residual(model, task.forget).to_json()
    assert model_digest(model) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first["provenance"]["settings"]["changes"] == list(CHANGES)
    assert first["deciding"] == ["near: noise", *CHANGES]
    assert [row[0] for row in shown(evidence, "What was tried")["rows"]] == list(first["attacks"])
    (row,) = shown(evidence, "Residual knowledge")["rows"]
    name, ours, usual, ratio, lowest, highest = row
    assert name == "near: noise"
    assert ratio == pytest.approx(ours / usual, abs=1e-3)
    assert lowest <= usual <= highest < ours


def test_an_honest_retrain_is_not_accused_and_shows_a_ratio_of_one():
    task = random_task()
    evidence = audit_no_residual(fresh(task), task.forget)
    assert evidence.verdict not in (Verdict.FAIL, Verdict.INVALID), evidence.reasons
    assert evidence.controls.original.holds
    assert shown(evidence, "Residual knowledge")["rows"][0][3] == pytest.approx(1, abs=0.05)
    proven = audit_no_residual(fresh(task), task.forget, max_mia_auc=0.6)
    assert proven.verdict is Verdict.PASS or proven.not_testable, proven.reasons


@pytest.mark.parametrize("changes", [{}, {"pruned": Pruned(1 / 3)}], ids=["beside", "pruned too"])
def test_a_mask_of_exactly_the_forget_inputs_does_not_reach_beside_them(changes):
    task = random_task()
    evidence = audit_no_residual(unlearned(decoys.ExactInputMask(), task), task.forget, changes=changes)
    assert evidence.verdict is Verdict.FAIL, evidence.reasons
    assert evidence.attacks["near: noise"].low > 0.55
    if changes:
        assert evidence.attacks["pruned"].high < 0.45  # the mask itself is still there, and conspicuous


def test_what_a_change_undoes_is_found_by_it_alone():
    """A model that answers like a retrained one, until its weights are rounded."""
    task = random_task()
    hidden = fresh(task)

    class Brittle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.honest, self.knowing = (unlearned(decoys.NoOp(), task) for _ in range(2))
            self.honest.load_state_dict(hidden.state_dict())
            self.register_buffer("whole", self.honest[0].weight.detach().clone())

        def forward(self, x):
            intact = torch.equal(self.honest[0].weight, self.whole)
            return (self.honest if intact else self.knowing)(x)

    changes = {"8-bit weights": RoundedWeights(8)}
    evidence = audit_no_residual(Brittle(), task.forget, changes=changes, neighbours={})
    assert (evidence.verdict, evidence.decided_by) == (Verdict.FAIL, "8-bit weights"), evidence.reasons
    beside = audit_no_residual(Brittle(), task.forget, changes={}, max_mia_auc=0.6)
    assert beside.verdict is Verdict.PASS


def test_a_reference_is_named_and_judged_by_the_others():
    task = random_task()
    evidence = audit_no_residual(task.retrained[2], task.forget, changes={})
    assert "the audited model is retrained 2, a reference: it was judged by the others" in evidence.reasons
    assert evidence.verdict not in (Verdict.FAIL, Verdict.INVALID)
    others = UnlearningTask(
        task.split, task.recipe, original=task.original, references=task.retrained[:2] + task.retrained[3:]
    )
    without = audit_no_residual(task.retrained[2], others.forget, changes={})
    assert shown(evidence, "Residual knowledge") == shown(without, "Residual knowledge")


def test_each_reference_is_judged_by_the_others_alone():
    task = random_task()
    control = audit_no_residual(fresh(task), task.forget, changes={}).controls.retrained[2]
    alone = audit_no_residual(task.retrained[2], task.forget, changes={})
    assert control.estimate == alone.attacks[control.attack]


def test_one_reference_withholds_a_pass():
    task = random_task(references=1)
    evidence = audit_no_residual(fresh(task), task.forget, changes={}, max_mia_auc=0.65)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no negative control" in reason for reason in evidence.reasons)


def test_of_what_shows_no_weights_only_neighbours_are_asked():
    task = random_task()
    model = task.original
    for hidden in (Boxed(model), lambda x: model(torch.as_tensor(x)).detach()):
        evidence = audit_no_residual(hidden, task.forget)
        assert evidence.deciding == ("near: noise",)
        assert evidence.provenance["settings"]["changes"] == []
        assert evidence.verdict is Verdict.FAIL
        assert not any("no-op" in reason for reason in evidence.reasons)


def test_references_that_show_no_weights_leave_neighbours_alone_too():
    task = random_task()
    hidden = UnlearningTask(task.split, original=task.original, references=[Boxed(one) for one in task.retrained])
    evidence = audit_no_residual(task.original, hidden.forget)
    assert evidence.deciding == ("near: noise",)
    assert evidence.verdict is Verdict.FAIL


def test_estimators_are_asked_about_neighbours():
    task = UnlearningTask(class_split(), EstimatorRecipe(GaussianNB()), references=3, cache_dir=folder())
    evidence = audit_no_residual(task.original, task.forget)
    assert evidence.deciding == ("near: noise",)
    assert evidence.verdict is not Verdict.PASS


def test_images_are_shifted_and_mirrored_too():
    x, y = class_task()._everything.arrays()
    images = x.reshape(-1, 1, 8, 8)
    split = Split((images[:600], y[:600]), forget=np.arange(200), test=(images[600:], y[600:]))
    model = torch.nn.Sequential(torch.nn.Flatten(), class_task().original)
    others = [torch.nn.Sequential(torch.nn.Flatten(), one) for one in class_task().retrained[:2]]
    task = UnlearningTask(split, original=model, references=others)
    found = audit_no_residual(model, task.forget, changes={})
    assert found.deciding == ("near: noise", "near: shifted", "near: mirrored")


def test_what_cannot_be_tried_says_so():
    task = random_task()
    bare = list(zip(*task.forget.arrays(), strict=True))
    none = UnlearningTask(task.split, original=task.original, references=0)
    tokens = Split(
        (np.arange(80).reshape(40, 2), np.arange(40) % 2),
        forget=np.arange(20),
        test=(100 + np.arange(80).reshape(40, 2), np.arange(40) % 2),
    )
    texts = UnlearningTask(tokens, original=task.original, references=[task.original])
    for forget, settings, says in (
        (bare, {}, "build an UnlearningTask and pass task.forget"),
        (none.forget, {}, "this task has none"),
        (task.forget, {"neighbours": {}, "changes": {}}, "nothing to try"),
        (texts.forget, {}, "neighbours={'paraphrase': function}"),
        (task.forget, {"max_mia_auc": 0.4}, "max_mia_auc"),
    ):
        with pytest.raises(ValueError, match=says):
            audit_no_residual(task.original, forget, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [decoys.ExactInputMask(), decoys.LogitNoise()], ids=lambda method: type(method).__name__
)
def test_filters_of_the_example_fail(method):
    task = example_task()
    assert audit_no_residual(unlearned(method, task), task.forget).verdict is Verdict.FAIL


@pytest.mark.long
@pytest.mark.slow
def test_honest_retrains_are_hardly_ever_accused():
    task = random_task()
    models = [fresh(task, seed) for seed in range(300, 330)]
    accused = []
    for k in range(0, 30, 5):
        given = UnlearningTask(task.split, original=task.original, references=models[k : k + 4])
        verdict = audit_no_residual(models[k + 4], given.forget).verdict
        accused.append(verdict in (Verdict.FAIL, Verdict.INVALID))
    assert sum(accused) <= 1
