"""The training loop of TorchRecipe: index batches over stacked tensors, because a DataLoader takes most of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import nn

    from pytest_unlearn.references.recipe import TorchRecipe


def fit(recipe: TorchRecipe, X: NDArray[Any], y: NDArray[np.int64]) -> nn.Module:
    """Build and train a model with the generators as they are; `isolated` seeds them.

    Args:
        recipe: what to build and how to train it.
        X: the examples.
        y: their labels.

    Returns:
        The model, in eval mode, without gradients.

    Raises:
        TypeError: `build` makes something else than a module.
        ValueError: the model has nothing to train, or no logit for a label.
        FloatingPointError: the training diverged.
    """
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
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)
    return torch.optim.SGD(
        parameters, lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused
    )


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
