"""Run another framework's trainer unheard, and leave the process as it was."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.evidence import IntArray

if TYPE_CHECKING:
    import torch
    from torch import nn

_ITS_MODULES = r"(lightning|lightning_fabric|pytorch_lightning|transformers|accelerate)\b"
OF_TORCH = ("deterministic algorithms", "cudnn.benchmark", "cudnn.deterministic", "matmul precision")


@contextmanager
def unheard(*loggers: str) -> Iterator[None]:
    """Silence a framework for a block, and give back what it sets for the process.

    Its trainers announce themselves, warn of settings that a recipe chooses on purpose (no validation, no workers), and
    set variables of the environment and switches of torch.

    Args:
        *loggers: of whom only errors are let through.
    """
    from pytest_unlearn.training.global_state import restored

    environment = dict(os.environ)
    levels = [(logger, logger.level) for logger in map(logging.getLogger, loggers)]
    try:
        for logger, _ in levels:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), restored(OF_TORCH):
            warnings.filterwarnings("ignore", module=_ITS_MODULES)
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)


def check_extra(extra: Mapping[str, Any], taken: Mapping[str, str], what: str) -> None:
    """Refuse further arguments of a trainer that the recipe gives itself.

    Args:
        extra: as the user gave them.
        taken: by name, what to do instead.
        what: the recipe's argument.

    Raises:
        TypeError: no mapping from names.
        ValueError: one that is taken; the sentence says what to do.
    """
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise TypeError(f"{what} is a mapping of further arguments by name, not {extra!r}")
    for name in extra:
        if name in taken:
            raise ValueError(f"{what} holds {name!r}, which the recipe sets: {taken[name]}")


def as_tensors(X: Any, y: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and labels as tensors, in torch's default precision.

    Raises:
        ValueError: inputs that are missing (NaN).
    """
    import numpy as np
    import torch

    if X.dtype.kind == "f" and np.isnan(X).any():
        raise ValueError("the inputs hold missing values (NaN), which a network cannot take: fill them first")
    inputs = torch.as_tensor(X)
    return inputs.to(torch.get_default_dtype()) if inputs.is_floating_point() else inputs, torch.as_tensor(y)


def trained(model: nn.Module, before: list[torch.Tensor], rate: str) -> nn.Module:
    """Return a model as it is audited, having checked that it was trained.

    Args:
        model: after its training.
        before: its parameters before.
        rate: what to lower where it diverged.

    Raises:
        ValueError: not one weight has changed.
        FloatingPointError: the training diverged.
    """
    import torch

    parameters = [parameter.detach() for parameter in model.parameters()]
    if all(torch.equal(old, new.to(old.device)) for old, new in zip(before, parameters, strict=True)):
        raise ValueError("the training changed no weight: check the optimizer, its rate and requires_grad flags")
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise FloatingPointError(f"the training diverged (weights are not finite): lower {rate}")
    for parameter in model.parameters():
        parameter.grad = None
    return model.eval()
