"""audit_features_forgotten: what the last layer hides is found, and an honest retrain is not accused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_features_forgotten
from pytest_unlearn.models.adapters import model_digest
from tests.worlds.hidden import GONE, RECIPE, class_split, class_task, example_task, folder, fresh, random_task
from unlearners import LinearFiltration, decoys


def unlearned(method, task):
    return method(task.original, task.retain, task.forget, seed=0)


@pytest.mark.parametrize(
    "method", [decoys.LastLayerMask(), LinearFiltration()], ids=lambda method: type(method).__name__
)
def test_what_only_the_last_layer_forgot_is_found_in_what_enters_it(method):
    task = class_task()
    evidence = audit_features_forgotten(unlearned(method, task), task.forget)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "recognisable"), evidence.reasons
    assert evidence.decided_by == "class probe into 2"
    assert evidence.estimate.low > 0.6


@pytest.mark.slow
def test_an_honest_retrain_is_neither_accused_nor_called_uninterpretable():
    for task in (class_task(), random_task()):
        evidence = audit_features_forgotten(fresh(task), task.forget)
        assert evidence.verdict not in (Verdict.FAIL, Verdict.INVALID), evidence.reasons
        assert evidence.controls.original.holds
        assert len(evidence.controls.retrained) == 4
        assert not any("no-op" in reason or "a reference:" in reason for reason in evidence.reasons)


@pytest.mark.slow
def test_with_a_wide_enough_limit_an_honest_retrain_is_proven():
    evidence = audit_features_forgotten(fresh(random_task()), random_task().forget, max_mia_auc=0.6)
    assert evidence.verdict is Verdict.PASS, evidence.reasons


class Elsewhere(nn.Sequential):
    """Shows an honest model's layers, and answers by the original's, always or for half of the inputs."""

    def __init__(self, shown, hidden, always):
        super().__init__(*shown)
        self.hidden, self.always = (hidden,), always

    def forward(self, x):
        aside = (x.sum(dim=1, keepdim=True) > 19.5) | self.always
        return torch.where(aside, self.hidden[0](x), super().forward(x))


@pytest.mark.slow
@pytest.mark.parametrize("always", [True, False])
def test_honest_features_that_a_model_does_not_answer_by_prove_nothing(always):
    task = random_task()
    model = Elsewhere(fresh(task), task.original, always)
    evidence = audit_features_forgotten(model, task.forget, max_mia_auc=0.6)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "not what the model answers by" in evidence.reasons[0]
    assert "hand over" in evidence.advice[0]


def test_behind_a_filter_the_original_is_found_on_a_random_request():
    task = random_task()
    evidence = audit_features_forgotten(unlearned(decoys.ExactInputMask(), task), task.forget)
    assert (evidence.verdict, evidence.decided_by) == (Verdict.FAIL, "label probe into 2")


def test_the_original_fails_and_is_named_and_the_evidence_is_plain_and_the_same_again():
    task = random_task()
    model = unlearned(decoys.NoOp(), task)
    before, modes = model_digest(model), [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    first = audit_features_forgotten(model, task.forget).to_json()
    assert first["verdict"] == "FAIL"
    assert "no-op: every weight of the audited model is the original's" in first["reasons"]
    assert json.loads(json.dumps(first)) == first
    assert first == audit_features_forgotten(model, task.forget.loader()).to_json()
    assert (model_digest(model), [module.training for module in model.modules()]) == (before, modes)
    assert torch.equal(torch.random.get_rng_state(), state)
    table = next(one for one in first["exhibits"] if one["title"] == "Layer by layer")
    assert [row[0] for row in table["rows"]] == list(first["attacks"])
    assert [row[1] for row in table["rows"]].count("decides") == len(first["deciding"]) == 1
    assert first["provenance"]["settings"]["layers"] == ["into 2"]


@pytest.mark.slow
def test_named_layers_are_probed_as_they_are_left_and_the_last_one_decides():
    task = random_task()
    evidence = audit_features_forgotten(task.original, task.forget, layers=["0", "1"])
    assert evidence.deciding == ("label probe out of 1",)
    assert {name for name in evidence.attacks if "membership" in name} == {
        "membership probe out of 0",
        "membership probe out of 1",
    }


def test_a_class_and_others_are_judged_each_by_its_own_probe():
    known = class_task()
    task = UnlearningTask(class_split(extra=120), original=known.original, references=known.retrained)
    gone = task.forget.labels == GONE
    evidence = audit_features_forgotten(task.original, task.forget)
    assert evidence.verdict is not Verdict.PASS
    assert evidence.attacks["class probe into 2"].low > 0.55
    assert evidence.deciding == ("label probe into 2", "class probe into 2")
    assert evidence.attacks["class probe into 2"].n_forget == gone.sum()
    assert evidence.attacks["label probe into 2"].n_forget == (~gone).sum()


@pytest.mark.parametrize("strict", [True, False])
def test_one_reference_is_never_enough_to_judge_a_class_by(strict):
    task = class_task(references=1)
    for model in (fresh(task), task.original):
        evidence = audit_features_forgotten(model, task.forget, require_controls=strict)
        assert evidence.verdict is Verdict.INCONCLUSIVE, evidence.reasons


def test_one_reference_withholds_a_pass_on_a_random_request():
    task = random_task(references=1)
    evidence = audit_features_forgotten(fresh(task), task.forget, max_mia_auc=0.6)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no negative control" in reason for reason in evidence.reasons)
    accepted = audit_features_forgotten(fresh(task), task.forget, max_mia_auc=0.6, require_controls=False)
    assert accepted.verdict is Verdict.PASS, accepted.reasons


def test_two_references_cannot_judge_each_other_s_class_probes():
    task = class_task(references=2)
    evidence = audit_features_forgotten(fresh(task), task.forget, max_mia_auc=0.95)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.controls.retrained == ()
    assert any("2 distinct references" in reason and "(no negative control)" in reason for reason in evidence.reasons)


def test_a_reference_is_named_and_judged_by_the_others():
    task = random_task()
    evidence = audit_features_forgotten(task.retrained[1], task.forget)
    assert "the audited model is retrained 1, a reference: it was judged by the others" in evidence.reasons
    assert evidence.verdict not in (Verdict.FAIL, Verdict.INVALID)
    alone = random_task(references=1)
    with pytest.raises(ValueError, match="the only reference"):
        audit_features_forgotten(alone.retrained[0], alone.forget)


def test_features_that_do_not_vary_are_no_pass():
    task = class_task()
    flat = unlearned(decoys.NoOp(), task)
    with torch.no_grad():
        flat[0].weight.zero_()
    assert audit_features_forgotten(flat, task.forget).verdict is Verdict.INVALID


def test_a_task_without_references_says_what_to_give_before_anything_is_trained():
    task = UnlearningTask(class_split(), RECIPE, references=0, cache_dir=folder())
    with pytest.raises(ValueError, match="this task has none: give it a recipe"):
        audit_features_forgotten(lambda x: x, task.forget)


class Deeper(nn.Module):
    """Other names than the references'."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        """Two layers."""
        return self.head(torch.relu(self.body(x)))


def test_what_shows_no_layers_is_refused():
    task = class_task()
    bare = list(zip(*task.forget.arrays(), strict=True))
    for model, forget, settings, says in (
        (task.original, bare, {}, "build an UnlearningTask and pass task.forget"),
        (lambda x: task.original(torch.as_tensor(x)), task.forget, {}, "a function shows none"),
        (Deeper(), task.forget, {}, "one model has a layer '2' and another has not"),
        (task.original, task.forget, {"layers": ["7"]}, "no layer '7'"),
        (task.original, task.forget, {"max_mia_auc": 1.5}, "max_mia_auc"),
        (task.original, task.test, {}, "pass task.forget"),
    ):
        with pytest.raises(ValueError, match=says):
            audit_features_forgotten(model, forget, **settings)


def test_estimators_have_no_features():
    recipe = EstimatorRecipe(GaussianNB())
    task = UnlearningTask(class_split(), recipe, references=2, cache_dir=folder())
    with pytest.raises(ValueError, match="a GaussianNB shows none"):
        audit_features_forgotten(task.original, task.forget)


def test_a_test_set_of_too_few_others_is_told_so():
    split = class_split()
    keep = np.r_[np.flatnonzero(split.test.labels == GONE), np.flatnonzero(split.test.labels == 1)[:3]]
    x, y = (np.asarray(part)[keep] for part in class_task().test.arrays())
    train = class_task()._everything.arrays()
    task = UnlearningTask(
        Split(train, forget=split.forget_indices, test=(x, y)),
        original=class_task().original,
        references=class_task().retrained,
    )
    with pytest.raises(ValueError, match="more than 3 examples of each class"):
        audit_features_forgotten(task.original, task.forget)


def test_a_handful_of_examples_is_inconclusive_and_breaks_nothing():
    task = class_task()
    few = UnlearningTask(
        task.split.with_forget(np.flatnonzero(task.split.train.labels != GONE)[:4]),
        original=task.original,
        references=task.retrained,
    )
    assert audit_features_forgotten(fresh(task), few.forget).verdict is not Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("task", [lambda: class_task(RECIPE), example_task], ids=["class", "random"])
def test_the_full_worlds(task):
    task = task()
    methods = (
        [decoys.LastLayerMask(), LinearFiltration()]
        if task.split.match == "class" and len(np.setdiff1d(task.forget.labels, task.retain.labels))
        else [decoys.ExactInputMask(), decoys.LogitNoise(), decoys.TemperatureFlattening()]
    )
    for method in (decoys.NoOp(), *methods):
        assert audit_features_forgotten(unlearned(method, task), task.forget).verdict is Verdict.FAIL, method


@pytest.mark.slow
def test_honest_retrains_are_hardly_ever_accused():
    accused = []
    for task in (class_task(), random_task()):
        models = [fresh(task, seed) for seed in range(300, 320)]
        for k in range(0, 20, 5):
            given = UnlearningTask(task.split, original=task.original, references=models[k : k + 4])
            verdict = audit_features_forgotten(models[k + 4], given.forget).verdict
            accused.append(verdict in (Verdict.FAIL, Verdict.INVALID))
    assert sum(accused) <= 1
