from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from torch.utils.data import Dataset, Subset, TensorDataset

from unlearners import Unsupported
from unlearners.exact.gaussian_nb_downdate import GaussianNBDowndate, downdate

LOADERS: dict[str, Callable[..., Any]] = {"breast_cancer": load_breast_cancer, "digits": load_digits, "wine": load_wine}


@cache
def data(name: str) -> TensorDataset:
    x, y = LOADERS[name](return_X_y=True)
    return TensorDataset(torch.tensor(x), torch.tensor(y))


def fit(dataset: Any, **settings: Any) -> GaussianNB:
    rows, targets = zip(*dataset, strict=True)
    return GaussianNB(**settings).fit(torch.stack(rows).numpy(), torch.stack(targets).numpy())


def split(dataset: TensorDataset, forget: Any) -> tuple[Subset[Any], Subset[Any]]:
    gone = {int(i) for i in forget}
    return Subset(dataset, [i for i in range(len(dataset)) if i not in gone]), Subset(dataset, sorted(gone))


class Counted(Dataset[Any]):
    """As long as a retain set, and fails the test that looks inside."""

    def __init__(self, dataset: Any) -> None:
        self.size = len(dataset)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("the retain set must not be read")


def assert_same(model: GaussianNB, refit: GaussianNB, before: GaussianNB) -> None:
    """Equal up to rounding, which is relative to the variances before the request."""
    scale = before.var_.max(0) + 1e-300
    np.testing.assert_array_equal(model.classes_, refit.classes_)
    np.testing.assert_array_equal(model.class_count_, refit.class_count_)
    np.testing.assert_allclose(model.class_prior_, refit.class_prior_, rtol=1e-14)
    np.testing.assert_allclose(model.epsilon_, refit.epsilon_, rtol=1e-9)
    np.testing.assert_allclose(model.theta_ / np.sqrt(scale), refit.theta_ / np.sqrt(scale), rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.var_ / scale, refit.var_ / scale, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [1, 20, 80])
@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("seed", range(3))
def test_is_the_refit_from_the_forget_set_alone(name: str, size: int, seed: int) -> None:
    whole = data(name)
    retain, forget = split(whole, np.random.default_rng(seed).permutation(len(whole))[:size])
    model, refit = fit(whole), fit(retain)
    unlearned = GaussianNBDowndate()(model, Counted(retain), forget, seed=0)
    assert_same(unlearned, refit, model)
    np.testing.assert_array_equal(unlearned.predict(whole.tensors[0]), refit.predict(whole.tensors[0]))


def test_the_smoothing_follows_the_largest_variance() -> None:
    """One far point makes the largest variance; without it epsilon_ is another."""
    x = torch.cat([torch.randn(40, 3, dtype=torch.float64), torch.tensor([[0, 1e3, 0]], dtype=torch.float64)])
    whole = TensorDataset(x, torch.arange(41) % 2)
    retain, forget = split(whole, [40])
    model = fit(whole, var_smoothing=0.1)
    unlearned = GaussianNBDowndate()(model, Counted(retain), forget, seed=0)
    assert unlearned.epsilon_ == pytest.approx(fit(retain, var_smoothing=0.1).epsilon_, rel=1e-9)
    assert unlearned.epsilon_ < model.epsilon_ / 1e3


def test_requests_follow_each_other() -> None:
    whole = data("wine")
    model = original = fit(whole)
    order = np.random.default_rng(0).permutation(len(whole))
    for step in range(30):
        retain = split(whole, order[: 3 * step + 3])[0]
        model = GaussianNBDowndate()(
            model, Counted(retain), Subset(whole, order[3 * step : 3 * step + 3].tolist()), seed=0
        )
        assert_same(model, fit(retain), original)


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_a_class_that_vanishes_leaves_the_model_as_in_a_refit(name: str) -> None:
    whole = data(name)
    model = fit(whole)
    for label in model.classes_:
        retain, forget = split(whole, (whole.tensors[1] == label).nonzero().flatten())
        unlearned = GaussianNBDowndate()(model, Counted(retain), forget, seed=0)
        assert_same(unlearned, fit(retain), model)


def test_down_to_one_example_of_a_class_and_with_duplicates() -> None:
    whole = data("wine")
    first = (whole.tensors[1] == 0).nonzero().flatten()
    retain, forget = split(whole, first[1:])
    model = fit(whole)
    assert_same(GaussianNBDowndate()(model, Counted(retain), forget, seed=0), fit(retain), model)
    doubled = TensorDataset(*(torch.cat([t, t[:9]]) for t in whole.tensors))
    model = fit(doubled)
    assert_same(GaussianNBDowndate()(model, Counted(whole), Subset(doubled, range(9)), seed=0), fit(whole), model)


def test_rounding_does_not_make_a_variance_negative() -> None:
    mean = np.nextafter(np.full(3, 0.1), 1)
    for gone in (1, 2, 99):
        _, variance = downdate(100, mean, np.zeros(3), np.full((gone, 3), 0.1))
        assert (variance == 0).all()


def test_given_priors_stay_and_then_no_class_may_vanish() -> None:
    whole = data("wine")
    model = fit(whole, priors=[0.5, 0.3, 0.2])
    retain, forget = split(whole, range(20))
    assert_same(
        GaussianNBDowndate()(model, Counted(retain), forget, seed=0), fit(retain, priors=[0.5, 0.3, 0.2]), model
    )
    retain, forget = split(whole, (whole.tensors[1] == 0).nonzero().flatten())
    with pytest.raises(ValueError, match="given priors for 3"):
        GaussianNBDowndate()(model, Counted(retain), forget, seed=0)


def test_input_is_untouched_and_nothing_to_forget_changes_nothing() -> None:
    whole = data("wine")
    model = fit(whole)
    before = deepcopy(vars(model))
    GaussianNBDowndate()(model, *split(whole, range(10)), seed=0)
    same = GaussianNBDowndate()(model, whole, Subset(whole, []), seed=0)
    assert same is not model
    np.testing.assert_equal(vars(same), before)
    np.testing.assert_equal(vars(model), before)


def test_what_the_model_was_not_fitted_on_is_refused() -> None:
    whole = data("wine")
    retain, forget = split(whole, range(5))
    with pytest.raises(ValueError, match="not what the model was fitted on"):
        GaussianNBDowndate()(fit(whole), whole, forget, seed=0)
    with pytest.raises(ValueError, match="the label 7"):
        GaussianNBDowndate()(fit(whole), retain, TensorDataset(whole.tensors[0][:1], torch.tensor([7])), seed=0)
    with pytest.raises(ValueError, match="retain set is empty"):
        GaussianNBDowndate()(fit(whole), Subset(whole, []), whole, seed=0)


def test_other_models_are_refused_in_one_sentence() -> None:
    whole = data("wine")
    x, y = (t.numpy() for t in whole.tensors)
    weighted = GaussianNB().fit(x, y, sample_weight=np.arange(len(y)) % 3 + 1)
    partial = GaussianNB().partial_fit(x[::2], y[::2], classes=[0, 1, 2]).partial_fit(x[1::2] * 2, y[1::2])
    for model in (GaussianNB(), MultinomialNB().fit(x, y), torch.nn.Linear(4, 3), weighted, partial):
        with pytest.raises(Unsupported, match="needs a (fitted|GaussianNB from one fit)"):
            GaussianNBDowndate()(model, *split(whole, [0]), seed=0)
