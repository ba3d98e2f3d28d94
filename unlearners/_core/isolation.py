"""Keep methods from leaving traces: random states, copies, modes."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class Unsupported(TypeError):  # noqa: N818 - it names what happened
    """Say that the method does not work on this kind of model."""


class Examples(Protocol):
    """Describe a map-style dataset of (x, y): torch's `Dataset`, plus a length."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Unlearner(Protocol):
    """Describe what every method is; a seed makes it reproducible."""

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any: ...


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed the global random states, record gradients, and restore both at the end.

    Dropout and user code draw from the global states, so a private generator alone would not be reproducible.
    """
    # Asking an idle CUDA for its state would start it on every device of the machine.
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = list(range(torch.cuda.device_count())) if started else []
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the legacy global state is what we guard
    # Leaving inference mode also turns gradients on, inside `no_grad` as well.
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False):
        # `torch.manual_seed` would also queue a seed for a CUDA that starts after we have left.
        for generator in (torch.default_generator, *(torch.cuda.default_generators[i] for i in devices)):
            generator.manual_seed(int(seed))
        random.seed(int(seed))
        np.random.seed(int(seed) % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def require_module(model: Any, method: str) -> None:
    """Refuse, in one sentence, a model that has no gradients."""
    if not isinstance(model, nn.Module):
        raise Unsupported(
            f"{method} trains by gradients and needs a torch.nn.Module, not {type(model).__name__}; "
            "Retrain(recipe) works for any model."
        )


def require_retain(retain: Examples, method: str) -> None:
    """Refuse a request to forget everything: no model is left to keep."""
    if len(retain) == 0:
        raise ValueError(
            f"{method} was asked to forget the whole dataset: the retain set is empty. Delete the model, or train a "
            "new one on other data."
        )


@contextmanager
def working_copy(model: Any, seed: int, method: str) -> Iterator[nn.Module]:
    """Copy the model for training in isolation, and restore its modes at the end."""
    require_module(model, method)
    with isolated(seed):
        copy: nn.Module = deepcopy(model).train()
        for module in copy.modules():
            # A frozen layer's running statistics are frozen with it.
            if isinstance(module, _NormBase) and not all(p.requires_grad for p in module.parameters()):
                module.eval()
        yield copy
        hand_over(copy, like=model)


def hand_over(model: nn.Module, *, like: nn.Module) -> None:
    """Set train/eval flags as in `like`, and drop gradients of the last batch."""
    training = {name: module.training for name, module in like.named_modules()}
    for name, module in model.named_modules():
        module.training = training.get(name, module.training)
    model.zero_grad(set_to_none=True)


def for_any_batch(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Use running statistics for a batch of one, where BatchNorm cannot train."""
    alone = with_running_statistics(model)

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = alone(x) if len(x) == 1 else model(x)
        return logits

    return forward


def normalising(model: nn.Module) -> list[_NormBase]:
    """List the layers that normalise by the batch and remember its statistics."""
    return [m for m in model.modules() if isinstance(m, _NormBase) and m.training]


def without_remembering(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Run the model as it is, but keep BatchNorm's running statistics."""
    anyway = for_any_batch(model)

    def forward(x: Tensor) -> Tensor:
        norms = [(norm, norm.momentum) for norm in normalising(model)]
        for norm, _ in norms:
            norm.momentum = 0.0
        try:
            return anyway(x)
        finally:
            for norm, momentum in norms:
                norm.momentum = momentum

    return forward


def with_running_statistics(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Run BatchNorm as at inference: forget examples stay out of its buffers."""

    def forward(x: Tensor) -> Tensor:
        norms = normalising(model)
        for norm in norms:
            norm.eval()
        try:
            logits: Tensor = model(x)
        finally:
            for norm in norms:
                norm.train()
        return logits

    return forward
