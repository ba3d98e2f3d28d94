from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Dataset, Subset, TensorDataset

from unlearners import Unsupported
from unlearners.exact.ridge_downdate import RidgeDowndate, downdate

LOADERS: dict[str, Callable[..., Any]] = {
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "diabetes": load_diabetes,
    "linnerud": load_linnerud,
}


@cache
def data(name: str) -> TensorDataset:
    x, y = LOADERS[name](return_X_y=True)
    return TensorDataset(torch.tensor(StandardScaler().fit_transform(x)), torch.tensor(y))


def fit(model: Any, dataset: Any) -> Any:
    rows, targets = zip(*dataset, strict=True)
    return model.fit(torch.stack(rows).numpy(), torch.stack(targets).numpy())


def split(dataset: TensorDataset, forget: Any) -> tuple[Subset[Any], Subset[Any]]:
    gone = [int(i) for i in forget]
    return Subset(dataset, [i for i in range(len(dataset)) if i not in set(gone)]), Subset(dataset, gone)


def assert_same(model: Any, refit: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(model.coef_, refit.coef_, rtol=0, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, refit.intercept_, rtol=0, atol=tolerance)
    assert np.shape(model.coef_) == np.shape(refit.coef_)
    assert np.shape(model.intercept_) == np.shape(refit.intercept_)
    assert getattr(model, "classes_", np.zeros(1)).tolist() == getattr(refit, "classes_", np.zeros(1)).tolist()


class Counted(Dataset[Any]):
    """As long as a retain set, and fails the test that looks inside."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("the retain set must not be read")


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100, 300])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("breast_cancer", RidgeClassifier),
        ("digits", RidgeClassifier),
        ("diabetes", Ridge),
        ("linnerud", Ridge),
        ("digits", Ridge),
    ],
)
def test_is_the_refit(name: str, kind: Any, size: int, intercept: bool) -> None:
    whole, settings = data(name), {"alpha": 0.3, "fit_intercept": intercept}
    size = min(size, len(whole) // 2)
    retain, forget = split(whole, np.random.default_rng(size).permutation(len(whole))[:size])
    model, refit = fit(kind(**settings), whole), fit(kind(**settings), retain)
    for prepared in (False, True):
        start = RidgeDowndate().prepare(model, whole) if prepared else model
        unlearned = RidgeDowndate()(start, Counted(len(retain)) if prepared else retain, forget, seed=0)
        assert_same(unlearned, refit)


def test_the_formula_is_the_inverse_of_what_is_left_and_its_solution() -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        rows, targets = draw.standard_normal((20, 5)), draw.standard_normal((20, 3))
        gram = rows.T @ rows + 0.1 * np.eye(5)
        inverse, weights = downdate(np.linalg.inv(gram), np.linalg.solve(gram, rows.T @ targets), rows[:8], targets[:8])
        left = rows[8:].T @ rows[8:] + 0.1 * np.eye(5)
        np.testing.assert_allclose(inverse @ left, np.eye(5), atol=1e-11)
        np.testing.assert_allclose(left @ weights, rows[8:].T @ targets[8:], atol=1e-11)


@pytest.mark.parametrize("intercept", [True, False])
def test_no_system_is_larger_than_the_number_of_features(intercept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """So k rows of d features cost O(k d²), however many they are."""
    whole, sizes = data("diabetes"), []
    retain, forget = split(whole, range(77))
    model = RidgeDowndate().prepare(fit(Ridge(fit_intercept=intercept), whole), whole)

    def recording(inverse: Any, weights: Any, rows: Any, targets: Any) -> Any:
        sizes.append(len(rows))
        return downdate(inverse, weights, rows, targets)

    monkeypatch.setattr("unlearners.exact.ridge_downdate.downdate", recording)
    RidgeDowndate()(model, Counted(len(retain)), forget, seed=0)
    assert sizes == [10 + intercept] * 7 + [7 + intercept]


def test_the_first_request_reads_retain_and_its_result_remembers_enough_for_the_next() -> None:
    whole = data("breast_cancer")
    order = np.random.default_rng(0).permutation(len(whole))
    model = fit(RidgeClassifier(), whole)
    with pytest.raises(AssertionError, match="must not be read"):
        RidgeDowndate()(model, Counted(len(whole) - 1), Subset(whole, [0]), seed=0)
    for step in range(20):
        retain, forget = split(whole, order[: 3 * step + 3])
        last = Subset(whole, forget.indices[3 * step :])
        model = RidgeDowndate()(model, retain if step == 0 else Counted(len(retain)), last, seed=0)
        assert_same(model, fit(RidgeClassifier(), retain))


def test_what_is_remembered_is_about_the_retain_set_only() -> None:
    whole = data("digits")
    retain, forget = split(whole, range(70))
    unlearned = RidgeDowndate()(fit(RidgeClassifier(), whole), retain, forget, seed=0)
    expected = RidgeDowndate().prepare(fit(RidgeClassifier(), retain), retain)
    assert unlearned.downdate_.keys() == expected.downdate_.keys()
    for name, value in expected.downdate_.items():
        np.testing.assert_allclose(unlearned.downdate_[name], value, rtol=0, atol=1e-10)


def test_a_memory_is_not_used_for_a_model_that_was_fitted_again() -> None:
    whole = data("breast_cancer")
    half = Subset(whole, range(300))
    model = RidgeDowndate().prepare(fit(RidgeClassifier(), whole), whole)
    retain, forget = Subset(whole, range(5, 300)), Subset(whole, range(5))
    assert_same(RidgeDowndate()(fit(model, half), retain, forget, seed=0), fit(RidgeClassifier(), retain))


def test_many_rows_with_large_means_stay_accurate() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    whole = TensorDataset(torch.tensor(x), torch.tensor(y))
    retain, forget = split(whole, range(200))
    unlearned = RidgeDowndate()(fit(RidgeClassifier(), whole), retain, forget, seed=0)
    assert_same(unlearned, fit(RidgeClassifier(), retain), tolerance=1e-9)


def test_a_duplicate_is_forgotten_once() -> None:
    whole = data("diabetes")
    doubled = TensorDataset(*(torch.cat([t, t[:9]]) for t in whole.tensors))
    unlearned = RidgeDowndate()(fit(Ridge(), doubled), whole, Subset(doubled, range(9)), seed=0)
    assert_same(unlearned, fit(Ridge(), whole))


@pytest.mark.parametrize("classes", [5, 3])
def test_a_class_that_vanishes_leaves_the_model_as_in_a_refit(classes: int) -> None:
    digits = data("digits")
    whole = TensorDataset(*(t[digits.tensors[1] < classes] for t in digits.tensors))
    for label in range(classes):
        retain, forget = split(whole, (whole.tensors[1] == label).nonzero().flatten())
        refit, model = fit(RidgeClassifier(), retain), fit(RidgeClassifier(), whole)
        unlearned = RidgeDowndate()(model, retain, forget, seed=0)
        assert_same(unlearned, refit)
        np.testing.assert_array_equal(unlearned.predict(whole.tensors[0]), refit.predict(whole.tensors[0]))
        assert model.classes_.tolist() == list(range(classes))
        again, last = split(retain, range(4))
        assert_same(RidgeDowndate()(unlearned, Counted(len(again)), last, seed=0), fit(RidgeClassifier(), again))


def test_with_one_class_left_there_is_nothing_to_separate() -> None:
    whole = data("breast_cancer")
    retain, forget = split(whole, (whole.tensors[1] == 0).nonzero().flatten())
    with pytest.raises(ValueError, match="leaves one class, 1"):
        RidgeDowndate()(fit(RidgeClassifier(), whole), retain, forget, seed=0)


def test_input_is_untouched_and_nothing_to_forget_changes_nothing() -> None:
    whole = data("diabetes")
    model = fit(Ridge(), whole)
    before = deepcopy(vars(model))
    RidgeDowndate()(model, *split(whole, [0, 1]), seed=0)
    same = RidgeDowndate()(model, whole, Subset(whole, []), seed=0)
    assert same is not model
    np.testing.assert_array_equal(same.coef_, model.coef_)
    np.testing.assert_equal(vars(model), before)


def test_other_data_than_the_model_was_fitted_on_are_refused() -> None:
    whole = data("breast_cancer")
    retain, forget = split(whole, range(5))
    model = fit(RidgeClassifier(), whole)
    with pytest.raises(ValueError, match="not the ridge solution on retain and forget"):
        RidgeDowndate()(model, Subset(retain, range(500)), forget, seed=0)
    with pytest.raises(ValueError, match="not what the model was fitted on"):
        RidgeDowndate()(RidgeDowndate().prepare(model, whole), whole, forget, seed=0)
    seven = TensorDataset(whole.tensors[0][:1], torch.tensor([7]))
    with pytest.raises(ValueError, match="the label 7"):
        RidgeDowndate()(RidgeDowndate().prepare(model, whole), whole, seven, seed=0)
    with pytest.raises(ValueError, match="retain set is empty"):
        RidgeDowndate()(model, Subset(whole, []), whole, seed=0)


def test_sample_weights_and_solvers_that_stop_early_are_found_out() -> None:
    whole = data("diabetes")
    retain, forget = split(whole, range(5))
    x, y = (t.numpy() for t in whole.tensors)
    weighted = Ridge().fit(x, y, sample_weight=np.arange(len(y)) % 2 + 1)
    for model in (weighted, Ridge(solver="sag", tol=1e-3, random_state=0).fit(x, y)):
        with pytest.raises(ValueError, match="not the ridge solution"):
            RidgeDowndate()(model, retain, forget, seed=0)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (torch.nn.Linear(4, 3), "not Linear"),
        (Ridge(), "needs a fitted"),
        (LinearRegression().fit(np.eye(4), [0, 1, 2, 3]), "not LinearRegression"),
        (Ridge(alpha=np.array([1.0, 2.0])).fit(np.eye(4), np.eye(4)[:, :2]), "one positive alpha"),
        (Ridge(alpha=0, fit_intercept=False).fit(np.eye(4), [0, 1, 2, 3]), "one positive alpha"),
        (Ridge(positive=True).fit(np.eye(4), [0, 1, 2, 3]), "without positive"),
        (RidgeClassifier(class_weight="balanced").fit(np.eye(4), [0, 1, 1, 0]), "without positive=True and class_w"),
    ],
)
def test_other_models_are_refused_in_one_sentence(model: Any, what: str) -> None:
    whole = data("breast_cancer")
    with pytest.raises(Unsupported, match=what):
        RidgeDowndate()(model, *split(whole, [0]), seed=0)


def test_several_labels_an_example_are_refused() -> None:
    x, labels = np.eye(6), np.arange(18).reshape(6, 3) % 2
    whole = TensorDataset(torch.tensor(x), torch.tensor(labels))
    with pytest.raises(Unsupported, match="one label an example"):
        RidgeDowndate()(RidgeClassifier().fit(x, labels), *split(whole, [0]), seed=0)
