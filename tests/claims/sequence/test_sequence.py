"""audit_sequence: request after request on real digits, with the union audited after each."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import (
    AuditFailure,
    EstimatorRecipe,
    Split,
    UnlearningTask,
    Verdict,
    adaptive_adversary,
    assert_sequence,
    audit_sequence,
    audit_utility,
)
from pytest_unlearn.claims.sequence.adversary import checked_requests, chosen
from pytest_unlearn.claims.sequence.steps import StepAudit, certificate_of, settle
from pytest_unlearn.core.evidence import Claim, Estimate, Evidence
from pytest_unlearn.data.view import as_view
from pytest_unlearn.report.gate import unproven
from unlearners import CertifiedNewton, NoOp, Retrain

FOREST = EstimatorRecipe(RandomForestClassifier(10))
REQUESTS = [np.arange(250), np.arange(250, 400)]
LIMITS = {"max_mia_auc": 0.65, "max_drop": 0.1}


def digits(seed=0, noise=0.2, train=700):
    """Digits of which a fifth has a wrong label, in train and in test alike: something to remember."""
    data, rng = load_digits(), np.random.default_rng(seed)
    order = rng.permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order].copy()
    wrong = rng.random(len(labels)) < noise
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, wrong.sum())) % 10
    return Split((pixels[:train], labels[:train]), forget=np.arange(10), test=(pixels[train:], labels[train:]))


SPLIT = digits()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def task(cache):
    return UnlearningTask(SPLIT, FOREST, references=2, cache_dir=cache)


@pytest.mark.slow
def test_retraining_passes_and_its_evidence_bears_it_out(task):
    evidence = assert_sequence(Retrain(FOREST), task, REQUESTS[:1], **LIMITS)
    assert evidence.deciding == ("forgetting after request 1",)
    assert not list(unproven(evidence.to_json()))
    json.dumps(evidence.to_json(), allow_nan=False)


@pytest.mark.slow
def test_retraining_after_every_request_passes_and_stays_as_near_as_retrained_models(task):
    evidence = assert_sequence(Retrain(FOREST), task, REQUESTS, **LIMITS)
    first, second = evidence.figures[0].rows
    assert (first[:3], second[:3]) == ((1, 250, 250), (2, 150, 400))
    for row in (first, second):
        assert row[10] == pytest.approx(row[11], rel=0.25)
    assert evidence.deciding == ("forgetting after request 1", "forgetting after request 2")
    assert evidence.provenance["settings"]["requests"] == [list(range(250)), list(range(250, 400))]


@pytest.mark.slow
def test_a_method_that_answers_the_first_request_alone_fails_at_the_second(task):
    def once(model, retain, forget, *, seed):
        return FOREST(retain, seed=seed) if model is task.original else model

    evidence = audit_sequence(once, task, REQUESTS, **LIMITS)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "recognisable")
    assert evidence.decided_by == "forgetting after request 2"
    assert [row[6] for row in evidence.figures[0].rows] == ["PASS", "FAIL"]


@pytest.mark.slow
def test_a_method_that_grows_worse_fails_for_utility(task):
    def worse(model, retain, forget, *, seed):
        keep = np.arange(0, len(retain), 5)
        return FOREST(as_view((retain.inputs(keep), retain.labels[keep]), "few"), seed=seed)

    evidence = audit_sequence(worse, task, REQUESTS, max_mia_auc=0.9, max_drop=0.02)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.decided_by.startswith("utility after request")
    assert evidence.claim.highest == 0.02


class Dulled:
    """Answers as the original does, but for some examples that it gets wrong."""

    def __init__(self, original, spoiled):
        self.original, self.spoiled = original, {row.tobytes() for row in spoiled}

    def __call__(self, x):
        logits = np.log(self.original.predict_proba(x) + 0.01)
        wrong = [row.tobytes() in self.spoiled for row in np.asarray(x, dtype=np.float32)]
        logits[wrong] = np.roll(logits[wrong], 1, axis=1)
        return logits


@pytest.mark.slow
def test_what_refutes_by_a_narrow_margin_does_not_when_paid_for_by_the_number_of_audits(task):
    x, y = task.test.arrays()
    right = x[task.original.predict(x) == y]
    models = (Dulled(task.original, right[:count]) for count in range(5, 60))
    verdicts = (
        (one, [audit_utility(one, task.test, 0.01, confidence=c).verdict for c in (0.95, 0.9875)]) for one in models
    )
    narrow = next(one for one, (plain, strict) in verdicts if plain is Verdict.FAIL and strict is not Verdict.FAIL)
    rules = {"max_mia_auc": 0.95, "max_drop": 0.01, "baseline": "original"}
    alone = audit_sequence(lambda *_, seed: narrow, task, REQUESTS[:1], confidence=0.9, **rules)
    assert alone.verdict is Verdict.FAIL
    both = audit_sequence(lambda *_, seed: narrow, task, REQUESTS, **rules)
    assert both.verdict is Verdict.INCONCLUSIVE


@pytest.mark.slow
def test_an_adversary_sees_the_current_model_and_what_was_asked(task):
    seen = []

    def watching(model, asked_so_far, given, seed):
        seen.append((model, len(asked_so_far), seed))
        return adaptive_adversary(model, asked_so_far, given, seed)

    with pytest.raises(AuditFailure) as caught:
        assert_sequence(NoOp(), task, watching, rounds=2, size=200, **LIMITS)
    assert caught.value.evidence.verdict is Verdict.FAIL
    assert seen[0] == (task.original, 0, 0)
    assert [asked for _, asked, _ in seen] == [0, 200]


@pytest.mark.slow
def test_a_retrained_sequence_does_not_fail_whatever_is_asked(cache):
    for seed in range(5):
        data = UnlearningTask(digits(seed), FOREST, references=3, cache_dir=cache, seed=seed)
        evidence = audit_sequence(Retrain(FOREST), data, adaptive_adversary, rounds=2, size=250, **LIMITS)
        assert evidence.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_the_budget_of_a_certificate_is_shown_and_its_limits_named(tmp_path):
    split = digits(noise=0.0)
    rows = [part.inputs(np.arange(len(part))) for part in (split.train, split.test)]
    train, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rows)
    unit = Split((train, split.train.labels), forget=np.arange(5), test=(test, split.test.labels))
    method = CertifiedNewton(regularisation=0.1)
    certified = UnlearningTask(unit, method.train, references=2, cache_dir=tmp_path)
    evidence = audit_sequence(method, certified, adaptive_adversary, rounds=2, size=3)
    spent, budget = zip(*(row[-2:] for row in evidence.figures[0].rows), strict=True)
    assert 0 < spent[0] < spent[1] <= budget[0] == budget[1]
    assert "do not depend on the models" in evidence.reasons[-1]


def test_the_budget_is_read_from_an_attribute_of_any_model():
    class Model:
        """Says what it has spent."""

        def __init__(self, **numbers):
            self.certificate = type("Certificate", (), numbers)

    found = certificate_of(Model(spent=1, budget=2.5))
    assert (found.spent, found.budget) == (1.0, 2.5)
    assert certificate_of(Model(spent="much", budget=2.5)) is None
    assert certificate_of(Model(spent=1)) is None
    assert certificate_of(LogisticRegression()) is None


def one_dimensional():
    """Class 0 at 0..9, class 1 at 20..29, and a model that is surer the further from 15."""
    x = np.r_[np.arange(10.0), np.arange(20.0, 30.0)][:, None]
    y = np.repeat([0, 1], 10)
    data = Split((x, y), forget=[0], test=(x + 0.5, y))

    def model(batch):
        return np.concatenate([-(np.asarray(batch) - 15), np.asarray(batch) - 15], axis=1)

    return UnlearningTask(data, original=model), model


def test_the_adversary_asks_for_what_the_model_is_surest_of_then_for_what_lies_beside_the_deleted():
    small, model = one_dimensional()
    none = np.empty(0, dtype=np.int64)
    order = adaptive_adversary(model, none, small, 0)
    assert sorted(order) == list(range(20))
    assert order[0] == 0  # at 0, 15 from the border
    assert set(order[1:3]) == {1, 19}  # both at 14
    beside = adaptive_adversary(model, np.array([0, 1]), small, 0)
    assert list(beside[:2]) == [2, 3]
    assert not {0, 1} & set(beside)
    assert list(beside) == list(adaptive_adversary(model, np.array([0, 1]), small, 0))


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([], "requests is empty"),
        ([[]], "request 1 is empty"),
        ([[1], [2, 2]], "request 2 names position 2 twice"),
        ([[1, 2], [3], [2]], "request 3 names position 2, which request 1 has deleted already"),
        ([[1], [700]], "request 2 names position 700, and train has 700"),
        ([[-1]], "request 1 names position -1"),
        ([[0.5]], "request 1 must hold positions"),
        ("abc", "requests must be a list"),
        (3, "requests must be a list"),
        ([np.flatnonzero(SPLIT.train.labels != 4)], "fewer than two classes are left"),
    ],
)
def test_requests_that_make_no_sequence_are_refused_before_anything_is_trained(requests, says, tmp_path):
    untrained = UnlearningTask(SPLIT, FOREST, references=2, cache_dir=tmp_path / "none")
    with pytest.raises(ValueError, match=says):
        audit_sequence(NoOp(), untrained, requests)
    assert not (tmp_path / "none").exists()


def test_a_class_that_vanishes_needs_controls():
    others = SPLIT.test.labels != 3
    part = SPLIT.test.inputs(np.flatnonzero(others)), SPLIT.test.labels[others]
    data = Split((SPLIT.train.inputs(np.arange(700)), SPLIT.train.labels), forget=[0], test=part, match=None)
    threes = np.flatnonzero(SPLIT.train.labels == 3)
    given = UnlearningTask(data, FOREST)
    assert len(checked_requests([threes[:-1]], given)) == 1
    with pytest.raises(ValueError, match="after request 2 no example of class 3 is left"):
        checked_requests([threes[:5], threes[5:]], given)
    assert len(checked_requests([np.flatnonzero(SPLIT.train.labels == 3)], UnlearningTask(SPLIT, FOREST))) == 1


def test_what_a_sequence_needs_is_said():
    ready = UnlearningTask(SPLIT, FOREST, references=2)
    with pytest.raises(ValueError, match="with a recipe="):
        audit_sequence(NoOp(), UnlearningTask(SPLIT, original=lambda x: x), REQUESTS)
    with pytest.raises(ValueError, match="a number of references"):
        audit_sequence(NoOp(), UnlearningTask(SPLIT, FOREST, references=[lambda x: x]), REQUESTS)
    with pytest.raises(ValueError, match="rounds= and size= are for an adversary"):
        audit_sequence(NoOp(), ready, REQUESTS, rounds=2)
    with pytest.raises(ValueError, match="an adversary needs rounds= and size="):
        audit_sequence(NoOp(), ready, adaptive_adversary)
    with pytest.raises(ValueError, match="baseline must be"):
        audit_sequence(NoOp(), ready, REQUESTS, baseline="orignal")
    ask = chosen(lambda model, asked, task, seed: [3, 4, 5], ready, 2, 2)
    first = ask(None, [], 0)
    assert list(first) == [3, 4]
    with pytest.raises(ValueError, match="request 2 names position 3, which request 1"):
        ask(None, [first], 1)
    assert ask(None, [first, np.array([9])], 2) is None


def test_the_most_severe_audit_decides():
    def finding(name, verdict, high, forgetting=True):
        estimate = Estimate(value=0.5, low=0.0, high=high, confidence=0.95, method="", n_forget=9)
        claim = Claim(name="", quantity="", highest=0.55)
        evidence = Evidence(claim=claim, verdict=verdict, estimate=estimate, decided_by="")
        role = "decides" if forgetting else "bounded"
        return StepAudit(name=name, estimate=estimate, role=role, evidence=evidence, verdict=verdict)

    good, better = finding("a", Verdict.PASS, 0.54), finding("b", Verdict.PASS, 0.52)
    assert settle([better, good, finding("c", Verdict.PASS, 0.55, forgetting=False)]) is good
    doubtful, bad = finding("d", Verdict.INCONCLUSIVE, 0.7), finding("e", Verdict.FAIL, 0.6, forgetting=False)
    assert settle([good, doubtful, bad]).name == "e"
    assert settle([doubtful, bad, finding("f", Verdict.INVALID, 0.5)]).name == "f"
