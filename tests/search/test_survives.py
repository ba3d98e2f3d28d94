"""audit_survives: a method that is bad at one kind of request is caught, and one that retrains is not."""

from copy import deepcopy
from datetime import timedelta
from functools import partial

import numpy as np
import pytest

from pytest_unlearn import (
    AuditFailure,
    ForgetRequest,
    UnlearningTask,
    Verdict,
    assert_survives,
    audit_request,
    audit_survives,
)
from pytest_unlearn.core.settings import Setting
from pytest_unlearn.search.confirmation import unlearn_request
from pytest_unlearn.search.screening import CONFIRMATION, SEARCH, RequestRunner, unlearn_in_steps
from pytest_unlearn.search.survives import replay
from tests.search.conftest import LIMIT, RECIPE
from tests.search.weaknesses import Forgets, class_seven, large, mislabelled, weaknesses

NAMES = {"unlearner": None, "task": None}
SOME = ("random", "whole-class", "class-fraction", "cluster", "mislabelled", "sequence")


def survives(unlearner, world, requests=20, **rest):
    return audit_survives(unlearner, world.task, families=SOME, budget=requests, max_mia_auc=LIMIT, **rest)


def replayed(evidence):
    """The request in the line that audits it again."""
    line = next(reason for reason in evidence.reasons if reason.startswith("replay: "))
    return eval(line.removeprefix("replay: "), {**globals(), "audit_request": lambda *given, **_: given[2]}, NAMES)


@pytest.mark.slow
def test_retraining_survives_and_the_evidence_says_what_was_tried(world):
    evidence = survives(Forgets(RECIPE), world, requests=14)
    assert evidence.verdict is Verdict.PASS
    assert (evidence.estimate.value, evidence.estimate.n_forget) == (0, 14)
    assert evidence.reasons[0].startswith("14 requests searched, ")
    assert evidence.controls.original.holds
    table = evidence.figures[0]
    assert sum(row[1] for row in table.rows) == 14
    assert sum(row[2] for row in table.rows) == evidence.controls.original.estimate.value > 0


@pytest.mark.slow
def test_large_requests_are_not_forgotten_by_a_method_for_small_ones(world):
    weak = Forgets(RECIPE, partial(large, least=40))
    with pytest.raises(AuditFailure, match="there is a deletion request that the method fails on") as failure:
        assert_survives(weak, world.task, families=SOME, budget=20, max_mia_auc=LIMIT)
    request = replayed(failure.value.evidence)
    assert 40 <= request.size <= 80
    assert audit_request(weak, world.task, request, max_mia_auc=LIMIT).verdict is Verdict.FAIL
    small = ForgetRequest("random", size=39)
    assert audit_request(weak, world.task, small, max_mia_auc=LIMIT).verdict is not Verdict.FAIL


@pytest.mark.slow
def test_the_class_that_a_method_ignores_is_found(world):
    evidence = survives(Forgets(RECIPE, class_seven), world)
    assert evidence.verdict is Verdict.FAIL
    request = replayed(evidence)
    assert (request.family, request.label) in {("class-fraction", 7), ("whole-class", 7)}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", weaknesses(RECIPE, None, None))
def test_every_planted_weakness_is_found_among_all_families_and_made_small(world, name):
    method = weaknesses(RECIPE, world.wrong, world.task.original)[name]
    evidence = audit_survives(method, world.task, budget=60, max_mia_auc=LIMIT)
    assert evidence.verdict is Verdict.FAIL
    stages = {row[0]: row[2] for row in evidence.figures[1].rows}
    assert stages["confirmed"] <= (60 if name == "requests of 50 or more" else 30)


@pytest.mark.long
@pytest.mark.slow
def test_the_same_search_twice_gives_the_same_evidence(world):
    weak = Forgets(RECIPE, mislabelled(world.wrong))
    first, second = (survives(weak, world, seed=3).to_json() for _ in range(2))
    for evidence in (first, second):
        evidence["provenance"].pop("seconds")
        assert evidence["verdict"] == "FAIL"
    assert first == second


@pytest.mark.slow
def test_where_nothing_can_be_seen_nothing_passes(world):
    evidence = audit_survives(Forgets(RECIPE), world.task, families=["single"], budget=3, max_mia_auc=LIMIT)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no power" in reason for reason in evidence.reasons)


@pytest.mark.slow
@pytest.mark.parametrize("when", [1, 60])
def test_answers_that_cannot_be_judged_never_pass(world, when):
    honest = Forgets(RECIPE)

    def silent(model, retain, forget, *, seed):
        if len(forget) < when:
            return honest(model, retain, forget, seed=seed)
        return lambda inputs: np.zeros((len(inputs), 10))

    evidence = survives(silent, world, requests=6)
    assert evidence.verdict is Verdict.INVALID
    assert any("could not be judged: INVALID, unlike of a retrained model" in reason for reason in evidence.reasons)


def test_the_search_and_the_confirmation_share_no_control(world):
    runner = RequestRunner(world.task, Forgets(RECIPE), LIMIT, 0.95)
    screening, fresh = runner.controls(0), runner.controls(1)
    assert not set(screening.indices) & set(fresh.indices)
    assert len(screening) + len(fresh) == len(runner.stats.held_out)


@pytest.mark.slow
def test_the_confirmation_has_controls_seeds_and_references_of_its_own(world):
    runner, request = RequestRunner(world.task, Forgets(RECIPE), LIMIT, 0.95), ForgetRequest("random", size=30)
    searched, confirmed = (unlearn_request(runner, request, stage).task for stage in (SEARCH, CONFIRMATION))
    controls = [{row.tobytes() for row in task.controls.arrays()[0]} for task in (searched, confirmed)]
    assert not controls[0] & controls[1]
    seeds = [{job.seed for job in task.jobs()} for task in (searched, confirmed)]
    assert not seeds[0] & seeds[1]
    assert len(confirmed.retrained) > len(searched.retrained) > 1
    assert not set(confirmed.forget.indices) & set(confirmed.retain.indices)
    assert confirmed.original is searched.original is world.task.original


def test_a_sequence_asks_for_nothing_twice_and_leaves_the_original_alone(world):
    asked = []

    def spy(model, retain, forget, *, seed):
        assert not set(retain.indices) & set(forget.indices)
        asked.append((model, forget.indices.tolist(), len(retain)))
        return deepcopy(model)

    unlearn_in_steps(world.task, spy, [[1, 2, 3], [3, 4], [2]], seed=0)
    assert [(positions, left) for _, positions, left in asked] == [([1, 2, 3], 597), ([4], 596)]
    assert asked[0][0] is world.task.original
    assert asked[1][0] is not world.task.original


@pytest.mark.slow
def test_a_search_ends_when_its_time_is_spent(world):
    evidence = survives(Forgets(RECIPE), world, requests=timedelta(seconds=0.5))
    assert evidence.estimate.n_forget < 60


def test_what_cannot_be_searched_is_said_before_anything_is_trained(world):
    with pytest.raises(ValueError, match="give the task a recipe"):
        audit_survives(Forgets(RECIPE), UnlearningTask(world.task.split, references=0))
    with pytest.raises(ValueError, match="requests must be at least 1, not 0"):
        audit_survives(Forgets(RECIPE), world.task, budget=0)
    with pytest.raises(TypeError, match=r"called as unlearner\(model, retain, forget, \*, seed\), and None cannot be"):
        audit_survives(None, world.task)
    with pytest.raises(TypeError, match=r"needs an UnlearningTask\(split, recipe\), not a Split"):
        audit_request(Forgets(RECIPE), world.task.split, ForgetRequest("random"))
    with pytest.raises(TypeError, match="a request is a ForgetRequest"):
        audit_request(Forgets(RECIPE), world.task, [1, 2])
    with pytest.raises(ValueError, match="seed of a search is a whole number from 0, not -1"):
        audit_survives(Forgets(RECIPE), world.task, seed=-1)


@pytest.mark.long
@pytest.mark.slow
def test_the_line_that_replays_says_at_which_limit(world):
    keeps = Forgets(RECIPE, partial(large, least=0))
    found = audit_survives(keeps, world.task, families=["random"], budget=2, max_mia_auc=0.51, confidence=0.8)
    assert found.reasons[2].endswith(", max_mia_auc=0.51, confidence=0.8)")
    again = eval(
        found.reasons[2].removeprefix("replay: "),
        {"audit_request": audit_request, "ForgetRequest": ForgetRequest, "unlearner": keeps, "task": world.task},
    )
    assert again.verdict is Verdict.FAIL


def test_a_limit_that_was_given_is_printed_even_if_it_is_the_usual_one():
    request = ForgetRequest("random", size=7)
    given = {"max_mia_auc": Setting(0.55, "call keyword"), "confidence": Setting(0.95, "default")}
    line = f"audit_request(unlearner, task, {request!r}, max_mia_auc=0.55)"
    assert replay(request, given=given) == line


@pytest.mark.long
@pytest.mark.slow
def test_a_found_request_is_made_smaller_within_the_families_that_were_named(world):
    keeps = Forgets(RECIPE, partial(large, least=0))
    found = audit_survives(keeps, world.task, families=["outliers"], budget=2, max_mia_auc=LIMIT)
    assert replayed(found).family == "outliers"


@pytest.mark.long
@pytest.mark.slow
def test_two_workers_search_alike(world, tmp_path):
    found = []
    for jobs in (1, 2):
        task = UnlearningTask(world.task.split, RECIPE, references=0, cache_dir=tmp_path / str(jobs), n_jobs=jobs)
        evidence = audit_survives(Forgets(RECIPE), task, families=["random"], budget=2, max_mia_auc=LIMIT).to_json()
        found.append((evidence["verdict"], evidence["reasons"], evidence["exhibits"]))
    assert found[0] == found[1]
    assert found[0][0] == "PASS"
