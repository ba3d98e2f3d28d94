"""Describe how a model is trained, by values called with a dataset and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.training.arrays import rows, stack
from pytest_unlearn.training.estimators import fitted
from pytest_unlearn.training.fingerprint.walker import is_a
from pytest_unlearn.training.gradient_descent import train
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import check_recipe, checked_device, estimator_type, name_of, unbound

if TYPE_CHECKING:
    import torch
    from torch import nn

_ELSEWHERE = (("causal", "CausalRecipe"), ("lightning", "LightningRecipe"), ("transformers", "TransformersRecipe"))
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
        schedule: "cosine" lets the learning rate fall to zero along half a cosine (Loshchilov and Hutter 2017).
        augment: `augment(batch, generator) -> batch`, called on the inputs of each step with a seeded torch.Generator;
            it may change the batch in place.
        precision: "bf16" multiplies in bfloat16 and keeps weights in float32: faster where the processor knows it.
        compile: whether to train a compiled model (`torch.compile`), which takes seconds to make.
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
    _: KW_ONLY
    schedule: Literal["cosine"] | None = None
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None
    precision: Literal["float32", "bf16"] = "float32"
    compile: bool = False

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
        check_key(self.key)
        if isinstance(self.optimizer, str) and self.optimizer not in _OPTIMIZERS:
            raise ValueError(
                f"optimizer {self.optimizer!r} is not known: use 'adam', 'sgd', or a function of parameters"
            )
        if self.schedule not in (None, "cosine"):
            raise ValueError(f"schedule {self.schedule!r} is not known: use 'cosine', or None for a constant rate")
        if self.precision not in ("float32", "bf16"):
            raise ValueError(f"precision {self.precision!r} is not known: use 'float32' or 'bf16'")
        if self.augment is not None and (not callable(self.augment) or isinstance(self.augment, type)):
            raise TypeError(f"augment is a function `augment(batch, generator) -> batch`, not {self.augment!r}")
        if not isinstance(self.compile, bool):
            raise TypeError(f"compile is True or False, not {self.compile!r}")

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a model, the same for the same data and seed, changing no global state.

        Args:
            dataset: map-style, of (x, y).
            seed: decides the initial weights, the order of the examples, the dropout and the augmentation.

        Returns:
            The model, in eval mode.

        Raises:
            TypeError: `build` makes something else than a module, `augment` something else than a batch.
            ValueError: the dataset is empty or ragged, or the model has nothing to train, or no logit for a label.
            RuntimeError: nothing can compile the model here.
            FloatingPointError: the training diverged.
        """
        X, y = stack(dataset)
        if X.dtype.kind == "f" and np.isnan(X).any():
            raise ValueError("the inputs hold missing values (NaN), which a network cannot take: fill them first")
        return train(self, X, y, seed)


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
        check_key(self.key)

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
        check_key(self.key)

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Call the function.

        Args:
            dataset: map-style, of (x, y).
            seed: passed on.

        Returns:
            The trained model.
        """
        return self.function(dataset, seed=seed)


def on_device(recipe: Any, device: str | None) -> Any:
    """Have a recipe of ours that names no device train where its models are audited."""
    ours = isinstance(recipe, TorchRecipe) or any(
        is_a(recipe, f"pytest_unlearn.training.{module}", name) for module, name in _ELSEWHERE
    )
    if device in (None, "cpu") or not ours or recipe.device is not None:
        return recipe
    return replace(recipe, device=device)


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


def check_key(key: Any) -> None:
    """Refuse what cannot stand for a recipe in the cache; TypeError."""
    if key is not None and (not isinstance(key, str) or not key):
        raise TypeError("key must be a string that is not empty, such as 'v1'")


def _named(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return repr(value) if value is None or isinstance(value, str) else f"a {type(value).__name__}"


def builder(recipe: Any) -> Callable[[], nn.Module] | None:
    """Find the function that makes a recipe's untrained model, if any."""
    while isinstance(recipe, Recipe):
        recipe = recipe.function
    build = getattr(recipe, "untrained", None) or getattr(recipe, "build", None)
    return build if callable(build) else None
