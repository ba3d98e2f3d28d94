"""audit_canaries_forgotten: models that trained on canaries are found out, and no others."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn import (
    AuditFailure,
    SavedOutputs,
    Split,
    TorchRecipe,
    UnlearningTask,
    Verdict,
    assert_canaries_forgotten,
    audit_canaries_forgotten,
    plant_canaries,
)
from pytest_unlearn.examples import Examples
from pytest_unlearn.report.consistency import unproven
from pytest_unlearn.statistics import UnitMean

DATA = load_digits()
X, Y = (DATA.data / 16).astype(np.float32), DATA.target
KINDS = ("gaussian", "mislabelled", "confusion", "backdoor")
CHANCE = {"gaussian": 0.0, "mislabelled": 0.5, "confusion": 0.5, "backdoor": 0.1}


def nearest():
    """Learns every example by heart, and reveals little more than labels."""
    return KNeighborsClassifier(1)


def linear():
    return LogisticRegression(C=100, max_iter=1000)


def network():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


RECIPE = TorchRecipe(network, epochs=40, batch_size=64, learning_rate=3e-3)
FAST = {"gaussian": linear, "mislabelled": nearest, "confusion": nearest, "backdoor": linear}


def draw(seed, n=1300):
    rows = np.random.default_rng(seed).permutation(len(Y))
    return (X[rows[:n]], Y[rows[:n]]), (X[rows[n:]], Y[rows[n:]])


def retained(canaries):
    return tuple(np.delete(part, canaries.indices, axis=0) for part in canaries.train)


@cache
def fitted(kind, seed=0, make=None):
    """Canaries, a model that trained on them, and two that did not."""
    canaries = plant_canaries(draw(seed)[0], kind, seed=seed, **({"count": 80} if kind == "confusion" else {}))
    make, (x, y) = make or FAST[kind], retained(canaries)
    models = [make().fit(x[part], y[part]) for part in (slice(None), slice(40, None))]
    return canaries, make().fit(*canaries.train), models


class Rows:
    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.inputs[index], int(self.labels[index])


@cache
def networks(seed=0):
    canaries = plant_canaries(draw(seed)[0], "gaussian", seed=seed)
    return canaries, RECIPE(Rows(*canaries.train), seed=seed), RECIPE(Rows(*retained(canaries)), seed=seed + 100)


def z_of(evidence):
    return evidence.estimate.value * evidence.estimate.n_forget**0.5


def test_the_judged_case_a_network_that_saw_the_noise_and_one_that_did_not():
    canaries, original, retrained = networks()
    before = audit_canaries_forgotten(original, canaries, original=original)
    after = audit_canaries_forgotten(retrained, canaries, original=original)
    assert z_of(before) > 3
    assert abs(z_of(after)) < 2.5
    assert (before.verdict, after.verdict) == (Verdict.FAIL, Verdict.PASS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_many_seeds_are_judged_right(kind):
    passed = 0
    for seed in range(8):
        canaries = plant_canaries(draw(seed, 1600 if kind == "confusion" else 1300)[0], kind, seed=seed)
        before = RECIPE(Rows(*canaries.train), seed=seed)
        after, reference = (RECIPE(Rows(*retained(canaries)), seed=seed + k) for k in (100, 200))
        verdicts = [
            audit_canaries_forgotten(model, canaries, original=before, references=[reference]).verdict.value
            for model in (before, after)
        ]
        assert verdicts[0] == "FAIL"
        assert verdicts[1] != "FAIL"
        passed += verdicts[1] == "PASS"
    assert passed >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_that_trained_on_canaries_fails_and_one_that_did_not_passes(kind):
    canaries, original, references = fitted(kind)
    with pytest.raises(AuditFailure, match="recognisable"):
        assert_canaries_forgotten(original, canaries, original=original, references=references[1:])
    evidence = assert_canaries_forgotten(references[0], canaries, original=original, references=references[1:])
    assert evidence.verdict is Verdict.PASS
    assert evidence.controls.original.holds
    assert evidence.estimate.value == pytest.approx(CHANCE[kind], abs=0.2)
    assert list(unproven(evidence.to_json())) == []


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_is_plain_and_names_no_content_nor_seed(kind):
    canaries, original, references = fitted(kind)
    evidence = audit_canaries_forgotten(references[0], canaries, original=original, references=references)
    text = json.dumps(evidence.to_json(), allow_nan=False)
    assert "seed" not in text
    assert evidence.exhibits[0].kind == "table"
    models = {row[0] for row in evidence.exhibits[0].rows}
    assert models == {"this model", "original", "retrained 0", "retrained 1"}
    assert evidence.provenance["settings"]["canaries"]["count"] == len(canaries)
    again = audit_canaries_forgotten(references[0], canaries, original=original, references=references)
    assert json.dumps(again.to_json()) == text


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_original_nothing_passes_unless_the_caller_accepts_it(kind):
    canaries, _, references = fitted(kind)
    strict = audit_canaries_forgotten(references[0], canaries, references=references[1:])
    assert strict.verdict is Verdict.INCONCLUSIVE
    assert "no positive control" in strict.reasons[0]
    lax = audit_canaries_forgotten(references[0], canaries, references=references[1:], require_controls=False)
    assert lax.verdict is Verdict.PASS
    assert any("require_controls=False" in reason for reason in lax.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_an_original_that_never_learned_the_canaries_proves_nothing(kind):
    canaries, _, references = fitted(kind)
    evidence = audit_canaries_forgotten(references[0], canaries, original=references[1])
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no power" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_references_that_saw_the_canaries_make_the_audit_invalid(kind):
    canaries, original, references = fitted(kind)
    evidence = audit_canaries_forgotten(
        references[0], canaries, original=original, references=[references[1], original]
    )
    assert evidence.verdict is Verdict.INVALID
    assert "negative control" in evidence.reasons[0]


def null_model():
    """A model of digits that no canary of the simulations below has anything to do with."""
    return linear().fit(X[:500], Y[:500])


def verdicts_without_canaries(kind, seeds):
    """Verdicts and probabilities by chance on a model that never saw any of the canaries of these seeds."""
    model, train = null_model(), Examples((X[500:], Y[500:]), "train")
    verdicts, chances = [], []
    for seed in range(seeds):
        canaries = plant_canaries(train, kind, seed=seed)
        evidence = audit_canaries_forgotten(model, canaries, require_controls=False)
        verdicts.append(evidence.verdict.value)
        chances.append(evidence.exhibits[0].rows[0][-1])
    return verdicts, np.array(chances)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_never_saw_canaries_does_not_fail_and_mostly_passes(kind):
    verdicts, _ = verdicts_without_canaries(kind, seeds=12)
    assert verdicts.count("FAIL") + verdicts.count("INVALID") == 0
    assert verdicts.count("PASS") >= 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_error_rates_over_many_draws(kind):
    verdicts, chances = verdicts_without_canaries(kind, seeds=200)
    assert verdicts.count("FAIL") + verdicts.count("INVALID") == 0
    assert verdicts.count("PASS") >= 160
    for level in (0.05, 0.2):  # at most the level, but for three standard errors
        assert np.mean(chances <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)


def test_z_of_a_model_that_never_saw_the_noise_is_standard_normal():
    model, train = null_model(), Examples((X[500:], Y[500:]), "train")
    canaries = [plant_canaries(train, "gaussian", count=60, seed=seed) for seed in range(50)]
    z = [z_of(audit_canaries_forgotten(model, one, require_controls=False)) for one in canaries]
    assert stats.kstest(z, "norm").pvalue > 0.01


def test_leaning_away_from_the_noise_is_called_over_forgotten():
    (x, y), _ = draw(0)
    binary = (x, (y > 0).astype(int))
    canaries = plant_canaries(binary, "gaussian", seed=0, count=500)
    model = LogisticRegression().fit(*retained(canaries))
    signs = np.where(canaries.plan.labels == 1, 1.0, -1.0)
    model.coef_ = -(signs @ canaries.plan.noise)[None]
    evidence = audit_canaries_forgotten(model, canaries, require_controls=False)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")


def test_the_statistic_of_a_linear_model_is_what_its_weights_say():
    data = load_breast_cancer()
    train = scale(data.data), data.target
    canaries = plant_canaries(train, "gaussian", seed=0, count=150)
    model = LogisticRegression().fit(*retained(canaries))
    signs = np.where(canaries.plan.labels == 1, 1.0, -1.0)
    expected = signs * (canaries.plan.noise @ model.coef_[0]) / np.linalg.norm(model.coef_)
    estimate = audit_canaries_forgotten(model, canaries, require_controls=False).estimate
    assert estimate.value == pytest.approx(expected.mean(), abs=1e-12)
    assert estimate.low == pytest.approx(UnitMean(values=expected).at(0.95).low)


def test_a_module_and_the_same_linear_classifier_are_judged_alike():
    canaries, model, _ = fitted("gaussian")
    module = nn.Linear(64, 10).double()
    with torch.no_grad():
        module.weight.copy_(torch.as_tensor(model.coef_))
        module.bias.copy_(torch.as_tensor(model.intercept_))
    one, other = (audit_canaries_forgotten(m, canaries, require_controls=False).estimate for m in (model, module))
    assert one.value == pytest.approx(other.value, abs=1e-6)


def test_the_direction_is_found_where_the_loss_gradient_vanishes():
    canaries, original, _ = networks()
    sure = nn.Sequential(original, Times(200.0))
    assert z_of(audit_canaries_forgotten(sure, canaries, require_controls=False)) > 3


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Flat(nn.Module):
    """Answers by its weights, and has no slope anywhere."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x * 0 + torch.round(x.detach())) + 0 * x.sum(dim=1, keepdim=True)


def test_a_model_without_slope_is_invalid_and_does_not_pass():
    canaries, original, retrained = networks()
    evidence = audit_canaries_forgotten(Flat(retrained), canaries, original=original)
    assert evidence.verdict is Verdict.INVALID
    assert "flat around 400 of 400" in evidence.reasons[0]
    assert audit_canaries_forgotten(retrained, canaries, original=Flat(original)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("kind", ["mislabelled", "backdoor"])
def test_a_model_whose_columns_are_out_of_order_does_not_pass(kind):
    canaries, original, references = fitted(kind, make=linear)
    shuffled = np.roll(np.arange(10), 3)
    evidence = audit_canaries_forgotten(
        lambda x: references[0].decision_function(x)[:, shuffled], canaries, original=original
    )
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("on retained examples" in reason for reason in evidence.reasons)


def test_labels_alone_still_show_what_was_learned_by_heart():
    canaries, original, references = fitted("mislabelled")
    evidence = audit_canaries_forgotten(references[0], canaries, original=original)
    assert "count half" in evidence.reasons[-2]
    constant = audit_canaries_forgotten(lambda x: np.tile(np.eye(10)[0], (len(x), 1)), canaries, original=original)
    assert constant.verdict is Verdict.INCONCLUSIVE


def test_power_of_a_finer_original_does_not_vouch_for_a_model_that_reveals_labels():
    canaries = plant_canaries(draw(0)[0], "mislabelled", seed=0)
    original, retrained = (
        DecisionTreeClassifier(max_leaf_nodes=12, random_state=0).fit(*data)
        for data in (canaries.train, retained(canaries))
    )
    evidence = audit_canaries_forgotten(retrained, canaries, original=original)
    assert evidence.verdict is Verdict.INCONCLUSIVE


def test_confusion_that_spread_to_unseen_examples_is_no_pass():
    canaries, original, references = fitted("confusion")
    pair = {int(label) for label in canaries.plan.labels}

    def confused(x):
        """Remembers no single canary, and takes the two classes for each other."""
        logits = references[0].predict_proba(x)
        one, other = sorted(pair)
        logits[:, [one, other]] = logits[:, [other, one]]
        return np.log(logits + 1e-6)

    alone = audit_canaries_forgotten(confused, canaries, original=original)
    assert alone.verdict is Verdict.INCONCLUSIVE
    beside = audit_canaries_forgotten(confused, canaries, original=original, references=references)
    assert beside.verdict is Verdict.FAIL
    assert beside.decided_by == "confusion of unseen examples"


def test_a_task_gives_its_original_and_references():
    canaries, original, references = fitted("mislabelled")
    split = Split(canaries.train, forget=canaries.indices, test=draw(0)[1], controls=canaries.held_out)
    task = UnlearningTask(split, original=original, references=references)
    evidence = audit_canaries_forgotten(references[0], canaries, task=task)
    assert evidence.verdict is Verdict.PASS
    assert len(evidence.controls.retrained) == 2
    partial = UnlearningTask(
        Split(canaries.train, forget=canaries.indices[1:], test=draw(0)[1]), original=original, references=references
    )
    with pytest.raises(ValueError, match="1 of 300 canaries are not in the task's request"):
        audit_canaries_forgotten(references[0], canaries, task=partial)
    other = UnlearningTask(Split(draw(0)[0], forget=[0], test=draw(0)[1]), original=original, references=references)
    with pytest.raises(ValueError, match="not built on these canaries"):
        audit_canaries_forgotten(references[0], canaries, task=other)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("gaussian", 0), ("gaussian", True), ("mislabelled", 0.5), ("confusion", 1), ("backdoor", 0.1), ("backdoor", "x")],
)
def test_impossible_limits_are_refused(kind, limit):
    canaries, _, references = fitted(kind)
    with pytest.raises(ValueError, match="max_effect of"):
        audit_canaries_forgotten(references[0], canaries, limit)


def test_what_cannot_be_asked_is_refused_in_a_sentence():
    canaries, original, _ = fitted("gaussian")
    with pytest.raises(ValueError, match="pass the model itself"):
        audit_canaries_forgotten(SavedOutputs(forget=np.zeros((3, 2))), canaries)
    with pytest.raises(ValueError, match='Plant kind="mislabelled"'):
        audit_canaries_forgotten(nearest().fit(*canaries.train), canaries)
    with pytest.raises(ValueError, match="cannot be differentiated"):
        audit_canaries_forgotten(nn.Sequential(network(), Detached()), canaries)
    with pytest.raises(TypeError, match="plant_canaries"):
        audit_canaries_forgotten(original, canaries.train)
    with pytest.raises(TypeError, match=r"references=\[model\]"):
        audit_canaries_forgotten(original, canaries, references=network())
    with pytest.raises(TypeError, match="UnlearningTask"):
        audit_canaries_forgotten(original, canaries, task=canaries.train)


class Detached(nn.Module):
    def forward(self, x):
        return x.detach()


def test_a_missing_class_of_a_linear_model_is_refused():
    canaries, _, _ = fitted("gaussian")
    x, y = retained(canaries)
    with pytest.raises(ValueError, match="does not know every class"):
        audit_canaries_forgotten(linear().fit(x[y > 0], y[y > 0]), canaries)
