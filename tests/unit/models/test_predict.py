"""Model x view -> logits: every kind of model, and every way in which one cannot be judged."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, audit_forgotten, audit_utility
from pytest_unlearn.models.predict import evaluate, model_digest, read_as

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
TASK = UnlearningTask(Split((X[:40], Y[:40]), forget=np.arange(9), test=(X[40:], Y[40:])))
CLASSES = np.arange(3)


def outputs(model, view=TASK.test, classes=CLASSES, **kwargs):
    return evaluate(model, view, classes=classes, **kwargs)


def net(seed=0, width=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, width))


def test_a_module_is_asked_in_eval_mode_and_its_modes_are_restored():
    model = net()
    model.train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    answer = outputs(model, batch_size=7)
    assert answer.logits.dtype == np.float64
    assert [module.training for module in model] == [True, False, True, True, True]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval()
    with torch.no_grad():
        expected = model(torch.tensor(X[40:])).double().numpy()
    assert np.allclose(answer.logits, expected, atol=1e-6)


def test_float64_inputs_are_cast_to_the_modules_precision():
    task = UnlearningTask(Split((X[:40].astype(float), Y[:40]), forget=[0], test=(X[40:].astype(float), Y[40:])))
    assert np.allclose(outputs(net(), task.test).logits, outputs(net()).logits)


def test_a_single_logit_is_the_log_odds_of_class_one():
    binary = UnlearningTask(Split((X[:40], Y[:40] % 2), forget=[0, 1], test=(X[40:], Y[40:] % 2)))
    answer = outputs(net(width=1), binary.test, np.arange(2))
    assert answer.logits.shape == (20, 2)
    assert (answer.logits[:, 0] == 0).all()
    with pytest.raises(ValueError, match="label 2 .* has no column"):
        outputs(net(width=1))


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda z: {"logits": z, "loss": 0}, None),
        (lambda z: {"out": z}, "out"),
        (lambda z: (0, z), 1),
        (lambda z: {"deep": [z]}, lambda answer: answer["deep"][0]),
    ],
)
def test_output_picks_the_logits_of_a_structured_answer(wrap, output):
    weights = torch.tensor(RNG.normal(size=(5, 3)), dtype=torch.float32)
    plain = outputs(lambda x: torch.as_tensor(x) @ weights)
    assert np.array_equal(outputs(lambda x: wrap(torch.as_tensor(x) @ weights), output=output).logits, plain.logits)


@pytest.mark.parametrize(
    ("answer", "output", "says"),
    [
        (lambda x: {"a": x, "b": x}, None, r"keys \['a', 'b'\].*output="),
        (lambda x: (x, x), None, "tuple of 2"),
        (lambda x: {"a": x}, "z", "picks nothing"),
        (lambda x: x[:-1, :3], None, "19 rows for 20|one row of logits"),
        (lambda x: x[:, :2], None, "label 2 .* has no column"),
        (lambda x: x[:, :3] * np.nan, None, "non-finite logits"),
        (lambda x: x[:, :3] / 0, None, "non-finite logits"),
        (lambda x: x.reshape(-1, 5, 1), None, r"shape \(examples, classes\)"),
        (lambda x: x[:, :3] + np.random.default_rng().normal(size=(len(x), 3)), None, "asked again in another batch"),
        (lambda x: x[:, :3] - x[:, :3].mean(0), None, "asked again in another batch"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*divide.*:RuntimeWarning", "ignore:.*invalid.*:RuntimeWarning")
def test_an_answer_that_cannot_be_judged_is_refused_with_its_reason(answer, output, says):
    with pytest.raises(ValueError, match=says):
        outputs(answer, output=output)


def test_batch_statistics_are_refused():
    model = nn.Sequential(nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3))
    with pytest.raises(ValueError, match="batch statistics"):
        outputs(model)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="a model is"):
        outputs(3)


def test_a_classifiers_columns_are_aligned_by_its_classes():
    labels = np.array([7, 2, 5])[Y]
    task = UnlearningTask(Split((X[:40], labels[:40]), forget=np.arange(9), test=(X[40:], labels[40:])))
    model = LogisticRegression().fit(X[:40], labels[:40])
    answer = outputs(model, task.test, np.array([2, 5, 7]))
    assert np.allclose(answer.logits, model.decision_function(X[40:]))
    assert (model.classes_[answer.labels] == labels[40:]).all()
    assert (model.classes_[answer.logits.argmax(1)] == model.predict(X[40:])).all()


def test_a_class_that_an_estimator_never_saw_gets_the_floor_probability():
    known = Y[:40] != 1
    for model in (LogisticRegression(), RandomForestClassifier(10, random_state=0)):
        answer = outputs(model.fit(X[:40][known], Y[:40][known]))
        log_p = answer.logits - np.logaddexp.reduce(answer.logits, axis=1, keepdims=True)
        assert answer.logits.shape == (20, 3)
        assert np.allclose(log_p[:, 1], np.log(1e-12), atol=1e-6)
        assert (model.classes_[[0 if c == 0 else 1 for c in answer.logits.argmax(1)]] == model.predict(X[40:])).all()


def test_zero_probabilities_of_a_forest_are_floored_not_infinite():
    answer = outputs(RandomForestClassifier(5, random_state=0).fit(X[:40], Y[:40]), TASK.forget)
    assert np.isfinite(answer.logits).all()
    assert answer.logits.min() == np.log(1e-12)


def test_a_binary_decision_function_becomes_two_columns():
    binary = UnlearningTask(Split((X[:40], Y[:40] % 2), forget=[0, 1], test=(X[40:], Y[40:] % 2)))
    model = LogisticRegression().fit(X[:40], Y[:40] % 2)
    answer = outputs(model, binary.test, np.arange(2))
    assert np.allclose(answer.logits[:, 1] - answer.logits[:, 0], model.decision_function(X[40:]))


def test_a_classifier_without_scores_or_with_pairwise_ones_is_refused():
    four = np.arange(60) % 4
    task = UnlearningTask(Split((X[:40], four[:40]), forget=np.arange(9), test=(X[40:], four[40:])))
    with pytest.raises(ValueError, match="6 columns for 4 classes"):
        outputs(SVC(decision_function_shape="ovo").fit(X[:40], four[:40]), task.test, np.arange(4))

    class Labeller:
        classes_ = CLASSES

        def predict(self, rows):
            return np.zeros(len(rows))

    with pytest.raises(TypeError, match="neither decision_function nor predict_proba"):
        outputs(Labeller())


def test_saved_outputs_are_taken_by_view_or_by_whole_dataset():
    logits = RNG.normal(size=(40, 3))
    rows = outputs(SavedOutputs(train=logits), TASK.forget).logits
    assert np.array_equal(rows, logits[:9])
    assert np.array_equal(outputs(SavedOutputs(forget=logits[:9]), TASK.forget).logits, logits[:9])
    assert len(outputs(SavedOutputs(test=RNG.normal(size=(20, 3))), TASK.controls).logits) == len(TASK.controls)
    with pytest.raises(ValueError, match="no rows for the forget view of 9"):
        outputs(SavedOutputs(forget=logits[:8]), TASK.forget)
    with pytest.raises(ValueError, match="takes forget="):
        SavedOutputs(forgotten=logits)


def test_the_digest_follows_the_tensors_and_nothing_else():
    assert model_digest(net(0)) == model_digest(net(0))
    assert model_digest(net(0)) != model_digest(net(1))
    assert model_digest(lambda x: x) == ""


BINARY = UnlearningTask(Split((X[:40], Y[:40] % 2), forget=np.arange(12), test=(X[40:], Y[40:] % 2)))


def single(scale, shift=0.0):
    """One column, the sigmoid of which is the probability of class 1."""
    return lambda x: scale * (x[:, 0].astype(np.float64) + shift)


def sigmoid(model):
    return lambda x: 1 / (1 + np.exp(-model(x)))


def test_a_single_column_within_one_is_the_probability_of_class_one():
    expected = outputs(single(3.0), BINARY.test, np.arange(2))
    found = outputs(sigmoid(single(3.0)), BINARY.test, np.arange(2))
    assert found.kind == "probabilities"
    assert np.allclose(found.logits[:, 1] - found.logits[:, 0], expected.logits[:, 1], atol=1e-6)


def test_a_single_column_is_read_by_all_classes_where_a_view_has_one():
    """Log-odds of one class may all lie within [0, 1]; those of the test set do not."""
    weak = UnlearningTask(Split((np.abs(X[:40]), Y[:40] % 2), forget=np.arange(12), test=(X[40:], Y[40:] % 2)))
    model = single(0.1)
    assert model(weak.forget.arrays()[0]).min() >= 0
    assert model(weak.forget.arrays()[0]).max() <= 1
    assert outputs(model, weak.forget, np.arange(2)).kind == "logits"
    assert outputs(sigmoid(model), weak.forget, np.arange(2)).kind == "probabilities"


def test_few_probabilities_of_a_task_are_read_as_the_others():
    few = UnlearningTask(Split((X[:40], Y[:40] % 2), forget=[0, 1], test=(X[40:], Y[40:] % 2)))
    assert outputs(sigmoid(single(3.0)), few.forget, np.arange(2)).kind == "probabilities"


@pytest.mark.parametrize("kind", ["logits", "probabilities", "log-probabilities"])
def test_what_is_said_outright_is_believed(kind):
    rows = np.log(sigmoid(single(3.0))(X[40:])) if kind == "log-probabilities" else sigmoid(single(3.0))(X[40:])
    found = outputs(SavedOutputs(test=rows), BINARY.test, np.arange(2), output=read_as(None, kind))
    assert found.kind == kind
    odds = found.logits[:, 1] - found.logits[:, 0]
    assert np.allclose(odds, rows if kind == "logits" else single(3.0)(X[40:]), atol=1e-6)


def test_saved_probabilities_are_read_by_all_that_was_saved():
    saved = SavedOutputs(test=np.linspace(0.1, 0.9, 20), forget=np.linspace(-3, 3, 12))
    assert outputs(saved, BINARY.test, np.arange(2)).kind == "logits"
    saved = SavedOutputs(test=np.linspace(0.1, 0.9, 20), forget=np.linspace(0.1, 0.9, 12))
    assert outputs(saved, BINARY.test, np.arange(2)).kind == "probabilities"


def test_a_zero_probability_is_floored_and_is_no_diverged_training():
    saturated = SavedOutputs(test=np.eye(3)[Y[40:]] * 0.5 + np.eye(3)[(Y[40:] + 1) % 3] * 0.5)
    assert np.isfinite(outputs(saturated).logits).all()
    with np.errstate(divide="ignore"):
        logs = SavedOutputs(test=np.log(saturated.parts["test"]))
    assert outputs(logs).kind == "log-probabilities"
    assert np.array_equal(outputs(logs).logits, outputs(saturated).logits)


def test_models_of_one_audit_that_answer_on_two_scales_are_refused():
    original, references = sigmoid(single(3.0)), [sigmoid(single(2.0)), sigmoid(single(2.5, 0.1))]
    say = r"answers probabilities and .* answers logits.*output_kind="
    with pytest.raises(ValueError, match=say):
        audit_forgotten(single(2.0), BINARY.forget, baseline=original, references=references)
    with pytest.raises(ValueError, match=say):
        audit_utility(sigmoid(single(2.0)), BINARY.test, baseline=single(3.0))
    assert audit_utility(sigmoid(single(2.0)), BINARY.test, baseline=original).estimate.value == 0.0


def test_a_labels_only_service_is_compared_with_models_that_answer_logits():
    model = lambda x: x[:, :3]  # noqa: E731
    labels = lambda x: np.eye(3)[x[:, :3].argmax(axis=1)]  # noqa: E731
    assert audit_utility(labels, TASK.test, baseline=model).estimate.value == 0.0
