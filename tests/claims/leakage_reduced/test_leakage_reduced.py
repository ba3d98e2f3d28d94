"""How much of what the original showed is gone, with its interval: a claim without a limit on an AUC."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import AuditFailure, Split, assert_leakage_reduced, audit_leakage_reduced
from pytest_unlearn.core.evidence import Verdict
from tests.worlds.simulated import World, changed, split

SMALL = split(n_forget=40, n_controls=5000)
SKILLED = {"difficulty": 0.5, "skill": 1.5}


def shares(boosts, seeds, least=0.5, data=SMALL, original=2.5):
    """The share of worlds in which a model with each boost PASSes."""
    passed = dict.fromkeys(boosts, 0)
    for seed in range(seeds):
        world = World(data, seed=seed, **SKILLED)
        task = world.task(boost=original)
        for boost in boosts:
            passed[boost] += audit_leakage_reduced(world.model(boost), task.forget, least).verdict is Verdict.PASS
    return {boost: count / seeds for boost, count in passed.items()}


@pytest.mark.slow
def test_forty_examples_show_that_half_is_gone_where_the_original_shows_them_plainly():
    found = shares((0.0, 2.2), seeds=10)
    assert found[0.0] >= 0.6
    assert found[2.2] == 0.0


@pytest.mark.slow
@pytest.mark.long
def test_honest_models_pass_four_times_in_five_and_half_remembering_ones_one_time_in_twenty_at_most():
    """A boost of 1.03 leaves at least half of the excess by either statistic in every one of these worlds' laws."""
    found = shares((0.0, 1.3, 2.2), seeds=200)
    assert found[0.0] >= 0.8
    assert found[1.3] <= 0.05
    assert found[2.2] == 0.0


def test_the_evidence_states_the_reduction_the_share_and_both_aucs():
    world = World(SMALL, **SKILLED)
    evidence = assert_leakage_reduced(world.model(), world.task(boost=2.5).forget)
    assert evidence.claim.lowest == 0.5
    assert evidence.estimate.low >= 0.5
    assert evidence.leakage_reduction.low == pytest.approx(evidence.estimate.low)
    table = evidence.figures[0]
    _, original, ours, gone, low, high = next(row for row in table.rows if row[0] == evidence.decided_by)
    assert gone == pytest.approx(1 - abs(ours - 0.5) / (original - 0.5), abs=1e-3)
    assert low <= gone <= high


def test_the_original_itself_fails():
    world = World(SMALL, **SKILLED)
    task = world.task(boost=2.5)
    with pytest.raises(AuditFailure, match="too much is left") as caught:
        assert_leakage_reduced(task.original, task.forget)
    assert caught.value.evidence.leakage_reduction.value == pytest.approx(0.0, abs=0.5)


def test_over_forgetting_leaves_as_much_as_remembering():
    world = World(split(n_forget=300, n_controls=3000), **SKILLED)
    evidence = audit_leakage_reduced(world.model(-2.5), world.task(boost=2.5).forget)
    assert evidence.verdict is Verdict.FAIL


def test_half_remembered_and_half_over_forgotten_does_not_pass_as_nothing_on_average():
    world = World(split(n_forget=300, n_controls=3000), **SKILLED)
    task = world.task(boost=2.5)
    up, down = (world.model(boost).parts["forget"] for boost in (2.5, -2.5))
    mixed = changed(world.model(), forget=lambda _: np.where(np.arange(len(up))[:, None] % 2, up, down))
    assert audit_leakage_reduced(mixed, task.forget).verdict is not Verdict.PASS


def test_an_original_that_shows_nothing_makes_it_not_testable_here():
    world = World(SMALL, **SKILLED)
    evidence = audit_leakage_reduced(world.model(), world.task(boost=0.0).forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "not recognised with certainty" in evidence.not_testable


@pytest.mark.slow
def test_references_that_remember_make_it_invalid():
    world = World(split(n_forget=300, n_controls=3000), **SKILLED)
    task = world.task(boost=2.5)
    references = [*world.references(3), world.model(2.5, seed=1003)]
    evidence = audit_leakage_reduced(world.model(), task.forget, references=references)
    assert evidence.verdict is Verdict.INVALID


def test_without_an_original_there_is_nothing_to_compare_with():
    data = (np.zeros((40, 3), dtype=np.float32) + np.arange(40)[:, None], np.arange(40) % 4)
    others = (100 + np.arange(40)[:, None] + np.zeros((40, 3), dtype=np.float32), np.arange(40) % 4)
    task_free = Split(data, forget=range(10), test=others)
    with pytest.raises(ValueError, match="compares with the original"):
        audit_leakage_reduced(
            lambda x: np.zeros((len(x), 4)), task_free.train, nonmembers=task_free.test, require_controls=False
        )


@pytest.mark.parametrize("least", [0.0, 1.0])
def test_a_reduction_is_between_nothing_and_all(least):
    world = World(SMALL, **SKILLED)
    with pytest.raises(ValueError, match="min_reduction"):
        audit_leakage_reduced(world.model(), world.task().forget, least)
