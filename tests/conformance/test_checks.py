"""Every check can fail: a method that breaks one promise is caught by the checks of that promise and by no other."""

from __future__ import annotations

import pytest
import torch

from pytest_unlearn import check_unlearner, unlearner_checks
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


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_caught_by_its_checks_alone(name: str) -> None:
    unlearner, checks = BROKEN[name]
    failed = {outcome.check: outcome.reason for outcome in check_unlearner(unlearner, on_fail=None).failed}
    assert set(failed) == checks, failed


def test_every_check_is_broken_by_something() -> None:
    caught = set().union(*(checks for _, checks in BROKEN.values()))
    assert {check.name for check in unlearner_checks(Careful())} - caught == {"supports-some-problem"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_result_that_does_not_stay_on_its_device_is_caught() -> None:
    report = check_unlearner(Then(moves_to_the_cpu), on_fail=None)
    assert [outcome.check for outcome in report.failed] == ["dtypes-and-devices-kept"]
