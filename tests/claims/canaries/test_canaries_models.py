"""audit_canaries_forgotten on every kind of model, and what it refuses."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, Verdict, audit_canaries_forgotten, plant_canaries
from pytest_unlearn.statistics import UnitMean
from tests.worlds.planted import draw, fitted, linear, nearest, network, networks, retained, z_of


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


@pytest.mark.slow
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


class Rippled(nn.Module):
    """The same answers but for a thousandth, and gradients that point anywhere."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.register_buffer("waves", torch.randn(64, 10, generator=torch.Generator().manual_seed(0)))

    def forward(self, x):
        return self.network(x) + 1e-3 * torch.sin(1e6 * x @ self.waves)


def test_a_ripple_that_hides_the_gradient_is_invalid_and_does_not_pass():
    canaries, original, _ = networks()
    evidence = audit_canaries_forgotten(Rippled(original), canaries, original=original)
    assert evidence.verdict is Verdict.INVALID
    assert "does not tell how its answers change a step away" in evidence.reasons[0]


def test_canaries_that_are_pushed_both_ways_do_not_cancel():
    canaries, original, references = fitted("mislabelled")
    place = {row.tobytes(): k for k, row in enumerate(np.asarray(canaries.plan.planted, dtype=np.float32))}

    def pushed(x):
        """Surer of every other canary's label than of anything else, and less sure of the rest of them."""
        logits = np.log(references[0].predict_proba(x) + 0.1)
        for row, one in zip(np.asarray(x, dtype=np.float32), logits, strict=True):
            if (k := place.get(row.tobytes())) is not None:
                one[canaries.plan.labels[k]] += 9.0 if k % 2 else -9.0
        return logits

    evidence = audit_canaries_forgotten(pushed, canaries, original=original)
    assert evidence.attacks["planted above its twin"].value == pytest.approx(0.5, abs=0.05)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.decided_by == "planted further from the middle than its twin"


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
    assert any("count half" in reason for reason in evidence.reasons)
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
