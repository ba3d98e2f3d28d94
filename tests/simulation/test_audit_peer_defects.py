"""Defects of public audits, as statements about verdicts; those of metrics are in test_metric_peer_defects.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.statistics import auc
from tests.worlds.simulated import World, changed, split

DATA = split()


@pytest.fixture(scope="module")
def world():
    return World(DATA)


@pytest.fixture(scope="module")
def task(world):
    return world.task()


@pytest.mark.slow
def test_the_forget_set_is_compared_with_controls_and_not_with_the_retain_set():
    # erasus: forget against retain is 1/2 for the original, which passes, and far below for a retrained model
    X, y = load_digits(return_X_y=True)
    data = Split((X[:1100], y[:1100]), forget=np.arange(300), test=(X[1100:], y[1100:]))

    def forest(rows, seed):
        return RandomForestClassifier(40, bootstrap=False, random_state=seed).fit(X[rows], y[rows])

    retain = slice(300, 1100)
    original, *retrained = forest(slice(0, 1100), 0), *(forest(retain, seed) for seed in (1, 2, 3))
    recognised = [
        auc(*(model.predict_proba(X[rows])[range(300), y[rows]] for rows in (slice(0, 300), slice(300, 600))))
        for model in (original, retrained[0])
    ]
    assert recognised[0] == pytest.approx(0.5, abs=0.01)
    assert recognised[1] < 0.1
    forests = UnlearningTask(data, original=original, references=retrained[1:])
    flagged, forgotten = (audit_forgotten(model, forests.forget) for model in (original, retrained[0]))
    assert flagged.verdict is Verdict.FAIL
    assert flagged.label != "over-forgotten"
    assert forgotten.verdict not in (Verdict.FAIL, Verdict.INVALID)
    assert forgotten.estimate.value == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_a_retrained_model_against_retrained_models_is_forgotten_and_the_original_is_flagged(world, task):
    for seed in range(3):
        assert audit_forgotten(world.model(seed=seed), task.forget).verdict is Verdict.PASS
    assert audit_forgotten(task.original, task.forget).verdict is Verdict.FAIL


@pytest.mark.slow
def test_repeating_an_evaluation_makes_no_interval_narrower(world, task):
    # erasus: an interval over runs of one deterministic model is [.543, .543]
    once, again = (audit_forgotten(world.model(), task.forget).estimate for _ in range(2))
    assert once == again
    assert once.high - once.low > 0.02
    repeated = UnlearningTask(DATA, original=task.original, references=world.references(1) * 5)
    evidence = audit_forgotten(world.model(), repeated.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("1 different models" in reason for reason in evidence.reasons)


def test_one_seed_gives_finite_intervals_and_no_pass(world):
    # RUM: Student's interval over one seed is NaN
    assert math.isnan(np.ptp(stats.t.interval(0.95, 0, 0.5, 0.1)))
    single = UnlearningTask(DATA, original=world.original(1.5), references=world.references(1))
    evidence = audit_forgotten(world.model(), single.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    for estimate in evidence.attacks.values():
        assert 0.0 <= estimate.low < estimate.high <= 1.0


def test_training_examples_are_refused_as_nonmembers(task):
    # auditml: half of the training set is labelled non-member
    X, y = task.retain.arrays()
    with pytest.raises(ValueError, match="overlaps train"):
        Split((X, y), forget=np.arange(5), test=(X[len(X) // 2 :], y[len(y) // 2 :]))
    with pytest.raises(ValueError, match="exact copies"):
        audit_forgotten(task.original, task.forget, nonmembers=task.retain)


@pytest.mark.slow
def test_an_attack_without_references_does_not_call_itself_calibrated():
    # privacyaudit: a "shadow-model" attack without shadow models
    easy = World(DATA, difficulty=1.5)
    evidence = audit_forgotten(easy.model(), easy.task(references=0, boost=3.0).forget, require_controls=False)
    assert any("uncalibrated" in reason for reason in evidence.reasons)
    assert not any("residual" in name for name in evidence.deciding)


def test_a_benchmark_at_chance_accuracy_certifies_nothing():
    unskilled = World(DATA, skill=0.0)
    evidence = audit_forgotten(unskilled.model(), unskilled.task(boost=0.0).forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("not testable here" in reason for reason in evidence.reasons)


def test_over_forgetting_is_a_failure_and_no_better_score(world, task):
    evidence = audit_forgotten(world.model(boost=-1.5), task.forget)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")


def test_an_attack_that_cannot_run_is_an_error_and_not_left_out(world, task):
    # torchunlearn: except Exception: pass
    with pytest.raises(ValueError, match="non-finite"):
        audit_forgotten(changed(world.model(), forget=lambda z: z * np.nan), task.forget)
    constant = SavedOutputs(forget=np.ones((600, 4)), test=np.ones((3000, 4)))
    assert audit_forgotten(constant, task.forget).verdict is Verdict.INVALID


def test_a_model_left_in_training_mode_is_asked_in_eval_mode(task):
    # RUM: features without eval()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4)).train()
    first, second = (evaluate(model, task.forget, classes=4).logits for _ in range(2))
    assert np.array_equal(first, second)
