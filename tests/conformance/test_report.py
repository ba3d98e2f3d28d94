"""The report says how many checks ran and how each ended."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import torch

from pytest_unlearn import Case, check_unlearner
from pytest_unlearn.conformance import ConformanceError
from tests.conformance.broken import BROKEN, Careful
from tests.conformance.methods import Picky, continuous_only

SHARES, _ = BROKEN["shares_a_weight"]
NAME = "result-shares-nothing-with-the-input"


def test_it_prints_in_one_line_with_every_count_and_reason() -> None:
    method, _ = BROKEN["leaves_train_mode"]
    expected = {"modes-kept": "in train mode\nby design"}
    assert str(check_unlearner(Picky(continuous_only, method), expected_failures=expected)) == (
        "Picky: 35 checks ran: 33 passed, 0 failed, 1 failed as expected (modes-kept: in train mode by design), "
        "1 unsupported (works-on-lstm-on-tokens: it needs another problem.)"
    )


@pytest.mark.slow
def test_a_failure_is_raised_warned_of_or_left_to_the_caller() -> None:
    with pytest.raises(ConformanceError, match=rf"35 checks ran: 34 passed, 1 failed \({NAME}: Then returned a model"):
        check_unlearner(SHARES)
    with pytest.warns(UserWarning, match="34 passed, 1 failed"):
        check_unlearner(SHARES, on_fail="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not check_unlearner(SHARES, on_fail=None).ok
        assert check_unlearner(Careful(), on_fail="warn").ok
    with pytest.raises(ValueError, match="on_fail"):
        check_unlearner(SHARES, on_fail="ignore")


def test_an_expected_failure_that_passes_is_a_failure() -> None:
    report = check_unlearner(SHARES, expected_failures={NAME: "by design", "modes-kept": "once"}, on_fail=None)
    assert [outcome.check for outcome in report.expected] == [NAME]
    assert [outcome.check for outcome in report.failed] == ["modes-kept"]
    assert report.failed[0].reason == "it passes, but was expected to fail (once): expect it no longer"


def test_a_case_brings_its_own_expected_failures_and_name() -> None:
    report = check_unlearner(Case(SHARES, expected_failures={NAME: "by design"}, name="sharing"))
    assert (report.unlearner, report.expected[0].reason) == ("sharing", "by design")


def test_an_expected_failure_without_a_check_is_a_typo() -> None:
    with pytest.raises(ValueError, match="no check is named mode-kept; there are supports-some-problem, "):
        check_unlearner(Careful(), expected_failures={"mode-kept": "a typo"})


def test_it_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"report\.ok"):
        bool(check_unlearner(Careful()))


def test_the_process_is_left_as_it_was_found_by_the_worst_method() -> None:
    def vandal(model, retain, forget, *, seed):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(3)
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        np.seterr(all="raise")
        raise RuntimeError("and it crashes")

    def state():
        return (
            *(torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device(), np.geterr()),
            *(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), random.getstate()),
            *(torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()),  # noqa: NPY002
        )

    before = state()
    report = check_unlearner(vandal, on_fail=None)
    assert state() == before
    assert len(report.failed) == 35
