"""Who is to blame: a failure names the attribute, the model or the function at fault, and what to pass instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn import Case, unlearner_checks
from pytest_unlearn.conformance.blame import unpicklable
from unlearners import FineTune, NoOp, from_loaders, isolated


@dataclass(frozen=True)
class Holding:
    """A method that is right, and holds what it is given."""

    held: Any

    def __call__(self, model, retain, forget, *, seed):
        return NoOp()(model, retain, forget, seed=seed)


def reason(method: Any, name: str) -> str:
    with pytest.raises(AssertionError) as caught:
        next(check for check in unlearner_checks(method) if check.name == name)()
    return str(caught.value)


def test_a_lambda_in_an_adapter_is_blamed_by_its_attribute() -> None:
    for method, path in (
        (Holding(lambda x: x), "held"),
        (Holding({"score": [lambda x: x]}), "held.['score'].[0]"),
        (partial(FineTune(epochs=0), loss=lambda logits, y: None), "loss"),
    ):
        assert unpicklable(method) == f"its attribute {path} is a lambda: define it with def at the top of a module."
    for adapter in (isolated(lambda model, retain, forget: model), from_loaders(lambda *loaders: None)):
        assert "is a lambda" in unpicklable(adapter)
    assert "is a lambda: define it with def" in reason(Holding(lambda x: x), "survives-pickling")


def test_a_model_that_cannot_be_pickled_is_blamed_and_not_the_method() -> None:
    class Local(nn.Module):
        pass

    said = reason(Holding(Local()), "survives-pickling")
    assert "its attribute held is a model that cannot be pickled" in said
    assert "no fault of the method" in said


def test_other_things_are_named_by_their_kind() -> None:
    def local(model, retain, forget, *, seed):
        return model

    @dataclass
    class Own:
        size: int = 1

    assert unpicklable(local) == "it is a function defined inside another: define it with def at the top of a module."
    assert "its attribute held is a lock, which cannot be pickled" in unpicklable(Holding(threading.Lock()))
    assert "is of a class defined inside a function (test_other" in unpicklable(Holding(Own()))


class Restless:
    """Gives another model in every run, whatever the seed."""

    runs = 0

    def __call__(self, model, retain, forget, *, seed):
        type(self).runs += 1
        copy = NoOp()(model, retain, forget, seed=seed)
        with torch.no_grad():
            next(copy.parameters()).add_(self.runs)
        return copy


class Forgetful:
    """Loses its setting in a pickle."""

    def __init__(self) -> None:
        self.scale = 2.0

    def __getstate__(self):
        return {"scale": 1.0}

    def __call__(self, model, retain, forget, *, seed):
        copy = NoOp()(model, retain, forget, seed=seed)
        with torch.no_grad():
            next(copy.parameters()).mul_(self.scale)
        return copy


def test_pickling_is_not_blamed_for_a_method_that_is_never_the_same() -> None:
    said = reason(Restless(), "survives-pickling")
    assert "another model in every run, pickled or not: see same-seed-same-weights" in said
    assert "round trip through pickle" in reason(Forgetful(), "survives-pickling")


def ten_outputs(model, retain, forget, *, seed):
    copy = NoOp()(model, retain, forget, seed=seed)
    copy.fc.weight.requires_grad_(True)  # the name of the last layer of a network that is not the suite's
    return copy


def test_a_method_for_one_network_is_told_how_to_be_checked_on_that() -> None:
    hint = "pass Case(ten_outputs, recipe, dataset=examples), where recipe(dataset, *, seed) trains such a network"
    assert hint in reason(ten_outputs, "supports-some-problem")
    assert hint in reason(ten_outputs, "input-model-untouched")


def test_one_that_has_such_a_network_is_not_told_again() -> None:
    def recipe(dataset, *, seed):
        torch.manual_seed(seed)
        return nn.Linear(6, 3)

    assert "Case(" not in reason(Case(ten_outputs, recipe), "supports-some-problem")


def test_a_crash_on_one_batch_alone_is_no_reason_for_another_network() -> None:
    def in_train_mode(model, retain, forget, *, seed):
        copy = NoOp()(model, retain, forget, seed=seed)
        if len(forget) == 1:
            raise ValueError("Expected more than 1 value per channel when training")
        return copy

    said = reason(in_train_mode, "one-forget-example")
    assert "crashed with ValueError" in said
    assert "Case(" not in said


class Sparing:
    """Leaves its lock out when it is pickled."""

    def __init__(self) -> None:
        self.lock, self.score = threading.Lock(), lambda x: x

    def __getstate__(self) -> dict[str, Any]:
        return {"score": self.score}


def test_what_a_class_leaves_out_of_its_pickle_is_not_blamed() -> None:
    assert "attribute score is a lambda" in unpicklable(Sparing())
