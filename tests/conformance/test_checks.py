"""Every check can fail: a method that breaks one promise is caught by the checks of that promise and by no other."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch import nn

from pytest_unlearn import EstimatorRecipe, check_unlearner, unlearner_checks
from tests.conformance.broken import BROKEN, Careful, Then
from tests.conformance.broken.result import moves_to_the_cpu


def test_a_careful_method_passes_every_check() -> None:
    report = check_unlearner(Careful())
    assert [outcome.check for outcome in report.passed] == [check.name for check in unlearner_checks(Careful())]


def test_data_come_in_the_precision_of_the_model() -> None:
    assert check_unlearner(Careful(cast=False)).ok


def test_a_method_of_large_steps_may_depend_on_the_order_as_much_as_on_the_seed() -> None:
    report = check_unlearner(Careful(lr=1.0, batch_size=16), on_fail=None)
    assert "order-of-retain-set-is-noise" in {outcome.check for outcome in report.passed}


# One for each set of checks is enough for every day; the others are slow.
DAILY = {frozenset(checks): name for name, (_, checks) in BROKEN.items()}.values()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in DAILY else pytest.param(name, marks=pytest.mark.slow) for name in BROKEN]
)
def test_a_broken_promise_is_caught_by_its_checks_alone(name: str) -> None:
    unlearner, checks = BROKEN[name]
    failed = {outcome.check: outcome.reason for outcome in check_unlearner(unlearner, on_fail=None).failed}
    assert set(failed) == checks, failed


def test_one_object_handed_over_again_and_again_is_not_reproducible() -> None:
    """Whatever it holds at last, it holds for every earlier call as well."""
    kept: list[nn.Module] = []

    def reuse(model, retain, forget, *, seed):
        result = Careful()(model, retain, forget, seed=seed)
        if len(forget) == 0 or (kept and result.state_dict().keys() != kept[0].state_dict().keys()):
            return result
        if not kept:
            kept.append(result)
        with torch.no_grad():
            for mine, new in zip(kept[0].parameters(), result.parameters(), strict=True):
                mine.copy_(new + torch.as_tensor(np.random.default_rng().normal(size=new.shape)))
        return kept[0]

    report = check_unlearner(reuse, on_fail=None)
    assert "same-seed-same-weights" in {outcome.check for outcome in report.failed}


def test_a_search_is_the_same_however_long_it_took() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)

    class Refit:
        def __call__(self, model, retain, forget, *, seed):
            if len(retain) == 0:
                raise ValueError("the retain set is empty")
            return EstimatorRecipe(search)(retain, seed=seed) if len(forget) else deepcopy(model)

    failed = check_unlearner(Refit(), recipe=EstimatorRecipe(search), on_fail=None).failed
    assert {outcome.check for outcome in failed} <= {"survives-pickling"}  # it is defined in this test


def test_the_train_of_a_module_is_not_taken_for_a_recipe() -> None:
    class Network(nn.Module):
        def __call__(self, model, retain, forget, *, seed):
            return Careful()(model, retain, forget, seed=seed)

    failed = check_unlearner(Network(), on_fail=None).failed
    assert {outcome.check for outcome in failed} <= {"survives-pickling"}


def test_every_check_is_broken_by_something() -> None:
    caught = set().union(*(checks for _, checks in BROKEN.values()))
    assert {check.name for check in unlearner_checks(Careful())} - caught == {"supports-some-problem"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_result_that_does_not_stay_on_its_device_is_caught() -> None:
    report = check_unlearner(Then(moves_to_the_cpu), on_fail=None)
    assert [outcome.check for outcome in report.failed] == ["dtypes-and-devices-kept"]
