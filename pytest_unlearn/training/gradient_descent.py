"""Train a network by the steps that a TorchRecipe describes.

Everything is in memory, so batches are rows of resident tensors: a DataLoader takes more time than a small network.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.training.seeding import isolated

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pytest_unlearn.training.recipes import TorchRecipe

_NEEDS_ROWS_FIRST = "view size is not compatible"


def train(recipe: TorchRecipe, X: NDArray[Any], y: NDArray[np.int64], seed: int) -> nn.Module:
    """Train a recipe's model, seeded, on one thread, leaving global state as it was.

    Args:
        recipe: what to train, and how.
        X: the inputs, example by example along the first axis.
        y: the class of each.
        seed: of everything that is drawn.

    Returns:
        The model, in eval mode.

    Raises:
        TypeError: as `TorchRecipe` says, like those below.
        ValueError: the model cannot be trained on these data.
        FloatingPointError: the training diverged.
        RuntimeError: nothing can compile the model here.
    """
    if recipe.compile:
        _check_compiler()
    try:
        with isolated(seed):
            return _fit(recipe, X, y, channels_last=X.ndim == 4)
    except RuntimeError as error:
        if X.ndim != 4 or _NEEDS_ROWS_FIRST not in str(error):
            raise
    # A forward pass that takes a view of feature maps needs them channel by channel, as they usually lie.
    with isolated(seed):
        return _fit(recipe, X, y, channels_last=False)


def _fit(recipe: TorchRecipe, X: NDArray[Any], y: NDArray[np.int64], *, channels_last: bool) -> nn.Module:
    """Build and train a model with the generators as they are."""
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
    # Convolutions of pixels whose channels lie side by side take two thirds of the time, and never more.
    channels_last = channels_last and any(isinstance(part, nn.Conv2d) for part in model.modules())
    layout = torch.channels_last if channels_last else torch.contiguous_format
    inputs, labels = torch.as_tensor(np.array(X)), torch.as_tensor(y)
    if inputs.is_floating_point():
        inputs = inputs.to(trainable[0].dtype)
    device = trainable[0].device
    inputs, labels = inputs.to(device).contiguous(memory_format=layout), labels.to(device)
    if channels_last:
        model = model.to(memory_format=layout)  # type: ignore[call-overload]
    _descend(recipe, model, trainable, inputs, labels)
    if channels_last:
        model = model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    if not all(bool(torch.isfinite(parameter).all()) for parameter in trainable):
        raise FloatingPointError("the training diverged (weights are not finite): lower the learning_rate")
    return model.eval()


def _descend(
    recipe: TorchRecipe, model: nn.Module, trainable: list[nn.Parameter], inputs: torch.Tensor, labels: torch.Tensor
) -> None:
    """Take the recipe's steps, in place."""
    import torch

    optimizer, loss = _optimizer(recipe, trainable), recipe.loss or _classification_loss(labels)
    steps = recipe.epochs * len(batches(torch.arange(len(labels)), recipe.batch_size))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if recipe.schedule == "cosine" else None
    augment = _augmentation(recipe, inputs.device)
    # Sizes of batches are few, so that a kernel for each is faster than one for all.
    ask = torch.compile(model, dynamic=False) if recipe.compile else model
    model.train()
    # cuDNN picks among algorithms by timing them unless told otherwise, and some of them are not reproducible.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for chosen in _drawn(recipe, labels):
            optimizer.zero_grad(set_to_none=True)
            batch = augment(inputs[chosen])
            with _precision(recipe, inputs.device):
                value = loss(ask(batch), labels[chosen])
            value.backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
    optimizer.zero_grad(set_to_none=True)


def _drawn(recipe: TorchRecipe, labels: torch.Tensor) -> Iterator[torch.Tensor]:
    """Draw the examples of each step: all of them once an epoch, in a new order."""
    import torch

    for _ in range(recipe.epochs):
        for batch in batches(torch.randperm(len(labels)), recipe.batch_size):
            yield batch.to(labels.device)


def batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """Cut an order of examples into steps; one left over joins the step before it.

    BatchNorm cannot train on a single example.
    """
    import torch

    steps = list(torch.split(order, size))
    if len(steps) > 1 and size > 1 and len(steps[-1]) == 1:
        steps[-2:] = [order[(len(steps) - 2) * size :]]
    return steps


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


def _classification_loss(labels: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Make the usual loss, which refuses models without a logit for each of these labels."""
    from torch.nn import functional

    least, most = int(labels.min()), int(labels.max())

    def loss(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        single = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
        classes = 2 if single else logits.shape[1]
        if most >= classes or least < 0:
            raise ValueError(
                f"the dataset has labels from {least} to {most}, the model answers for classes "
                f"0 to {classes - 1}: give the model one logit for each class, or pass a `loss` of your own"
            )
        if single:
            return functional.binary_cross_entropy_with_logits(logits.reshape(-1), wanted.to(logits.dtype))
        return functional.cross_entropy(logits, wanted)

    return loss


def _augmentation(recipe: TorchRecipe, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Bind the recipe's augmentation to a generator of its own, seeded by the recipe's."""
    import torch

    if recipe.augment is None:
        return lambda batch: batch
    augment, generator = recipe.augment, torch.Generator(device=device)
    generator.manual_seed(int(torch.randint(2**62, ())))

    def augmented(batch: torch.Tensor) -> torch.Tensor:
        made = augment(batch, generator)
        if not isinstance(made, torch.Tensor) or len(made) != len(batch):
            raise TypeError(
                f"augment must return a tensor of as many examples as it was given ({len(batch)}), not "
                f"{tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__}"
            )
        return made

    return augmented


def _precision(recipe: TorchRecipe, device: torch.device) -> AbstractContextManager[Any]:
    import torch

    if recipe.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _check_compiler() -> None:
    """Refuse early what torch would refuse in the middle, with a page of text."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "clang++")):
        raise RuntimeError("compile=True needs a C++ compiler, and there is none here: install g++, or leave it out")
