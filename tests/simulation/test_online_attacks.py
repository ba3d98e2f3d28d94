"""Online attacks on trained models: none that never saw the request is accused, and none that remembers half passes.

Trees, the same on every processor, on digits of which a fifth has a wrong label. Each draw has a request, controls and
halves of its own.
"""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_forgotten, audit_leakage_reduced
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.online import Shadows, draw_halves, online_ratio
from pytest_unlearn.attacks.signals import hinge_margin, logit_scaled_confidence
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.statistics import auc_measure

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
FORGET, RETAIN, CONTROLS, BESIDE = 20, 180, 60, 300


def trees(x, y, seed):
    return ExtraTreesClassifier(6, max_depth=10, random_state=seed).fit(x, y)


def drawn(seed):
    """Digits in an order of their own, a fifth of the labels wrong."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(Y))
    wrong = rng.random(len(Y)) < 0.2
    return rng, X[order], np.where(wrong, rng.integers(0, 10, size=len(Y)), Y)[order]


def answered(model, x, y):
    logits = np.full((len(x), 10), 1e-4)
    logits[:, model.classes_] += model.predict_proba(x)
    parts = np.split(np.arange(len(x)), np.cumsum([FORGET, CONTROLS]))
    outputs = [Outputs(logits=np.log(logits[part]), labels=y[part]) for part in parts]
    return Answers(forget=outputs[0], controls=outputs[1], beside=outputs[2])


def honest(seed, signal, models):
    """What an online attack finds in a model that was trained on retain alone."""
    rng, x, y = drawn(seed)
    asked, kept = np.arange(FORGET + CONTROLS + BESIDE), FORGET + CONTROLS + BESIDE + np.arange(RETAIN)
    included = draw_halves(np.arange(FORGET + CONTROLS), models, rng)

    def model(chosen, number):
        return answered(trees(x[chosen], y[chosen], number), x[asked], y[asked])

    shadows = [model(np.r_[kept, np.flatnonzero(half)], 100 + k) for k, half in enumerate(included)]
    target, reference = model(kept, 1), model(kept, 2)
    scores = online_ratio(signal, Shadows(answers=shadows, included=included), target, [reference], Pairing())
    return auc_measure(scores.forget, scores.controls)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("signal", [logit_scaled_confidence, hinge_margin])
@pytest.mark.parametrize("models", [4, 8])
def test_models_that_never_saw_the_request_lie_at_chance_and_within_their_intervals(models, signal):
    draws = 120
    found = [honest(seed, signal, models) for seed in range(draws)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - 0.5) <= 3.5 * values.std() / draws**0.5
    estimates = [one.at(0.95) for one in found]
    most = 0.05 * draws + 3.5 * (0.05 * 0.95 * draws) ** 0.5
    assert sum(one.low > 0.5 for one in estimates) <= most
    assert sum(one.high < 0.5 for one in estimates) <= most


@pytest.mark.slow
@pytest.mark.long
def test_honest_models_are_seldom_accused_and_half_a_memory_does_not_pass():
    draws, accused, passed, half_passed = 16, 0, 0, 0
    for seed in range(draws):
        _, x, y = drawn(seed)
        split = Split((x[:300], y[:300]), forget=np.arange(40), test=(x[300:700], y[300:700]))
        with tempfile.TemporaryDirectory() as folder:
            recipe = EstimatorRecipe(ExtraTreesClassifier(6, max_depth=10))
            task = UnlearningTask(split, recipe, references=2, shadow_models=4, cache_dir=folder)
            model, half = (trees(x[first:300], y[first:300], 5) for first in (40, 20))
            verdict = audit_forgotten(model, task.forget, max_mia_auc=0.75, attacks="online").verdict
            accused += verdict in (Verdict.FAIL, Verdict.INVALID)
            passed += audit_leakage_reduced(model, task.forget, attacks="online").verdict is Verdict.PASS
            half_passed += audit_leakage_reduced(half, task.forget, attacks="online").verdict is Verdict.PASS
            assert audit_leakage_reduced(task.original, task.forget, attacks="online").verdict is Verdict.FAIL
    assert accused <= 2
    assert half_passed <= 2
    assert passed >= 8
