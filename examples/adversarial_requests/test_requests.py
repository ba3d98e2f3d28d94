"""Good on every random request, and yet not a method to release."""

from typing import Any

import pytest

from pytest_unlearn import AuditFailure, ForgetRequest, UnlearningTask, assert_forgotten, assert_survives, audit_request
from pytest_unlearn.search.unlearned import Unlearn

LIMIT = 0.6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_random_request_is_forgotten(unlearn: Unlearn, seed: int) -> None:
    left = unlearn(ForgetRequest("random", size=180, seed=seed))
    assert_forgotten(left.model, left.task.forget, max_mia_auc=LIMIT)


@pytest.mark.slow
def test_but_there_is_a_request_that_is_not(unlearner: Any, unlearning_task: UnlearningTask) -> None:
    with pytest.raises(AuditFailure) as failure:  # a release gate would leave this line out
        assert_survives(unlearner, unlearning_task, budget=60, max_mia_auc=LIMIT)
    print(failure.value)  # shown by pytest -s
    assert "ForgetRequest('sequence'" in str(failure.value)


@pytest.mark.slow
def test_the_printed_line_shows_it_again(unlearner: Any, unlearning_task: UnlearningTask) -> None:
    request = ForgetRequest("sequence", parts=(ForgetRequest("random", size=40), ForgetRequest("random", seed=1)))
    assert audit_request(unlearner, unlearning_task, request, max_mia_auc=LIMIT).verdict == "FAIL"
