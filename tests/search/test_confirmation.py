"""What becomes of a suspicion or a doubt: it is confirmed, put aside, found untestable, or stands."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis.errors import UnsatisfiedAssumption
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from pytest_unlearn import EstimatorRecipe, ForgetRequest, Split, UnlearningTask, Verdict, audit_request, audit_survives
from pytest_unlearn.search.confirmation import (
    CONFIRMATION,
    REPEAT_ON_SEARCHED_MODEL,
    REPEAT_SEARCH,
    RETRAINED_CONFIRMATION,
    RETRAINED_CONTROL,
    SEARCH,
    Attempt,
    confirm_suspicion,
    evaluate_request,
    run_guarded,
    task_for,
)
from pytest_unlearn.search.screening import RequestResult, RequestRunner
from tests.evidences import evidence
from tests.search.conftest import LIMIT, RECIPE
from tests.search.weaknesses import Forgets, noisy_digits

REQUEST = ForgetRequest("random", size=30)
HELD, SEEN = {"powerful": True}, {"powerful": True, "suspicious": True}
UNSURE, OBSTACLE = {}, {"obstacle": "left out (Skipped)"}
SILENT = {"powerful": True, "doubt": "every answer is the same", "kinds": frozenset({"invalid"})}
ASTRAY = {"powerful": True, "doubt": "no power on this model", "kinds": frozenset({"uncorrelated"})}
LOST = {"powerful": True, "doubt": "no power on this model", "kinds": frozenset({"invalid", "uncorrelated everywhere"})}


def outcome(**seen):
    """What a request comes to where each stage gives what is named for it, and which stages there were."""
    stages = {
        SEARCH: "search",
        CONFIRMATION: "confirmation",
        RETRAINED_CONTROL: "honest",
        REPEAT_ON_SEARCHED_MODEL: "same",
        RETRAINED_CONFIRMATION: "peer",
        REPEAT_SEARCH: "more",
    }
    taken = []

    def looked(request, stage):
        taken.append(stages[stage])
        found = seen[stages[stage]]
        return Attempt(RequestResult(request, 30, **found), evidence=evidence("FAIL" if found == SEEN else "PASS"))

    attempt = confirm_suspicion(looked, REQUEST)
    result = attempt.result
    said = "fails" if attempt.fails else "obstacle" if result.obstacle else "invalid" if result.invalid else ""
    return said or ("doubt" if result.doubt else "held"), taken


@pytest.mark.parametrize(
    ("seen", "becomes", "stages"),
    [
        ({"search": HELD}, "held", ["search"]),
        ({"search": OBSTACLE}, "obstacle", ["search"]),
        ({"search": SEEN, "confirmation": SEEN}, "fails", ["search", "confirmation"]),
        (
            {"search": SEEN, "confirmation": HELD, "honest": HELD, "same": HELD},
            "held",
            ["search", "confirmation", "honest", "same"],
        ),
        (
            {"search": SEEN, "confirmation": HELD, "honest": HELD, "same": SEEN},
            "doubt",
            ["search", "confirmation", "honest", "same"],
        ),
        (
            {"search": SEEN, "confirmation": UNSURE, "honest": HELD, "more": SEEN},
            "doubt",
            ["search", "confirmation", "honest", "more"],
        ),
        (
            {"search": SEEN, "confirmation": UNSURE, "honest": HELD, "more": HELD, "same": UNSURE},
            "obstacle",
            ["search", "confirmation", "honest", "more", "same"],
        ),
        (
            {"search": SEEN, "confirmation": OBSTACLE, "honest": HELD, "more": SEEN},
            "doubt",
            ["search", "confirmation", "honest", "more"],
        ),
        (
            {"search": SEEN, "confirmation": OBSTACLE, "honest": HELD, "more": HELD, "same": SEEN},
            "doubt",
            ["search", "confirmation", "honest", "more", "same"],
        ),
        (
            {"search": SEEN, "confirmation": SILENT, "honest": HELD, "more": SEEN},
            "doubt",
            ["search", "confirmation", "honest", "more"],
        ),
        (
            {"search": SEEN, "confirmation": SILENT, "honest": HELD, "more": HELD, "same": UNSURE},
            "obstacle",
            ["search", "confirmation", "honest", "more", "same"],
        ),
        ({"search": SEEN, "confirmation": UNSURE, "honest": SEEN}, "obstacle", ["search", "confirmation", "honest"]),
        ({"search": SILENT, "honest": SILENT}, "obstacle", ["search", "honest"]),
        ({"search": SILENT, "honest": HELD, "confirmation": SEEN}, "fails", ["search", "honest", "confirmation"]),
        ({"search": ASTRAY, "honest": SILENT, "confirmation": SEEN}, "fails", ["search", "honest", "confirmation"]),
        (
            {"search": SEEN, "confirmation": HELD, "honest": HELD, "same": SILENT},
            "doubt",
            ["search", "confirmation", "honest", "same"],
        ),
        (
            {"search": ASTRAY, "honest": HELD, "confirmation": HELD, "same": HELD},
            "held",
            ["search", "honest", "confirmation", "same"],
        ),
        (
            {"search": SILENT, "honest": HELD, "confirmation": HELD, "same": SILENT},
            "invalid",
            ["search", "honest", "confirmation", "same"],
        ),
        (
            {"search": LOST, "honest": SILENT, "confirmation": SILENT, "peer": SILENT},
            "invalid",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": SILENT, "honest": HELD, "confirmation": SILENT, "peer": HELD},
            "invalid",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": SILENT, "honest": HELD, "confirmation": SILENT, "peer": UNSURE},
            "invalid",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": ASTRAY, "honest": HELD, "confirmation": ASTRAY, "peer": HELD},
            "doubt",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": ASTRAY, "honest": HELD, "confirmation": UNSURE, "peer": HELD},
            "doubt",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": ASTRAY, "honest": HELD, "confirmation": UNSURE, "peer": UNSURE},
            "obstacle",
            ["search", "honest", "confirmation", "peer"],
        ),
        (
            {"search": ASTRAY, "honest": HELD, "confirmation": ASTRAY, "peer": ASTRAY},
            "obstacle",
            ["search", "honest", "confirmation", "peer"],
        ),
    ],
)
def test_what_becomes_of_a_first_evaluation(seen, becomes, stages):
    assert outcome(**seen) == (becomes, stages)


@pytest.fixture
def runner(world):
    return RequestRunner(world.task, Forgets(RECIPE), LIMIT, 0.95)


def looked(runner, request, raised):
    def looking():
        raise raised

    return run_guarded(runner, request, looking)


class Unsupported(Exception):  # noqa: N818 - the name is what counts
    """As a method raises it where it does not apply."""


def test_what_the_method_or_the_test_raises_is_suspicious(runner):
    with pytest.raises(pytest.fail.Exception) as failed:
        pytest.fail("leak")
    for raised in (RuntimeError("out of range"), failed.value):
        attempt = looked(runner, REQUEST, raised)
        assert attempt.result.suspicious
        assert attempt.error is raised


def test_what_is_left_out_by_the_test_or_the_method_is_not(runner):
    with pytest.raises(pytest.skip.Exception) as skipped:
        pytest.skip("too small")
    for raised in (skipped.value, UnsatisfiedAssumption(), Unsupported("linear models only")):
        assert looked(runner, REQUEST, raised).result.obstacle == f"left out ({type(raised).__name__})"


def test_an_interrupt_is_nobodys_failure(runner):
    with pytest.raises(KeyboardInterrupt):
        looked(runner, REQUEST, KeyboardInterrupt())


def split_of(labels, controls):
    inputs = np.random.default_rng(0).normal(size=(len(labels) + len(controls), 4)).astype(np.float32)
    train = (inputs[: len(labels)], np.asarray(labels))
    return Split(train, forget=[0], test=(inputs[len(labels) :], np.asarray(controls)))


def test_all_of_train_or_a_class_with_one_control_is_not_asked_for(tmp_path):
    task = UnlearningTask(split_of([0, 1] * 20 + [2] * 5, [0, 1] * 20 + [2]), RECIPE, references=0, cache_dir=tmp_path)
    runner = RequestRunner(task, Forgets(RECIPE), LIMIT, 0.95)
    everything = ForgetRequest("sequence", parts=tuple(ForgetRequest("whole-class", label=k) for k in range(3)))
    assert "nothing would be left" in evaluate_request(runner, everything, SEARCH).result.obstacle
    rare = evaluate_request(runner, ForgetRequest("whole-class", label=2), SEARCH)
    assert "class 2 has too few controls" in rare.result.obstacle


@pytest.mark.slow
def test_what_the_recipe_cannot_do_is_no_fault_of_the_method(tmp_path):
    recipe = EstimatorRecipe(LogisticRegression())
    task = UnlearningTask(split_of([0, 1] * 40, [0, 1] * 40), recipe, references=0, cache_dir=tmp_path)
    attempt = evaluate_request(RequestRunner(task, Forgets(recipe), LIMIT, 0.95), ForgetRequest("whole-class"), SEARCH)
    assert attempt.result.obstacle.startswith("the recipe cannot be trained on what is left (ValueError: ")


@pytest.mark.slow
def test_a_method_that_raises_fails_and_the_line_shows_it_again(world):
    def crashing(model, retain, forget, *, seed):
        if len(forget) > 60:
            raise RuntimeError("out of range")
        return Forgets(RECIPE)(model, retain, forget, seed=seed)

    found = audit_survives(crashing, world.task, families=["random"], budget=4, max_mia_auc=LIMIT)
    assert found.verdict is Verdict.FAIL
    assert "RuntimeError: out of range" in found.reasons[1]
    assert found.reasons[2].startswith("replay: audit_request(unlearner, task, ForgetRequest('random', size=6")
    again = audit_request(crashing, world.task, ForgetRequest("random", size=80), max_mia_auc=LIMIT)
    assert again.verdict is Verdict.FAIL
    assert "RuntimeError: out of range" in again.reasons[1]


def test_every_request_of_a_method_that_never_applies_leaves_nothing_proven(world):
    def never(model, retain, forget, *, seed):
        raise Unsupported("linear models only")

    found = audit_survives(never, world.task, families=["random"], budget=3)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "3 of them could not be asked: left out (Unsupported)" in found.reasons


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("right_under_the_seed_of_releases", [True, False])
def test_a_method_that_is_right_under_some_seeds_only_does_not_survive(world, right_under_the_seed_of_releases):
    def lucky(model, retain, forget, *, seed):
        right = (seed == world.task.seed) == right_under_the_seed_of_releases
        return Forgets(RECIPE)(model, retain, forget, seed=seed) if right else model

    found = audit_survives(lucky, world.task, families=["random", "cluster"], budget=12, max_mia_auc=LIMIT)
    assert found.verdict is (Verdict.FAIL if right_under_the_seed_of_releases else Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_power_is_what_the_whole_search_sees_in_the_original(tmp_path):
    split, _ = noisy_digits(train=600, noise=0.0)
    recipe = EstimatorRecipe(GaussianNB())  # remembers hardly anything: the pool sees what one reference does not
    task = UnlearningTask(split, recipe, references=0, cache_dir=tmp_path)
    found = audit_survives(lambda model, retain, forget, *, seed: model, task, budget=30, max_mia_auc=LIMIT)
    assert found.verdict is not Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("limit", [LIMIT, 0.7])
def test_labels_alone_have_no_more_power_than_the_originals_labels(world, limit):
    def labels_of_the_original(model, retain, forget, *, seed):
        return lambda inputs: np.eye(10)[model.predict(np.asarray(inputs)).astype(int)] * 20

    found = audit_survives(labels_of_the_original, world.task, families=["random"], budget=6, max_mia_auc=limit)
    assert found.verdict is not Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("limit", [LIMIT, pytest.param(0.7, marks=pytest.mark.long)])
def test_a_method_that_collapses_under_the_seed_of_releases_does_not_pass(world, limit):
    def collapses(model, retain, forget, *, seed):
        if seed == world.task.seed:
            return lambda inputs: np.zeros((len(inputs), 10))
        return Forgets(RECIPE)(model, retain, forget, seed=seed)

    found = audit_survives(collapses, world.task, families=["random"], budget=8, max_mia_auc=limit)
    assert found.verdict in (Verdict.INVALID, Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_a_constant_model_is_not_excused_by_what_retraining_does_to_one_class(world):
    def gives_up(model, retain, forget, *, seed):
        if set(forget.labels) - set(retain.labels):
            return lambda inputs: np.zeros((len(inputs), 10))
        return Forgets(RECIPE)(model, retain, forget, seed=seed)

    found = audit_survives(gives_up, world.task, families=["random", "whole-class"], budget=4, max_mia_auc=LIMIT)
    assert found.verdict in (Verdict.INVALID, Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_what_is_drowned_in_noise_for_one_kind_of_request_only_does_not_pass(world):
    def noisy(model, retain, forget, *, seed):
        if len(set(forget.labels)) > 1:
            return Forgets(RECIPE)(model, retain, forget, seed=seed)
        return lambda inputs: np.random.default_rng(len(inputs)).normal(size=(len(inputs), 10))

    kinds = ["random", "cluster", "class-fraction", "outliers"]
    found = audit_survives(noisy, world.task, families=kinds, budget=16, max_mia_auc=LIMIT)
    assert found.verdict is not Verdict.PASS


@pytest.mark.slow
def test_part_of_a_group_is_asked_for_without_a_warning(world):
    split = world.task.split
    grouped = Split(split.train, forget=[0], test=split.test, groups=np.arange(600))
    task = UnlearningTask(grouped, RECIPE, references=0, cache_dir=world.task.store.directory)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attempt = evaluate_request(RequestRunner(task, Forgets(RECIPE), LIMIT, 0.95), REQUEST, CONFIRMATION)
    assert attempt.evidence is not None


@pytest.mark.slow
def test_a_request_is_looked_at_with_the_groups_of_the_controls_it_is_compared_with(world):
    split, rng = world.task.split, np.random.default_rng(0)

    def bench_of(owners):
        grouped = Split(split.train, forget=[0], test=split.test, groups=np.arange(600), control_groups=owners)
        task = UnlearningTask(grouped, RECIPE, references=0, cache_dir=world.task.store.directory)
        return RequestRunner(task, lambda model, retain, forget, *, seed: model, LIMIT, 0.95)

    owners = 400 + rng.integers(0, 500, len(split.test))
    several, lonely = bench_of(owners), bench_of(np.full(len(split.test), 7000))
    assert evaluate_request(several, REQUEST, SEARCH).result.suspicious
    assert evaluate_request(lonely, REQUEST, SEARCH).result.estimate.low == 0.0  # one person's examples tell nothing
    again = task_for(several, REQUEST, CONFIRMATION).split
    whose = owners[several.stats.held_out.indices[several.halves[CONFIRMATION.half]]]
    named = np.r_[np.arange(600), whose]
    assert (np.unique(named, return_inverse=True)[1][600:] == again.control_groups).all()
    assert len(again.control_groups) == len(again.held_out)
