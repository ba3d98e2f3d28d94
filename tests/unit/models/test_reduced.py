"""Logits that are too many to be kept: what is reduced says the same, and whoever wants logits has the model asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import Split, UnlearningTask, audit_forgotten, audit_utility
from pytest_unlearn.attacks import signals
from pytest_unlearn.models import reduced
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.models.reduced import ReducedOutputs, labels_of
from tests.unit.models.counting import Counting

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(900, 5)).astype(np.float32), RNG.permutation(900) % 3
SPLIT = Split((X[:500], Y[:500]), forget=np.arange(100), test=(X[500:], Y[500:]))
TASK = UnlearningTask(SPLIT)
VIEW = TASK.test
SIGNALS = [
    *(signals.logit_scaled_confidence, signals.hinge_margin, signals.negative_entropy),
    *(signals.negative_modified_entropy, signals.log_probability, signals.correctness, signals.answered),
]


def linear(seed=0, width=3):
    torch.manual_seed(seed)
    return torch.nn.Linear(5, width)


def probabilities(x):
    with torch.no_grad():
        return torch.softmax(linear()(torch.as_tensor(x)), dim=1).double().numpy()


def log_odds(x):
    with torch.no_grad():
        return linear(width=1)(torch.as_tensor(x)).numpy()


def late_logits(x):
    """Answers within [0, 1] that sum to 1 for the first examples of the view alone."""
    rows = probabilities(x)
    return np.where(np.isin(x[:, :1], X[500:760, 0])[..., :], rows, 5 * rows - 2)


MODELS = {
    "module": linear(),
    "estimator": LogisticRegression().fit(X[:500], Y[:500]),
    "estimator of fewer classes": LogisticRegression().fit(X[:500][Y[:500] < 2], Y[:500][Y[:500] < 2]),
    "probabilities": probabilities,
    "late logits": late_logits,
    "labels": lambda x: np.eye(3)[probabilities(x).argmax(axis=1)],
}


@pytest.fixture
def few(monkeypatch):
    """Let thirty logits be too many."""
    monkeypatch.setattr(reduced, "MOST_LOGITS", 30)


def ask(model, view=VIEW, **kwargs):
    return evaluate(model, view, classes=np.arange(3), **kwargs)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_reduced_says_the_same(name, monkeypatch):
    whole = ask(MODELS[name])
    monkeypatch.setattr(reduced, "MOST_LOGITS", 30)
    less = ask(MODELS[name])
    assert isinstance(less, ReducedOutputs)
    assert (less.kind, less.columns, less.labels.tolist()) == (whole.kind, whole.columns, whole.labels.tolist())
    for signal in SIGNALS:
        np.testing.assert_array_equal(signal(less), signal(whole))
    np.testing.assert_array_equal(less.logits, whole.logits)
    np.testing.assert_array_equal(signals.probabilities(less), signals.probabilities(whole))
    np.testing.assert_array_equal(less.rows(less.known), whole.logits[less.known])


def test_a_single_logit_has_two_columns(few):
    binary = UnlearningTask(Split((X[:500], Y[:500] % 2), forget=np.arange(100), test=(X[500:], Y[500:] % 2)))
    less = ask(log_odds, binary.test)
    assert less.columns == 2
    np.testing.assert_allclose(less.logits[:, 1], log_odds(X[500:])[:, 0])


@pytest.mark.parametrize("rows", [np.arange(0, 400, 7), np.arange(400)[::-1], np.arange(400) % 5 == 0, slice(3, 300)])
def test_a_part_has_the_signals_and_logits_of_its_examples(few, rows):
    whole, part = ask(MODELS["module"]), ask(MODELS["module"]).take(rows)
    assert part.labels.tolist() == whole.labels[rows].tolist()
    assert part.content != whole.content
    for signal in SIGNALS:
        np.testing.assert_array_equal(signal(part), signal(whole)[rows])
    np.testing.assert_array_equal(part.logits, whole.logits[rows])
    np.testing.assert_array_equal(np.concatenate([one.logits for one in part.blocks(60)]), whole.logits[rows])
    np.testing.assert_array_equal(part.take(slice(0, 9)).logits, whole.logits[rows][:9])


def test_the_model_is_asked_again_for_logits_alone(few):
    model = Counting(linear())
    less = ask(model, check=False)
    for signal in SIGNALS:
        signal(less)
    assert model.asked == len(VIEW)
    _ = less.asking({"query": np.zeros(len(VIEW))}).logits
    assert model.asked == 2 * len(VIEW)


def test_a_model_that_answers_otherwise_when_it_is_asked_again_is_refused(few):
    model = Counting(linear(), then=linear(1), after=len(VIEW))
    less = ask(model, check=False)
    with pytest.raises(ValueError, match="changed when it was asked again"):
        _ = less.logits


def test_answers_that_depend_on_their_company_are_refused(few):
    def centred(x):
        return probabilities(x) * 5 - probabilities(x).mean(axis=0)

    with pytest.raises(ValueError, match="changed when it was asked again"):
        ask(centred)


def test_broken_logits_are_told_by_their_position(few):
    def broken(x):
        rows = 5 * probabilities(x)
        return np.where(x[:, :1] == X[800, 0], np.nan, rows)

    with pytest.raises(ValueError, match="the first at position 300"):
        ask(broken, check=False)


def test_labels_alone_are_reduced_too(few, monkeypatch):
    less = labels_of(ask(MODELS["module"]))
    assert isinstance(less, ReducedOutputs)
    monkeypatch.setattr(reduced, "MOST_LOGITS", 1 << 20)
    whole = labels_of(ask(MODELS["module"]))
    for signal in SIGNALS:
        np.testing.assert_array_equal(signal(less), signal(whole))
    np.testing.assert_array_equal(less.logits, whole.logits)


def numbers(evidence):
    provenance = {"provenance": {}}
    return dataclasses.replace(evidence, **provenance).to_json()


@pytest.mark.parametrize("kind", ["networks", "classifiers", "labels"])
def test_a_verdict_does_not_depend_on_what_is_kept(kind, monkeypatch):
    def models(count):
        if kind == "networks":
            return [linear(seed) for seed in range(count)]
        found = [LogisticRegression(C=10.0**-k).fit(X[100:500], Y[100:500]) for k in range(count)]
        return found if kind == "classifiers" else [lambda x, m=one: np.eye(3)[m.predict(x)] for one in found]

    original, audited, *references = models(5)

    def audits():
        task = UnlearningTask(SPLIT, original=original, references=references)
        found = audit_forgotten(audited, task.forget, max_mia_auc=0.6), audit_utility(audited, task.test)
        return [numbers(one) for one in found]

    whole = audits()
    monkeypatch.setattr(reduced, "MOST_LOGITS", 30)
    assert audits() == whole


def test_what_references_answered_is_kept_reduced_between_processes(few, tmp_path):
    def audit():
        task = UnlearningTask(SPLIT, original=linear(9), references=[linear(k) for k in range(3)], cache_dir=tmp_path)
        evidence = audit_forgotten(linear(4), task.forget, max_mia_auc=0.6)
        found = task.models.of(task.original).outputs(task.forget)
        return numbers(evidence), found

    (first, asked), (second, kept) = audit(), audit()
    assert first == second
    assert isinstance(kept, ReducedOutputs)
    np.testing.assert_array_equal(kept.logits, asked.logits)
    assert kept.content == asked.content


def test_answers_are_identified_by_all_logits_and_not_by_the_rows_that_are_kept(few):
    plain = ask(MODELS["module"], check=False)
    aside = np.setdiff1d(np.arange(len(VIEW)), plain.known)[0]
    changed = X[500:][aside, 0]

    def otherwise(x):
        with torch.no_grad():
            rows = linear()(torch.as_tensor(x)).numpy()
        return rows + 1e-3 * np.eye(3)[0] * (x[:, :1] == changed)

    def alike(x):
        with torch.no_grad():
            return linear()(torch.as_tensor(x)).numpy()

    same, other = (ask(model, check=False) for model in (alike, otherwise))
    np.testing.assert_array_equal(other.rows(plain.known), same.rows(plain.known))
    assert other.content != same.content
    assert ask(alike, check=False).content == same.content
