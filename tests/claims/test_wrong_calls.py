"""Every wrong call of a claim is refused with one sentence that says what to do, before anything is trained."""

import inspect
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pytest_unlearn
from pytest_unlearn import (
    ForgetRequest,
    Policy,
    SavedOutputs,
    Split,
    Step,
    TorchRecipe,
    UnlearningTask,
    audit_algorithm,
    audit_canaries_forgotten,
    audit_class_forgotten,
    audit_efficient,
    audit_features_forgotten,
    audit_forgotten,
    audit_indistinguishable,
    audit_leakage_reduced,
    audit_matches_retrained,
    audit_no_residual,
    audit_not_relearnable,
    audit_release,
    audit_request,
    audit_sequence,
    audit_survives,
    audit_utility,
    plant_canaries,
)

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
TRAIN, TEST = (X[:60], Y[:60]), (X[60:160], Y[60:160])
CACHE = tempfile.mkdtemp()
NAN, INF = float("nan"), float("inf")


class Trained(BaseException):
    """A model was trained, or a method run: no `pytest.raises` below takes that for a refusal."""


def recipe(dataset, *, seed):
    raise Trained


def method(model, retain, forget, *, seed):
    raise Trained


def task_of(split, **settings):
    return UnlearningTask(split, recipe, cache_dir=CACHE, **settings)


SPLIT = Split(TRAIN, forget=range(10), test=TEST)
TASK = task_of(SPLIT, references=2)
WHOLE = task_of(Split(TRAIN, forget=np.flatnonzero(TRAIN[1] == 3), test=TEST), references=3)
PART = task_of(SPLIT, references=3)
ALONE = UnlearningTask(SPLIT, original=lambda x: np.zeros((len(x), 10)), references=0)
MODEL = nn.Linear(64, 10)
CANARIES = plant_canaries((X[:400], Y[:400]), "mislabelled", count=20, seed=1)
PLANTED = task_of(Split(CANARIES.train, forget=CANARIES.indices, test=(X[400:], Y[400:])), references=2)
BARE = TensorDataset(torch.tensor(TRAIN[0][:10]), torch.tensor(TRAIN[1][:10]))

CLAIMS = {
    "forgotten": lambda model, **given: audit_forgotten(model, TASK.forget, **given),
    "leakage_reduced": lambda model, **given: audit_leakage_reduced(model, TASK.forget, **given),
    "features_forgotten": lambda model, **given: audit_features_forgotten(model, TASK.forget, **given),
    "no_residual": lambda model, **given: audit_no_residual(model, TASK.forget, **given),
    "not_relearnable": lambda model, **given: audit_not_relearnable(model, TASK.forget, **given),
    "class_forgotten": lambda model, **given: audit_class_forgotten(model, WHOLE.forget, **given),
    "utility": lambda model, **given: audit_utility(model, TASK.test, **given),
    "matches_retrained": lambda model, **given: audit_matches_retrained(model, TASK.forget, **given),
    "canaries_forgotten": lambda model, **given: audit_canaries_forgotten(model, CANARIES, task=PLANTED, **given),
    "release": lambda model, **given: audit_release(model, TASK, **given),
}
METHODS = {
    "algorithm": lambda method, task=TASK, **given: audit_algorithm(method, task, **given),
    "efficient": lambda method, task=TASK, **given: audit_efficient(method, task, **given),
    "indistinguishable": lambda method, task=TASK, **given: audit_indistinguishable(method, task, **given),
    "sequence": lambda method, task=TASK, **given: audit_sequence(method, task, [[0, 1], [2]], **given),
    "survives": lambda method, task=TASK, **given: audit_survives(method, task, **given),
    "request": lambda method, task=TASK, **given: audit_request(method, task, ForgetRequest("random", 5), **given),
    "unlearn": lambda method, task=TASK, **given: TASK.unlearn(method, **given),
}


class Unseeded:
    def __call__(self, model, retain, forget):
        raise Trained


def refused(call, says):
    with pytest.raises((TypeError, ValueError), match=says) as refusal:
        call()
    assert len(str(refusal.value)) < 900
    assert "\n" not in str(refusal.value)


NO_MODEL = [
    (None, "is None: pass the model"),
    ("model.pt", "is 'model.pt': load the model from its file first"),
    (Path("model.pt"), "load the model from its file first"),
    (MODEL.state_dict(), r"is a mapping \(OrderedDict\): build the module and model\.load_state_dict"),
    (nn.Linear, "is the class Linear: pass a trained object of it"),
    ([MODEL], "is a list: pass one model"),
    (TASK.forget, "is the forget view, which is data: are the arguments swapped"),
    (DataLoader(BARE), r"is data \(DataLoader\): are the arguments swapped"),
    (TASK, "is of type UnlearningTask"),
    (3, "is of type int"),
    (X, r"is an array of shape \(1797, 64\): .*SavedOutputs"),
    (torch.zeros(3, 10), r"is an array of shape \(3, 10\)"),
    (TorchRecipe(lambda: nn.Linear(64, 10)), "cannot be called as x -> logits"),
    (method, r"is method\(model, retain, forget, \*, seed\), which cannot be called"),
    (Ridge().fit(X, Y), r"is a regressor \(Ridge\), and audits judge classifiers"),
    (LogisticRegression(), "not fitted"),
    (nn.Linear(64, 10, device="meta"), r"on the meta device.*load its weights"),
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_no_model_is_refused_by_every_claim(claim):
    for model, says in NO_MODEL:
        refused(lambda model=model: CLAIMS[claim](model), says)


NO_ANSWERS = [
    (nn.Linear(32, 10), r"raises RuntimeError when asked about a numpy array of shape \(10, 64\), float32"),
    (nn.Linear(64, 3), r"label \d of the \w+ view has no column: the model gives 3 logits"),
    (lambda x: np.zeros((len(x), 10), complex), "answers with complex numbers: logits are real numbers"),
    (lambda x: np.full((len(x), 10), "a"), "answers with text"),
    (lambda x: None, r"answers with None \(is a `return` missing\?\)"),
    (lambda x: np.zeros((3, 10)), "answered 3 rows for 10 examples"),
    (lambda x: np.zeros((len(x), 10, 2)), r"logits must have shape \(examples, classes\)"),
    (lambda x: np.full((len(x), 10), NAN), "non-finite logits"),
    (lambda x: {"a": x, "b": x}, "say which entry holds the logits with output="),
    (lambda x: nn.Linear(64, 10)(x), r"write it as `lambda x: model\(torch\.as_tensor\(x\)\)`"),
    (lambda x: x[:64, :10] / (len(x) == 64), r"UnlearningTask\(\.\.\., batch_size=\)|non-finite|changed when"),
    (
        SavedOutputs(forget=np.zeros((3, 10)), controls=np.zeros((100, 10))),
        "no rows for the forget view of 10 examples",
    ),
    (SavedOutputs(test=np.zeros((100, 10))), "no rows for the forget view"),
]


@pytest.mark.parametrize("claim", ["forgotten", "leakage_reduced", "matches_retrained", "release"])
def test_a_model_that_answers_nothing_of_use_costs_no_training(claim):
    for model, says in NO_ANSWERS:
        refused(lambda model=model: CLAIMS[claim](model), says)


NO_METHOD = [
    (None, "a method is called as unlearner.* None cannot be"),
    (MODEL, "a Linear is a model: pass the function that unlearns"),
    (LogisticRegression(), "a LogisticRegression is a model"),
    (Unseeded, "Unseeded is a class: pass an instance"),
    (Unseeded(), r"got an unexpected keyword argument 'seed'\): write it as `def unlearn"),
    (recipe, "write it as `def unlearn"),
    (lambda model, data, *, seed: model, "too many positional arguments"),
    ("method.py", "'method.py' cannot be"),
]


@pytest.mark.parametrize("claim", METHODS)
def test_what_is_no_method_is_refused_before_the_original_is_trained(claim):
    for given, says in NO_METHOD:
        refused(lambda given=given: METHODS[claim](given), says)


@pytest.mark.parametrize("claim", [name for name in METHODS if name != "unlearn"])
@pytest.mark.parametrize("task", [None, SPLIT, MODEL, TASK.forget, ALONE], ids=lambda task: type(task).__name__)
def test_a_method_is_judged_on_a_task_with_a_recipe(claim, task):
    refused(lambda: METHODS[claim](method, task), "UnlearningTask|give the task a recipe")


LIMITS = ["max_mia_auc", "max_drop", "max_gap", "max_ratio", "min_reduction", "min_ratio", "max_fraction"]


@pytest.mark.parametrize("claim", [*CLAIMS, *METHODS])
def test_settings_that_are_no_numbers_or_out_of_range_are_refused_by_name(claim):
    run, first = (CLAIMS[claim], MODEL) if claim in CLAIMS else (METHODS[claim], method)
    audit = getattr(pytest_unlearn, f"audit_{claim}", None)
    names = {*LIMITS, "confidence", "max_share_left"} & set(inspect.signature(audit or run).parameters)
    for name in names | ({"max_mia_auc", "confidence"} if claim == "release" else set()):
        for value in ("0.6", NAN, INF, -1, True, [0.6], 55):
            said = name if name != "max_ratio" else "max_relearning"
            refused(lambda name=name, value=value: run(first, **{name: value}), f"{said} must be")


@pytest.mark.parametrize("claim", [name for name in [*CLAIMS, *METHODS] if name not in ("survives", "request")])
def test_an_output_that_picks_nothing_is_refused(claim):
    run, first = (CLAIMS[claim], MODEL) if claim in CLAIMS else (METHODS[claim], method)
    if claim not in ("efficient", "unlearn"):
        for value in (0.5, ["logits"], MODEL, True):
            refused(lambda value=value: run(first, output=value), "output= is the key or position of the logits")
        refused(lambda: run(first, output_kind="softmax"), "output_kind must be one of 'logits'")


def with_the_task(**given):
    return lambda: audit_forgotten(MODEL, TASK.forget, **given)


CALLS = {
    # what is compared with what
    "references that are none": (with_the_task(references=[None]), r"references\[0\] is None"),
    "references as paths": (with_the_task(references=["a.pt", "b.pt"]), r"references\[0\] is 'a\.pt'"),
    "references as a path": (with_the_task(references="a.pt"), r"references must be a list of retrained models"),
    "one reference": (with_the_task(references=MODEL), r"for one model write references=\[model\]"),
    "a number of references": (with_the_task(references=4), "references must be a list of retrained models"),
    "a baseline that is a path": (with_the_task(baseline="original.pt"), "baseline is 'original.pt'"),
    "a baseline that is a regressor": (with_the_task(baseline=Ridge().fit(X, Y)), "baseline is a regressor"),
    "match that is no rule": (with_the_task(match="label"), 'names no column of .*: match is "class", None'),
    "match as True": (with_the_task(match=True), 'match is "class", None, .*not True'),
    "nonmembers of another width": (
        with_the_task(nonmembers=(X[200:260, :32], Y[200:260])),
        r"examples of controls have shape \(32,\)",
    ),
    "nonmembers that were trained on": (with_the_task(nonmembers=TRAIN), "exact copies of train examples"),
    "nonmembers that are a model": (with_the_task(nonmembers=MODEL), "controls must be a map-style dataset"),
    "nonmembers that are empty": (with_the_task(nonmembers=(X[:0], Y[:0])), "controls is empty"),
    # slices and attacks
    "slices as a list": (with_the_task(slices=[np.arange(3)]), "slices= takes a mapping"),
    "a slice of train": (with_the_task(slices={"old": np.ones(60, bool)}), r"mask over the 10 forget examples"),
    "a slice of nobody": (with_the_task(slices={"old": np.zeros(10, bool)}), "slice 'old' holds no forget example"),
    "a slice beyond the request": (with_the_task(slices={"old": [3, 10]}), "positions outside the forget set of 10"),
    "a slice of fractions": (with_the_task(slices={"old": [0.5, 1.5]}), "must be a boolean mask"),
    "no attacks": (with_the_task(attacks=[]), r"attacks=\[\] adds none"),
    "an unknown attack": (with_the_task(attacks=["lira2"]), "there is no attack 'lira2'"),
    "attacks as a number": (with_the_task(attacks=3), "attacks= takes"),
    "an attack that needs weights": (
        lambda: audit_forgotten(lambda x: x[:, :10], TASK.forget, attacks=["gradient norm"]),
        "'gradient norm' cannot be run: it needs the weights",
    ),
    # the request
    "model and forget swapped": (lambda: audit_forgotten(TASK.forget, MODEL), "are the arguments swapped"),
    "a task for its view": (lambda: audit_forgotten(MODEL, TASK), "forget is an UnlearningTask: pass task.forget"),
    "a split for a view": (lambda: audit_forgotten(MODEL, SPLIT), "forget is a Split.*UnlearningTask"),
    "indices for a view": (lambda: audit_forgotten(MODEL, [1, 2, 3]), r"forget\[0\] is not an \(x, y\) pair"),
    "the test view": (lambda: audit_forgotten(MODEL, TASK.test), "not its test view: pass task.forget"),
    "a loader of the retain view": (
        lambda: audit_forgotten(MODEL, TASK.retain.loader()),
        "not its retain view: pass task.forget",
    ),
    "a bare dataset": (lambda: audit_forgotten(MODEL, BARE), "nonmembers= is missing"),
    "a bare dataset without an original": (
        lambda: audit_forgotten(MODEL, BARE, nonmembers=TEST),
        "baseline= is missing",
    ),
    "an empty request": (lambda: audit_forgotten(MODEL, [], nonmembers=TEST), "forget is empty|nonmembers= is missing"),
    "a request by its path": (lambda: audit_forgotten(MODEL, "forget.npz"), "'forget.npz', not the data: load it"),
    "no request": (lambda: audit_forgotten(MODEL, None), "forget is None"),
    "features of a bare dataset": (lambda: audit_features_forgotten(MODEL, BARE), "build an UnlearningTask"),
    "reduction without an original": (
        lambda: audit_leakage_reduced(MODEL, BARE, nonmembers=TEST, require_controls=False),
        "compares with the original model: pass baseline=",
    ),
    # other claims' own settings
    "a class that is partly forgotten": (lambda: audit_class_forgotten(MODEL, PART.forget), "only partly forgotten"),
    "too few references for a class": (
        lambda: audit_class_forgotten(MODEL, task_of(WHOLE.split, references=2).forget),
        "3 different references or more .*; it has 2",
    ),
    "a shift of NaN": (lambda: audit_class_forgotten(MODEL, WHOLE.forget, max_shift=NAN), "max_shift must be"),
    "a shift in percent": (lambda: audit_class_forgotten(MODEL, WHOLE.forget, max_shift=15), "max_shift must be"),
    "features of an unknown layer": (
        lambda: audit_features_forgotten(MODEL, TASK.forget, layers=["head"]),
        "the model has no layer 'head'",
    ),
    "layers as text": (
        lambda: audit_features_forgotten(MODEL, TASK.forget, layers="head"),
        "layers= is a list of names",
    ),
    "no layers": (lambda: audit_features_forgotten(MODEL, TASK.forget, layers=[]), "layers= names no layer"),
    "features of a function": (
        lambda: audit_features_forgotten(lambda x: x[:, :10], TASK.forget),
        "features are what an nn.Module computes",
    ),
    "neighbours as a list": (
        lambda: audit_no_residual(MODEL, TASK.forget, neighbours=[len]),
        "neighbours= takes a mapping",
    ),
    "changes that are no functions": (
        lambda: audit_no_residual(MODEL, TASK.forget, changes={"4-bit": 4}),
        "changes= takes a mapping from names to functions",
    ),
    "nothing to try": (lambda: audit_no_residual(MODEL, TASK.forget, neighbours={}, changes={}), "nothing to try"),
    "relearning of a function": (
        lambda: audit_not_relearnable(lambda x: x[:, :10], TASK.forget),
        "needs an nn.Module, not a function",
    ),
    "half a step": (lambda: audit_not_relearnable(MODEL, TASK.forget, steps=0.5), "steps must be a whole number"),
    "no seeds": (lambda: audit_not_relearnable(MODEL, TASK.forget, seeds=0), "seeds must be a whole number"),
    "seeds as True": (lambda: audit_not_relearnable(MODEL, TASK.forget, seeds=True), "seeds must be a whole number"),
    "relearning at an infinite rate": (
        lambda: audit_not_relearnable(MODEL, TASK.forget, learning_rate=INF),
        "learning_rate must be a finite number above 0",
    ),
    "a baseline of another name": (lambda: audit_utility(MODEL, TASK.test, baseline="best"), 'must be "original"'),
    "no baseline": (lambda: audit_utility(MODEL, TASK.test, baseline=None), "baseline= is missing"),
    "an empty list of baselines": (lambda: audit_utility(MODEL, TASK.test, baseline=[]), "baseline= is an empty list"),
    "a baseline of None among models": (
        lambda: audit_utility(MODEL, TASK.test, baseline=[None]),
        r"baseline\[0\] is None",
    ),
    "utility on a bare loader": (lambda: audit_utility(MODEL, DataLoader(BARE)), "baseline= is missing"),
    "no retrained models": (lambda: audit_matches_retrained(MODEL, ALONE.test), "no retrained references"),
    "canaries that were not planted": (
        lambda: audit_canaries_forgotten(MODEL, [1, 2]),
        "must come from plant_canaries",
    ),
    "canaries of another task": (
        lambda: audit_canaries_forgotten(MODEL, CANARIES, task=TASK),
        "not built on these canaries",
    ),
    "an effect in percent": (
        lambda: audit_canaries_forgotten(MODEL, CANARIES, 60, task=PLANTED),
        "max_effect of mislabelled",
    ),
    "an effect of NaN": (
        lambda: audit_canaries_forgotten(MODEL, CANARIES, NAN, task=PLANTED),
        "max_effect of mislabelled",
    ),
    # releases
    "a release of a split": (lambda: audit_release(MODEL, SPLIT), "build an UnlearningTask"),
    "a policy that is none": (
        lambda: audit_release(MODEL, TASK, "strict"),
        "there is no policy 'strict'; there are quick",
    ),
    "a policy of None": (lambda: audit_release(MODEL, TASK, None), "there is no policy None"),
    "a policy without steps": (
        lambda: audit_release(MODEL, TASK, Policy(name="mine", says="", steps=())),
        "'mine' names no claim",
    ),
    "a policy of names": (
        lambda: audit_release(MODEL, TASK, Policy(name="mine", says="", steps=("utility",))),
        r"steps is a tuple of Step\(claim=",
    ),
    "a policy with an impossible limit": (
        lambda: audit_release(
            MODEL, TASK, Policy(name="mine", says="", steps=(Step(claim="utility", says="", keywords={"max_drop": 7}),))
        ),
        "max_drop must be",
    ),
    "a release setting of no claim": (lambda: audit_release(MODEL, TASK, max_auc=0.6), "has a setting 'max_auc'"),
    "a file that is not there": (lambda: audit_release(MODEL, TASK, files=["nowhere.pt"]), "nowhere.pt"),
    "a method that is a model": (lambda: audit_release(MODEL, TASK, unlearner=MODEL), "a Linear is a model"),
    "canaries that are a task": (lambda: audit_release(MODEL, TASK, canaries=TASK), "must come from plant_canaries"),
    "a release without references": (lambda: audit_release(MODEL, ALONE), "judged by retrained models"),
    # methods
    "two runs": (lambda: audit_algorithm(method, TASK, runs=2), "runs must be a whole number from 3"),
    "runs as text": (lambda: audit_algorithm(method, TASK, runs="10"), "runs must be a whole number from 3"),
    "requests of another kind": (lambda: audit_algorithm(method, TASK, requests="random"), '"drawn" or "same"'),
    "few runs": (lambda: audit_indistinguishable(method, TASK, runs=9), "runs must be a whole number from 10"),
    "originals of another kind": (lambda: audit_indistinguishable(method, TASK, originals="two"), '"fresh" or "one"'),
    "half a pair": (lambda: audit_efficient(method, TASK, repeats=2.5), "repeats must be a whole number of pairs"),
    "a clock that is a number": (lambda: audit_efficient(method, TASK, clock=3), "clock is a function"),
    "no requests": (lambda: audit_sequence(method, TASK, []), "requests is empty"),
    "requests as text": (lambda: audit_sequence(method, TASK, "drawn"), "requests must be a list of index arrays"),
    "a request twice": (lambda: audit_sequence(method, TASK, [[1], [1]]), "deleted already"),
    "a request beyond train": (lambda: audit_sequence(method, TASK, [[60]]), "names position 60, and train has 60"),
    "a request of fractions": (lambda: audit_sequence(method, TASK, [[0.5]]), "whole numbers in one dimension"),
    "rounds of a list": (lambda: audit_sequence(method, TASK, [[1]], rounds=2), "are for an adversary"),
    "an adversary without end": (lambda: audit_sequence(method, TASK, lambda *_: [1]), "an adversary needs rounds="),
    "a budget of nothing": (lambda: audit_survives(method, TASK, budget=0), "must be at least 1"),
    "a budget as text": (lambda: audit_survives(method, TASK, budget="1h"), "a budget is a number of requests"),
    "a family that is none": (lambda: audit_survives(method, TASK, families=["rare"]), "rare"),
    "a negative search seed": (lambda: audit_survives(method, TASK, seed=-1), "whole number from 0"),
    "a request that is none": (lambda: audit_request(method, TASK, [1, 2]), "a request is a ForgetRequest"),
    "a negative seed of the method": (lambda: TASK.unlearn(method, seed=-1), "seed must be a whole number from 0"),
    "arguments of a method's claim swapped": (lambda: audit_algorithm(TASK, method), "UnlearningTask"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_is_refused_before_anything_is_trained(call):
    refused(*CALLS[call])


def test_a_right_call_does_train():
    with pytest.raises(Trained):
        audit_forgotten(MODEL, TASK.forget)
    with pytest.raises(Trained):
        audit_algorithm(method, TASK)
