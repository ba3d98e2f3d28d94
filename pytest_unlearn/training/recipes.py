"""Describe how a model is trained, by values called with a dataset and a seed.

The training loop of TorchRecipe: index batches over stacked tensors, because a DataLoader takes most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.training.arrays import rows, stack
from pytest_unlearn.training.estimators import fitted
from pytest_unlearn.training.fingerprint.walker import is_a
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import check_recipe, checked_device, estimator_type, name_of, unbound

if TYPE_CHECKING:
    import torch
    from torch import nn

_OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class TorchRecipe:
    """Train a torch classifier from scratch, in the plainest way.

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
        """Refuse values that could only fail in the middle of a training."""
        check_build(self.build)
        whole_number(self.epochs, "epochs", 1)
        whole_number(self.batch_size, "batch_size", 1)
        finite_number(self.learning_rate, "learning_rate", 0)
        finite_number(self.weight_decay, "weight_decay", 0, least=True)
        finite_number(self.momentum, "momentum", 0, 1, least=True)
        picked = cast(Any, self.optimizer)
        if not isinstance(picked, str) and (not callable(picked) or is_a(picked, "torch.nn", "Module")):
            raise TypeError(f"optimizer is 'adam', 'sgd' or a function of parameters, not {self.optimizer!r}")
        if self.loss is not None and (not callable(self.loss) or isinstance(self.loss, type)):
            raise TypeError(
                f"loss is a function `loss(logits, labels)`, such as nn.CrossEntropyLoss(), not {self.loss!r}"
            )
        checked_device(self.device)
        _check_key(self.key)
        if isinstance(self.optimizer, str) and self.optimizer not in _OPTIMIZERS:
            raise ValueError(
                f"optimizer {self.optimizer!r} is not known: use 'adam', 'sgd', or a function of parameters"
            )

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a model, the same for the same data and seed, changing no global state.

        Args:
            dataset: map-style, of (x, y).
            seed: decides the initial weights, the order of the examples and the dropout.

        Returns:
            The model, in eval mode.

        Raises:
            TypeError: `build` makes something else than a module.
            ValueError: the dataset is empty or ragged, or the model has nothing to train, or no logit for a label.
            FloatingPointError: the training diverged.
        """
        X, y = stack(dataset)
        if X.dtype.kind == "f" and np.isnan(X).any():
            raise ValueError("the inputs hold missing values (NaN), which a network cannot take: fill them first")
        with isolated(seed):
            return _fit(self, X, y)


@dataclass(frozen=True)
class EstimatorRecipe:
    """Fit a clone of a scikit-learn estimator.

    Attributes:
        estimator: any classifier, a Pipeline or a search over one included.
        key: stands for the whole recipe in the cache, instead of a digest of its parameters.
    """

    estimator: Any
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not an estimator."""
        fits = hasattr(self.estimator, "fit") and hasattr(self.estimator, "get_params")
        if isinstance(self.estimator, type) or not fits:
            raise TypeError(
                "estimator must be a scikit-learn estimator object, as in EstimatorRecipe(LogisticRegression()), not "
                f"{_named(self.estimator)}"
            )
        kind = estimator_type(self.estimator) if hasattr(self.estimator, "predict") else "transformer"
        if kind is not None and kind != "classifier":
            raise TypeError(
                f"estimator is a {kind} ({type(self.estimator).__name__}), and audits judge classifiers: make "
                "classes of its targets, and fit a classifier"
            )
        _check_key(self.key)

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Fit a clone with every `random_state`, nested ones too, set to the seed.

        Args:
            dataset: map-style, of (x, y). Data frames, sparse matrices and texts stay what they are, other x are
                flattened; labels that are text are given as such where the estimator takes them.
            seed: given to every `random_state` parameter.

        Returns:
            The fitted clone.

        Raises:
            ValueError: the dataset is empty or ragged.
        """
        X, y = rows(dataset)
        with isolated(seed):
            return fitted(self.estimator, X, y, getattr(dataset, "names", None), seed)


@dataclass(frozen=True)
class Recipe:
    """Call any training function, with a key of its own for the cache.

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
        check_recipe(self.function)
        _check_key(self.key)

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Call the function.

        Args:
            dataset: map-style, of (x, y).
            seed: passed on.

        Returns:
            The trained model.
        """
        return self.function(dataset, seed=seed)


def check_build(build: Any) -> None:
    """Refuse what makes no untrained model, called without arguments; TypeError."""
    if is_a(build, "torch.nn", "Module"):
        raise TypeError(
            f"build is a model ({type(build).__name__}), and each training needs one of its own: pass a function that "
            "makes an untrained model, as in `lambda: MLP(784, 10)`"
        )
    if not callable(build):
        raise TypeError(
            f"build must be a function that makes an untrained model, as in `lambda: MLP(784, 10)`, not {_named(build)}"
        )
    if why := unbound(build):
        raise TypeError(f"build is called without arguments ({why}): write it as `lambda: {name_of(build)}(...)`")


def _check_key(key: Any) -> None:
    if key is not None and (not isinstance(key, str) or not key):
        raise TypeError("key must be a string that is not empty, such as 'v1'")


def _named(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return repr(value) if value is None or isinstance(value, str) else f"a {type(value).__name__}"


def builder(recipe: Any) -> Callable[[], nn.Module] | None:
    """Find the function `build` that makes a recipe's untrained model, if any."""
    while isinstance(recipe, Recipe):
        recipe = recipe.function
    build = getattr(recipe, "build", None)
    return build if callable(build) else None


def _fit(recipe: TorchRecipe, X: NDArray[Any], y: NDArray[np.int64]) -> nn.Module:
    """Build and train a model with the generators as they are; `isolated` seeds them."""
    import torch
    from torch import nn

    model = recipe.build()
    if not isinstance(model, nn.Module):
        raise TypeError(f"build returned {type(model).__name__}: it must return an untrained torch.nn.Module")
    if recipe.device is not None:
        model = model.to(recipe.device)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("the model has no parameters to train: check `build` and its requires_grad flags")
    inputs, labels = torch.as_tensor(np.array(X)), torch.as_tensor(y)
    if inputs.is_floating_point():
        inputs = inputs.to(trainable[0].dtype)
    inputs, labels = inputs.to(trainable[0].device), labels.to(trainable[0].device)
    optimizer, loss = _optimizer(recipe, trainable), recipe.loss or _classification_loss
    model.train()
    # cuDNN picks among algorithms by timing them unless told otherwise, and some of them are not reproducible.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for _ in range(recipe.epochs):
            for batch in _batches(torch.randperm(len(labels)), recipe.batch_size):
                chosen = batch.to(inputs.device)
                optimizer.zero_grad(set_to_none=True)
                loss(model(inputs[chosen]), labels[chosen]).backward()
                optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in trainable):
        raise FloatingPointError("the training diverged (weights are not finite): lower the learning_rate")
    return model.eval()


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    import torch

    batches = list(torch.split(order, size))
    # BatchNorm cannot train on a single example, so a last one joins the batch before it.
    if len(batches) > 1 and size > 1 and len(batches[-1]) == 1:
        batches[-2:] = [order[(len(batches) - 2) * size :]]
    return batches


def _optimizer(recipe: TorchRecipe, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    import torch

    if not isinstance(recipe.optimizer, str):
        made: torch.optim.Optimizer = recipe.optimizer(parameters)
        return made
    # The fused step is one kernel instead of several a parameter: half the time of small models.
    fused = all(parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda") for parameter in parameters)
    settings: dict[str, Any] = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": fused}
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, **settings)
    return torch.optim.SGD(parameters, momentum=recipe.momentum, **settings)


def _classification_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    single = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
    classes = 2 if single else logits.shape[1]
    if int(labels.max()) >= classes or int(labels.min()) < 0:
        raise ValueError(
            f"the dataset has labels from {int(labels.min())} to {int(labels.max())}, the model answers for classes "
            f"0 to {classes - 1}: give the model one logit for each class, or pass a `loss` of your own"
        )
    if single:
        return functional.binary_cross_entropy_with_logits(logits.reshape(-1), labels.to(logits.dtype))
    return functional.cross_entropy(logits, labels)
