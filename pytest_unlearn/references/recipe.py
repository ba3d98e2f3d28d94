"""Recipes: how a model is trained, as a value that can be called with a dataset and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_unlearn.references.data import stack
from pytest_unlearn.references.fitting import fit
from pytest_unlearn.references.isolation import isolated

if TYPE_CHECKING:
    from torch import nn

_OPTIMIZERS = ("adam", "sgd")


class RecipeLike(Protocol):
    """What every recipe can do: train a model on a dataset, reproducibly under a seed."""

    def __call__(self, dataset: Any, /, *, seed: int) -> Any:
        """The trained model."""


@dataclass(frozen=True)
class TorchRecipe:
    """Trains a torch classifier from scratch, in the plainest way.

    Attributes:
        build: makes the untrained model; called once a training, with the seed set.
        epochs: passes over the data.
        batch_size: examples a step.
        learning_rate: of the optimizer.
        optimizer: "adam", "sgd", or a callable that turns parameters into an optimizer.
        weight_decay: of the named optimizers.
        momentum: of "sgd".
        loss: `loss(logits, labels)`; by default cross-entropy, and for models with one logit binary cross-entropy.
        device: where to train; by default where `build` puts the model.
        key: stands for the whole recipe in the cache, instead of a digest of its code.
    """

    build: Callable[[], nn.Module]
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str | Callable[..., Any] = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.9
    loss: Callable[..., Any] | None = None
    device: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that could only fail later, in the middle of a training."""
        if not callable(self.build):
            raise TypeError("build must be a function that makes an untrained model, as in `lambda: MLP(784, 10)`")
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs ({self.epochs}) and batch_size ({self.batch_size}) must be at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}: it must be positive")
        if isinstance(self.optimizer, str) and self.optimizer not in _OPTIMIZERS:
            raise ValueError(
                f"optimizer {self.optimizer!r} is not known: use 'adam', 'sgd', or a function of parameters"
            )

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a model; the same data and seed give the same model, and no global state is disturbed.

        Args:
            dataset: map-style, of (x, y).
            seed: decides the initial weights, the order of the examples and the dropout.

        Returns:
            The model, in eval mode.

        Raises:
            ValueError: the dataset is empty or ragged, or has labels that the model has no logit for.
            FloatingPointError: the training diverged.
        """
        X, y = stack(dataset)
        with isolated(seed):
            return fit(self, X, y)


@dataclass(frozen=True)
class EstimatorRecipe:
    """Fits a clone of a scikit-learn estimator.

    Attributes:
        estimator: any classifier, a Pipeline or a search over one included.
        key: stands for the whole recipe in the cache, instead of a digest of its parameters.
    """

    estimator: Any
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not an estimator."""
        if isinstance(self.estimator, type) or not (
            hasattr(self.estimator, "fit") and hasattr(self.estimator, "get_params")
        ):
            raise TypeError(
                "estimator must be a scikit-learn estimator object, as in EstimatorRecipe(LogisticRegression())"
            )

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Fit a clone with every `random_state`, nested ones too, set to the seed.

        Args:
            dataset: map-style, of (x, y); x is flattened.
            seed: given to every `random_state` parameter.

        Returns:
            The fitted clone.

        Raises:
            ValueError: the dataset is empty or ragged.
        """
        from sklearn.base import clone

        X, y = stack(dataset)
        estimator = clone(self.estimator)
        states = [name for name in estimator.get_params(deep=True) if name.rpartition("__")[2] == "random_state"]
        estimator.set_params(**dict.fromkeys(states, seed % 2**32))
        with isolated(seed):
            return estimator.fit(X.reshape(len(X), -1), y)


@dataclass(frozen=True)
class Recipe:
    """Any training function, with a key of its own for the cache.

    Attributes:
        function: `function(dataset, *, seed) -> model`.
        key: stands for the function in the cache; change it whenever the recipe changes. None: its code is digested.
    """

    function: Callable[..., Any]
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be called, and keys that cannot be told apart."""
        if not callable(self.function):
            raise TypeError(
                "function must be callable, as in Recipe(train, key='v1') with `def train(dataset, *, seed)`"
            )
        if self.key is not None and (not isinstance(self.key, str) or not self.key):
            raise TypeError("key must be a string that is not empty, such as 'v1'")

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """What the function returns.

        Args:
            dataset: map-style, of (x, y).
            seed: passed on.

        Returns:
            The trained model.
        """
        return self.function(dataset, seed=seed)


def builder(recipe: Any) -> Callable[[], nn.Module] | None:
    """The function that makes a recipe's untrained model, if it says so (its `build`), looking through `Recipe`."""
    while isinstance(recipe, Recipe):
        recipe = recipe.function
    build = getattr(recipe, "build", None)
    return build if callable(build) else None
