"""Utility of a language model: a drop in the probability of a token, by document."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch

from pytest_unlearn import Evidence, Verdict, audit_text_utility
from pytest_unlearn.claims.text.utility import utility_finding
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


def lower(model: Any, nats: float) -> Any:
    """The same model, in which every token loses exactly so many nats."""

    def less_sure(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        law = model(ids, mask).log_softmax(-1) - nats
        return torch.cat([law, torch.full_like(law[..., :1], math.log(-math.expm1(-nats)))], dim=-1)

    return less_sure


def dropped(nats: float, references: list[float], limit: float = 0.05) -> Evidence:
    own = world().original
    baseline = [lower(own, one) for one in references]
    return audit_text_utility(lower(own, nats), world().held_out, limit, baseline=baseline)


def test_a_drop_that_one_more_training_shows_by_chance_accuses_nobody() -> None:
    varied = [0.01, 0.1, 0.2, 0.3]
    found = dropped(0.4, varied)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.estimate.low > 0.05  # of the mean of all trainings it is surely beyond
    assert any("retrained models drop by up to" in reason for reason in found.reasons)
    assert "retraining itself does not keep to this limit" in found.advice[0]
    assert dropped(1.5, varied).verdict is Verdict.FAIL
    assert dropped(0.35, [0.15, 0.1501, 0.1502, 0.1503]).verdict is Verdict.FAIL


def test_trainings_that_vary_make_no_worse_model_pass() -> None:
    assert dropped(0.2, [0.01, 0.1, 0.2, 0.3]).verdict is not Verdict.PASS
    assert dropped(0.3, [0.01, 0.6], limit=0.05).verdict is not Verdict.PASS


def test_an_honest_training_fails_at_most_as_often_as_the_confidence_allows() -> None:
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(300):
        shifts = rng.normal(0, 0.06, 5)
        losses = rng.normal(-4, 0.5, 100) + shifts[:, None] + rng.normal(0, 0.05, (5, 100))
        failed += fails(losses[0], losses[1:], 0.0)
    assert failed <= 0.05 * 300 + 2 * math.sqrt(0.05 * 0.95 * 300)


def fails(ours: np.ndarray, theirs: np.ndarray, limit: float) -> bool:
    finding = utility_finding(ours, theirs, np.arange(len(ours)), 0.95)
    assert finding.tested is not None
    return finding.tested.at(0.95).low > limit


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
