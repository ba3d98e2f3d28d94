"""audit_indistinguishable: verdicts on methods, by how like retrained models theirs are."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

from pytest_unlearn import (
    EstimatorRecipe,
    Split,
    TorchRecipe,
    UnlearningTask,
    Verdict,
    assert_indistinguishable,
    audit_indistinguishable,
)
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.testing.failures import AuditFailure
from unlearners import Retrain

RUNS, LIMIT = 10, 0.5


def build():
    """A network of 16 hidden units."""
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


RECIPE = TorchRecipe(build, epochs=12, batch_size=40, learning_rate=0.02, key="digits")


def digits_split():
    """200 digits, of which 40 with wrong labels must go."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = (x[order] / 16).astype(np.float32), y[order].copy()
    y[:40] = (y[:40] + 3) % 10
    return Split((x[:200], y[:200]), forget=np.arange(40), test=(x[200:500], y[200:500]), match=None)


def make_task(folder, recipe=RECIPE, **kwargs):
    return UnlearningTask(digits_split(), recipe, references=0, cache_dir=folder, **kwargs)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("cache"))


def retrain(model, retain, forget, *, seed):
    """The gold standard."""
    return Retrain(RECIPE)(model, retain, forget, seed=seed)


def keep(model, retain, forget, *, seed):
    """Does nothing."""
    return copy.deepcopy(model)


def always_the_same(model, retain, forget, *, seed):
    """Retrains under one seed for ever."""
    return RECIPE(retain, seed=0)


# known by their names in the caches of these tests, so that nobody reads the project's code for each model
retrain.key, keep.key, always_the_same.key = "retrain", "keep", "always the same"


class RetrainUnder:
    """Retrains under seeds that are its own affair."""

    def __init__(self, shift):
        self.shift, self.key = shift, f"retrain {shift}"

    def __call__(self, model, retain, forget, *, seed):
        return RECIPE(retain, seed=seed + self.shift)


@pytest.fixture(scope="module")
def honest(task):
    return audit_indistinguishable(retrain, task, LIMIT, runs=RUNS)


@pytest.mark.slow
def test_retraining_passes(honest):
    assert honest.verdict is Verdict.PASS
    assert honest.estimate.low >= LIMIT
    assert honest.controls.original.holds
    assert honest.controls.retrained[0].holds
    assert not list(unproven(honest.to_json()))


def test_a_method_that_does_nothing_fails(task):
    evidence = audit_indistinguishable(keep, task, LIMIT, runs=RUNS)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.label == "unlike the retrained models"
    assert evidence.estimate == evidence.controls.original.estimate
    with pytest.raises(AuditFailure) as caught:
        assert_indistinguishable(keep, task, LIMIT, runs=RUNS)
    assert caught.value.evidence.claim.name == "indistinguishable"


def test_the_evidence_shows_the_published_score_and_names_examples_by_index(honest):
    plain = honest.to_json()
    json.dumps(plain, allow_nan=False)
    scores, histogram, examples = plain["exhibits"]
    assert [row[0] for row in scores["rows"]] == ["unlearned", "original", "retrained"]
    unlearned, original, retrained = (dict(zip(scores["columns"], row, strict=True)) for row in scores["rows"])
    assert original["score"] < 0.5 * retrained["score"]
    assert unlearned["score"] == pytest.approx(
        unlearned["F"] * unlearned["retain ratio"] * unlearned["test ratio"], abs=2e-3
    )
    assert retrained["retain ratio"] == 1.0
    assert sum(histogram["panels"]["unlearned"][0]) == pytest.approx(1, abs=1e-3)
    assert {row[0] for row in examples["rows"]} <= set(range(40))
    assert len(examples["rows"]) == 20


def test_it_says_what_was_sampled_and_trains_nothing_twice(task, honest):
    def stored():
        return {path: path.stat().st_mtime_ns for path in task.store.directory.rglob("*.safetensors")}

    before = stored()
    again = audit_indistinguishable(retrain, task, LIMIT, runs=RUNS)
    one, other = honest.to_json(), again.to_json()
    one["provenance"].pop("seconds"), other["provenance"].pop("seconds")
    assert one == other
    assert stored() == before
    assert len(before) >= 4 * RUNS
    assert "10 models unlearned from fresh originals against 20 retrained" in one["reasons"][0]
    assert "nothing of one released model" in one["reasons"][0]
    assert one["claim"]["sources"]["min_ratio"] == "call keyword"


def test_a_method_that_ignores_its_seed_cannot_be_judged(task):
    evidence = audit_indistinguishable(always_the_same, task, runs=RUNS)
    assert evidence.verdict is Verdict.INVALID
    assert "ignores its seed" in evidence.reasons[1]


@pytest.mark.slow
def test_retraining_under_the_references_own_seeds_is_found_out(task):
    evidence = audit_indistinguishable(RetrainUnder(40_000 - 80_000), task, runs=RUNS)
    assert evidence.verdict is Verdict.INVALID
    assert "10 of 10 unlearned models equal retrained ones" in evidence.reasons[1]


@pytest.mark.slow
def test_one_original_saves_the_others_and_the_positive_control(task):
    strict = audit_indistinguishable(retrain, task, 0.3, runs=RUNS, originals="one")
    assert strict.verdict is Verdict.INCONCLUSIVE
    assert strict.controls.original is None
    assert 'originals="fresh"' in strict.advice[0]
    lenient = audit_indistinguishable(retrain, task, 0.3, runs=RUNS, originals="one", require_controls=False)
    assert lenient.verdict is Verdict.PASS
    assert "accepted by the caller" in lenient.reasons[-1]


@pytest.mark.slow
def test_a_wider_limit_never_takes_pass_away(task, honest):
    reached = honest.controls.original.estimate.low / 2  # the originals themselves are within it
    assert audit_indistinguishable(retrain, task, reached, runs=RUNS).verdict is Verdict.PASS


@pytest.mark.slow
def test_so_few_models_that_nobody_could_be_acquitted_are_not_held_against_the_method(task, honest):
    assert not honest.not_testable
    strict = audit_indistinguishable(retrain, task, LIMIT, runs=RUNS, max_share_left=0.01)
    assert strict.verdict is Verdict.INCONCLUSIVE
    assert "too weakly for so few models" in strict.not_testable
    assert "unlearn differently" not in " ".join(strict.advice)
    assert not audit_indistinguishable(keep, task, LIMIT, runs=RUNS, max_share_left=0.01).not_testable


@pytest.mark.slow
def test_a_limit_that_originals_reach_lets_no_original_pass(task, honest):
    reached = honest.controls.original.estimate.low / 2
    evidence = audit_indistinguishable(keep, task, reached, runs=RUNS)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.share_left.value == 1
    assert "not enough is gone" in " ".join(evidence.reasons)
    assert list(unproven({**evidence.to_json(), "verdict": "PASS"}))


class LeavesTwo:
    """Retrains, but on two of the examples that had to go as well, many times over."""

    key = "leaves two"

    def __call__(self, model, retain, forget, *, seed):
        rows = [retain[i] for i in range(len(retain))] + [forget[i] for i in (0, 1)] * 30
        return RECIPE([(np.asarray(x), int(y)) for x, y in rows], seed=seed)


@pytest.mark.slow
def test_a_few_examples_that_are_kept_do_not_pass_under_cover_of_the_mean(task):
    evidence = audit_indistinguishable(LeavesTwo(), task, 0.3, runs=RUNS)
    assert evidence.estimate.low > 0.3
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "told apart in nearly every model" in evidence.reasons[1]
    examples = evidence.figures[-1]
    assert {0, 1} <= {row[0] for row in examples.rows[:5]}


class ForgetsMostly:
    """Retrains, but under one seed in so many it hands back what it was given."""

    key = "forgets mostly"

    def __call__(self, model, retain, forget, *, seed):
        return copy.deepcopy(model) if seed % RUNS == 3 else RECIPE(retain, seed=seed)


@pytest.mark.slow
def test_one_run_that_forgets_nothing_does_not_pass_under_cover_of_the_others(task):
    evidence = audit_indistinguishable(ForgetsMostly(), task, 0.3, runs=RUNS)
    assert evidence.estimate.low > 0.3
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "1 of 10 unlearned models (3) are unlike any retrained one" in evidence.reasons[1]


def test_a_recipe_that_ignores_its_seed_is_refused_before_the_rest_is_trained(tmp_path):
    trained = []

    class Counting(LogisticRegression):
        def fit(self, *args, **kwargs):
            trained.append(1)
            return super().fit(*args, **kwargs)

    recipe = EstimatorRecipe(Counting(max_iter=500))
    with pytest.raises(ValueError, match="the same model for every seed"):
        audit_indistinguishable(keep, make_task(tmp_path, recipe), runs=RUNS)
    assert len(trained) <= 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"runs": 9}, "runs must be a whole number from 10"),
        ({"runs": True}, "runs must be a whole number from 10"),
        ({"originals": "two"}, 'originals must be "fresh" or "one"'),
        ({"min_ratio": 1.0}, "min_ratio must be a number above 0 and below 1"),
    ],
)
def test_what_makes_no_sense_is_refused(task, change, says):
    with pytest.raises(ValueError, match=says):
        audit_indistinguishable(keep, task, **change)


def test_it_needs_a_recipe(task):
    with pytest.raises(ValueError, match="with a recipe="):
        audit_indistinguishable(keep, UnlearningTask(task.split, references=0))
