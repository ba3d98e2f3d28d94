"""Searches, laws and checks that cannot be meant are refused when a test is defined, before a method is run."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

from pytest_unlearn import (
    Budget,
    Case,
    ForgetRequest,
    Split,
    UnlearningTask,
    check_unlearner,
    forget_sets,
    parametrize_unlearners,
    stress,
    unlearner_checks,
    unlearning_laws,
)

X, Y = load_digits(return_X_y=True)
SPLIT = Split((X[:60], Y[:60]), forget=range(10), test=(X[60:160], Y[60:160]))
MODEL = nn.Linear(64, 10)
NAN, INF = float("nan"), float("inf")


def method(model, retain, forget, *, seed):
    raise AssertionError("the method was run")


def recipe(dataset, *, seed):
    raise AssertionError("a model was trained")


class Unseeded:
    def __call__(self, model, retain, forget):
        return method(model, retain, forget, seed=0)


TASK = UnlearningTask(SPLIT, recipe)
NO_METHOD = [
    (MODEL, "a Linear is a model"),
    (LogisticRegression(), "a LogisticRegression is a model"),
    (Unseeded, "Unseeded is a class: pass an instance"),
    (Unseeded(), "unexpected keyword argument 'seed'"),
    ("method.py", "'method.py' cannot be"),
    (3, "3 cannot be"),
]
USES = {
    "laws": lambda unlearner: unlearning_laws(unlearner, TASK),
    "checks": unlearner_checks,
    "check": check_unlearner,
    "parametrised": lambda unlearner: parametrize_unlearners([unlearner]),
    "case": Case,
}


def refused(call, says):
    with pytest.raises((TypeError, ValueError), match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("use", USES)
def test_what_is_no_method_is_refused(use):
    for unlearner, says in NO_METHOD:
        refused(lambda unlearner=unlearner: USES[use](unlearner), f"a method is called as .* {says}")


CALLS = {
    "a task that is a split": (lambda: unlearning_laws(method, SPLIT), "the laws need an UnlearningTask"),
    "a task that is a model": (lambda: unlearning_laws(method, MODEL), "the laws need an UnlearningTask"),
    "a recipe that is a model": (lambda: Case(method, MODEL), "the recipe is a Linear"),
    "a recipe without a seed": (lambda: unlearner_checks(method, recipe=lambda data: None), "a seed of its own"),
    "data that are a number": (lambda: Case(method, None, 7), "dataset is a map-style dataset"),
    "expected failures as a list": (lambda: Case(method, expected_failures=["a"]), "expected_failures is a mapping"),
    "expected failures as text": (
        lambda: check_unlearner(method, expected_failures="a"),
        "expected_failures is a mapping",
    ),
    "an unknown check": (lambda: check_unlearner(method, expected_failures={"nope": "why"}), "no check is named nope"),
    "another way to fail": (lambda: check_unlearner(method, on_fail="log"), "on_fail is"),
    "no methods": (lambda: parametrize_unlearners([]), "the list is empty"),
    "a search over arrays": (lambda: forget_sets((X, Y)), "drawn over a Split"),
    "a search over a task": (lambda: forget_sets(TASK), "drawn over a Split"),
    "an unknown family": (lambda: forget_sets(SPLIT, ["rare"]), "rare"),
    "no families": (lambda: forget_sets(SPLIT, []), "famil"),
    "sizes from 0": (lambda: forget_sets(SPLIT, sizes=(0, 3)), "sizes"),
    "sizes out of order": (lambda: forget_sets(SPLIT, sizes=(5, 3)), "sizes"),
    "sizes of fractions": (lambda: forget_sets(SPLIT, sizes=(0.1, 0.5)), "sizes"),
    "one size": (lambda: forget_sets(SPLIT, sizes=5), "sizes"),
    "a test that is a number": (lambda: stress(60), r"takes its settings by name, such as @stress\(budget=60\)"),
    "a test that is a model": (lambda: stress(MODEL), "takes its settings by name"),
    "a test that takes nothing": (lambda: stress(lambda: None), "hands over `unlearned`"),
    "a budget of nothing": (lambda: stress(budget=0), "at least 1"),
    "a budget of NaN": (lambda: stress(budget=NAN), "a budget is a number of requests"),
    "a budget as text": (lambda: unlearning_laws(method, TASK, budget="1h"), "a budget is a number of requests"),
    "stress sizes out of order": (lambda: stress(lambda unlearned: None, sizes=(3, 1)), "sizes"),
    "stress on an unknown family": (lambda: stress(lambda unlearned: None, families=["rare"]), "rare"),
    "only a number": (lambda: stress(lambda unlearned: None, only=3), "a request is a ForgetRequest"),
    "a budget without an end": (Budget, "a search needs an end"),
    "endless seconds": (lambda: Budget(seconds=INF), "more than 0 and finite"),
    "negative seconds": (lambda: Budget(seconds=-1), "more than 0"),
    "seconds of NaN": (lambda: Budget(seconds=NAN), "more than 0"),
    "seconds as text": (lambda: Budget(seconds="60"), "more than 0"),
    "half a request": (lambda: Budget(requests=0.5), "must be at least 1"),
    "trainings as True": (lambda: Budget(trainings=True), "must be at least 1"),
    "a request of nothing": (lambda: ForgetRequest("random", size=0), "a size from 1"),
    "a request of fractions": (lambda: ForgetRequest("random", size=2.5), "size is a whole number"),
    "a negative draw": (lambda: ForgetRequest("random", seed=-1), "from 0"),
    "another space": (lambda: ForgetRequest("cluster", space="pixels"), "space is one of"),
    "a union of nothing": (lambda: ForgetRequest("union"), "two or more parts"),
    "parts that are none": (lambda: ForgetRequest("union", parts=(1, 2)), "parts that are ForgetRequests"),
    "a family without a name": (lambda: ForgetRequest(None), "the name of a family"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_search_that_cannot_be_meant_is_refused(call):
    refused(*CALLS[call])


@pytest.mark.parametrize(
    "made",
    [
        lambda: Case(method, recipe, list(zip(X[:60], Y[:60], strict=True))),
        lambda: unlearning_laws(method, TASK, sizes=(np.int64(1), 5)),
        lambda: stress(budget=np.int64(3)),
        lambda: forget_sets(SPLIT, ["random"], (1, 5)),
    ],
)
def test_what_can_be_meant_is_taken(made):
    assert made() is not None
