"""Utility of a language model: a drop in the probability of a token, by document."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch

from pytest_unlearn import Verdict, audit_text_utility
from tests.worlds.documents import World
from tests.worlds.language import Memory


@functools.cache
def world() -> World:
    return World()


@functools.cache
def task() -> Any:
    return world().task()


def test_a_retrained_model_is_as_good_as_the_others() -> None:
    found = audit_text_utility(world().retrained(7), task().test, 0.05, baseline="retrained")
    assert found.verdict is Verdict.PASS
    assert abs(found.estimate.value) < 0.05
    assert len(found.controls.retrained) == 4


def test_the_estimate_is_one_minus_the_ratio_of_probabilities() -> None:
    def less_sure(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Every token loses exactly .3 nats to one that never occurs."""
        law = world().original(ids, mask).log_softmax(-1)
        never = torch.full_like(law[..., :1], math.log(1 - math.exp(-0.3)))
        return torch.cat([law - 0.3, never], dim=-1)

    found = audit_text_utility(less_sure, task().test, 0.05)
    assert found.verdict is Verdict.FAIL
    assert found.estimate.value == pytest.approx(1 - math.exp(-0.3), abs=1e-6)


def test_the_baseline_itself_drops_by_nothing() -> None:
    assert audit_text_utility(world().original, task().test).estimate.value == 0


def test_a_better_model_passes() -> None:
    better = Memory([*world().retain, *world().held_out], 0.5, draw=0)
    found = audit_text_utility(better, task().test, 0.0)
    assert found.verdict is Verdict.PASS
    assert found.estimate.high < 0


def test_other_documents_need_a_model_to_compare_with() -> None:
    with pytest.raises(ValueError, match="baseline= is missing"):
        audit_text_utility(world().original, world().held_out)
    found = audit_text_utility(world().original, world().held_out, baseline=world().original)
    assert found.verdict is Verdict.PASS or found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("baseline", ["best", []], ids=["unknown", "empty"])
def test_a_baseline_that_is_none_is_refused(baseline: Any) -> None:
    with pytest.raises(ValueError, match="baseline"):
        audit_text_utility(world().original, task().test, baseline=baseline)
