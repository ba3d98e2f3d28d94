"""UnlearningTask: models are trained once, kept, and never confused."""

import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn import EstimatorRecipe, Split, TorchRecipe, UnlearningTask, audit_forgotten
from unlearners import FineTune, NoOp

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 5)).astype(np.float32), np.arange(120) % 3
SPLIT = Split((X[:80], Y[:80]), forget=np.arange(20), test=(X[80:], Y[80:]))


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


RECIPE = TorchRecipe(build, epochs=2)


def state(model):
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])


def test_models_are_trained_on_what_they_may_see_under_distinct_seeds(tmp_path):
    seen = []

    def spy(dataset, *, seed):
        seen.append((len(dataset), seed, {int(i) for i in dataset.indices}))
        return RECIPE(dataset, seed=seed)

    task = UnlearningTask(SPLIT, spy, references=3, seed=5, cache_dir=tmp_path)
    assert (task.original, len(task.retrained)) == (task.original, 3)
    original, *references = seen
    assert original[:2] == (80, 5)
    assert [n for n, _, _ in references] == [60] * 3
    assert len({seed for _, seed, _ in seen}) == 4
    assert all(not indices & set(range(20)) for _, _, indices in references)


def test_a_second_task_trains_nothing(tmp_path):
    first = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path)
    weights = [state(model) for model in (first.original, *first.retrained)]
    second = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path)
    assert all(trained.source == "store" for trained in second.trained_references)
    assert all(torch.equal(a, state(b)) for a, b in zip(weights, (second.original, *second.retrained), strict=True))
    fresh = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path, fresh=True)
    assert all(trained.source == "trained" for trained in fresh.trained_references)


@pytest.mark.parametrize("recipe", [RECIPE, EstimatorRecipe(LogisticRegression())])
def test_the_trainings_it_foresees_are_those_that_happen(tmp_path, recipe):
    foreseen = UnlearningTask(SPLIT, recipe, references=3, cache_dir=tmp_path)
    jobs = foreseen.jobs()
    assert not list(tmp_path.iterdir())
    task = UnlearningTask(SPLIT, recipe, references=3, cache_dir=tmp_path)
    task.original  # noqa: B018
    trained = [record.key for record in task.trained_references]
    assert trained == [job.key for job in foreseen.jobs(bootstrapped=task.bootstrapped)[1:]]
    kept = {entry.key for entry in task.store.entries()}
    assert kept == {job.key for job in jobs[: 3 if task.bootstrapped else 4]} | set(trained)
    assert len(UnlearningTask(SPLIT, recipe, original=build(), references=1).jobs()) == 1
    assert UnlearningTask(SPLIT, recipe, original=build(), references=[]).jobs() == []
    assert UnlearningTask(SPLIT).jobs() == []


def test_another_request_trains_other_references(tmp_path):
    UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path).retrained  # noqa: B018
    other = UnlearningTask(SPLIT.with_forget([30, 31]), RECIPE, references=2, cache_dir=tmp_path)
    assert all(trained.source == "trained" for trained in other.trained_references)


def test_a_damaged_cache_is_trained_again_and_said_so(tmp_path):
    UnlearningTask(SPLIT, RECIPE, references=1, cache_dir=tmp_path).retrained  # noqa: B018
    payload = next(tmp_path.glob("*.safetensors"))
    payload.write_bytes(payload.read_bytes()[:-7])
    task = UnlearningTask(SPLIT, RECIPE, references=1, cache_dir=tmp_path)
    with pytest.warns(UserWarning, match="damaged and have been trained again"):
        assert len(task.retrained) == 1


def test_a_recipe_that_names_no_device_trains_where_its_models_are_audited():
    named, unnamed = TorchRecipe(nn.Identity, device="cpu"), TorchRecipe(nn.Identity)
    for recipe, device, where in (
        (unnamed, "cuda", "cuda"), (named, "cuda", "cpu"), (unnamed, "cpu", None), (unnamed, None, None),
    ):  # fmt: skip
        assert UnlearningTask(SPLIT, recipe, device=device).recipe.device == where


@pytest.mark.slow
def test_a_recipe_that_ignores_its_seed_gets_bootstraps_and_the_evidence_says_so(tmp_path):
    task = UnlearningTask(SPLIT, EstimatorRecipe(LogisticRegression()), references=3, cache_dir=tmp_path)
    assert task.bootstrapped
    first, second, _ = task.retrained
    assert not np.array_equal(first.coef_, second.coef_)
    evidence = audit_forgotten(task.retrained[0], task.forget)
    assert any("bootstraps of retain" in reason for reason in evidence.reasons)
    again = UnlearningTask(SPLIT, EstimatorRecipe(LogisticRegression()), references=3, cache_dir=tmp_path)
    assert again.bootstrapped
    assert all(trained.source == "store" for trained in again.trained_references)
    assert not UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path).bootstrapped


def test_given_models_are_used_as_they_are():
    models = [RECIPE(UnlearningTask(SPLIT).retain, seed=k) for k in range(3)]
    task = UnlearningTask(SPLIT, original=models[0], references=models[1:])
    assert task.original is models[0]
    assert task.retrained == models[1:]
    assert task.trained_references == []


def test_what_is_missing_is_said():
    assert UnlearningTask(SPLIT).retrained == []
    with pytest.raises(ValueError, match="no original model"):
        UnlearningTask(SPLIT).original  # noqa: B018
    with pytest.raises(TypeError, match="needs a Split"):
        UnlearningTask(X)
    with pytest.raises(ValueError, match="references must be"):
        UnlearningTask(SPLIT, references=-1)


def test_nothing_is_created_before_something_is_trained(tmp_path):
    task = UnlearningTask(SPLIT, RECIPE, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    assert task.original is not None
    assert (tmp_path / "cache").exists()


@pytest.mark.slow
def test_an_unlearner_runs_once_and_again_when_it_changes(tmp_path):
    def task():
        return UnlearningTask(SPLIT, RECIPE, references=0, cache_dir=tmp_path)

    first = state(task().unlearn(FineTune(epochs=1, lr=0.01)))
    files = len(list(tmp_path.glob("*.safetensors")))
    assert torch.equal(first, state(task().unlearn(FineTune(epochs=1, lr=0.01))))
    assert len(list(tmp_path.glob("*.safetensors"))) == files
    assert not torch.equal(first, state(task().unlearn(FineTune(epochs=1, lr=0.02))))
    assert not torch.equal(first, state(task().unlearn(FineTune(epochs=1, lr=0.01), seed=1)))


def test_an_unlearner_never_receives_test_or_control_data(tmp_path):
    def spy(model, retain, forget, *, seed):
        assert [view.name for view in (retain, forget)] == ["retain", "forget"]
        return copy.deepcopy(model)

    UnlearningTask(SPLIT, RECIPE, references=0, cache_dir=tmp_path).unlearn(spy)


def test_a_method_without_a_return_is_told_so(tmp_path):
    def forgetful(model, retain, forget, *, seed):
        copy.deepcopy(model)

    task = UnlearningTask(SPLIT, RECIPE, references=0, cache_dir=tmp_path)
    with pytest.raises(TypeError, match="the method returned None") as caught:
        task.unlearn(forgetful)
    assert caught.value.__notes__ == ["while running the method with seed 0"]


@pytest.mark.slow
def test_workers_train_for_a_task_that_has_models_already(tmp_path):
    task = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path, n_jobs=2)
    assert task.models.seconds_of(task.original) is not None
    assert len(task.retrained) == 2
    assert audit_forgotten(task.unlearn(NoOp()), task.forget).claim.name == "forgotten"


def test_an_unlearner_that_changes_its_input_is_caught(tmp_path):
    def in_place(model, retain, forget, *, seed):
        with torch.no_grad():
            model[0].weight.zero_()
        return model

    task = UnlearningTask(SPLIT, RECIPE, references=0, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="changed in place"):
        task.unlearn(in_place)
    given = UnlearningTask(SPLIT, original=build(), references=[build(), build()])
    in_place(given.original, None, None, seed=0)
    with pytest.raises(ValueError, match="changed in place"):
        audit_forgotten(given.original, given.forget)


def test_the_audited_model_is_never_answered_for_by_a_cached_one(tmp_path):
    task = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=tmp_path)
    model = NoOp()(task.original, task.retain, task.forget, seed=0)
    before = audit_forgotten(model, task.forget).provenance["settings"]["outputs"]
    with torch.no_grad():
        model[2].weight.mul_(-1)
    assert audit_forgotten(model, task.forget).provenance["settings"]["outputs"] != before


def test_a_classifier_without_seed_noise_but_with_ties_is_audited_without_a_traceback(tmp_path):
    task = UnlearningTask(SPLIT, EstimatorRecipe(DecisionTreeClassifier()), references=2, cache_dir=tmp_path)
    assert audit_forgotten(task.original, task.forget).verdict is not None
