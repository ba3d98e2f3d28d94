"""Mild changes of a model, which bring hidden knowledge back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.kept_items import KEEP_BYTES
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module, ready
from pytest_unlearn.models.fine_tune import faithful_copy, fine_tune
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.layers import OtherArchitectureError
from pytest_unlearn.models.output import Output, Reading, pick, read_as
from pytest_unlearn.models.predict import settle
from pytest_unlearn.models.query import Answer, Rows
from pytest_unlearn.training.seeding import isolated

Change = Callable[
    ..., Any
]  # (copy of the model, retain view, *, seed) -> the model to ask, or None for the copy itself


@dataclass(frozen=True)
class Weakened:
    """Logits of a changed copy of the model, shape (examples, classes).

    change: `change(copy, retain, *, seed)`, which may change the copy in place or return another model.
    retain: what the change may train on.
    """

    change: Change
    retain: View = field(repr=False)
    seed: int = 0
    _made: list[tuple[ReferenceType[ModelHandle], Any]] = field(default_factory=list, compare=False, repr=False)

    def __call__(self, model: Any, view: View, answer: Answer) -> FloatArray:
        """Change a copy, once for both sets of examples, and ask it."""
        if not is_module(model):
            raise ValueError(
                f"only an nn.Module has weights to round, prune or train further; got a {type(model).__name__}."
            )
        changed = self._changed(model, view, answer)
        return answer(view.inputs(np.arange(len(view))), view.labels, of=changed).logits

    def _changed(self, model: Any, view: View, answer: Answer) -> Any:
        for asked, changed in self._made:
            if asked() is answer.handle:
                return changed
        copy = faithful_copy(model, view, answer)
        made = self.change(copy, self.retain, seed=self.seed)
        changed = copy if made is None else made
        self._made[:] = [(ref(answer.handle), changed)]  # of one model at a time: copies are as large as models
        return changed


@dataclass(frozen=True)
class RoundedWeights:
    """Weights rounded to a number of bits, with one scale a row.

    bits: 2 or more, the sign among them. Source: Zhang et al. 2024 (arXiv 2410.16454).
    """

    bits: int

    def __post_init__(self) -> None:
        """Refuse what leaves no step."""
        if self.bits < 2:
            raise ValueError(f"weights are rounded to 2 bits or more, of which one is the sign, not to {self.bits}.")

    def __call__(self, model: Any, retain: View, *, seed: int) -> None:  # noqa: ARG002
        """Change the weights in place."""
        import torch

        steps = 2 ** (self.bits - 1) - 1
        with torch.no_grad():
            for weight in _matrices(model):
                rows = weight.reshape(len(weight), -1)
                scale = (rows.abs().amax(dim=1, keepdim=True) / steps).clamp_min(torch.finfo(weight.dtype).tiny)
                weight.copy_(((rows / scale).round() * scale).reshape(weight.shape))


@dataclass(frozen=True)
class Pruned:
    """Smallest weights of each layer set to zero, by a share.

    share: from 0 to below 1. Source: Jia et al. 2023.
    """

    share: float

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not 0 <= self.share < 1:
            raise ValueError(f"the share to prune is a number from 0 to below 1, not {self.share}.")

    def __call__(self, model: Any, retain: View, *, seed: int) -> None:  # noqa: ARG002
        """Change the weights in place."""
        import torch

        with torch.no_grad():
            for weight in _matrices(model):
                size = weight.abs().flatten().sort().values
                weight.masked_fill_(weight.abs() < size[int(self.share * len(size))], 0.0)


@dataclass(frozen=True)
class HeadReset:
    """Last layer drawn anew and trained on retained data, all others frozen.

    output: which entry of a dict or tuple output holds the logits.
    Source: Goel et al. 2022.
    """

    epochs: int = 5
    output: Output = None

    def __call__(self, model: Any, retain: View, *, seed: int) -> None:
        """Train the new head in place."""
        head = _last_layer(model, retain)
        output = settle(model, retain, self.output)  # before the head forgets it
        with isolated(seed):
            head.reset_parameters()
        lessons = _inputs_of(head, model, retain, output)
        if lessons is None:
            fine_tune(model, retain, epochs=self.epochs, seed=seed, only=head, output=output)
        else:
            kind = output.kind if isinstance(output, Reading) else None
            fine_tune(head, lessons, epochs=self.epochs, seed=seed, output=read_as(None, kind))


@dataclass(frozen=True)
class BenignEpochs:
    """A few more epochs on retained data.

    output: which entry of a dict or tuple output holds the logits.
    Source: Hu et al. 2024, "Jogging the memory of unlearned models".
    """

    epochs: int = 1
    output: Output = None

    def __call__(self, model: Any, retain: View, *, seed: int) -> None:
        """Train in place."""
        fine_tune(model, retain, epochs=self.epochs, seed=seed, output=self.output)


def _layers(model: Any) -> list[Any]:
    found = [module for module in model.modules() if _is_layer(module)]
    if not found:
        raise OtherArchitectureError(
            f"this {type(model).__name__} shows no layer with weights that could be changed: hand over the network "
            "itself, or leave such changes out with changes={}."
        )
    return found


def _matrices(model: Any) -> list[Any]:
    return [module.weight for module in _layers(model)]


def _last_layer(model: Any, view: View) -> Any:
    """Find the layer that runs last, wherever it was registered."""
    layers = _layers(model)
    ran: list[Any] = []
    hooks = [layer.register_forward_hook(lambda module, _, __: ran.append(module)) for layer in layers]
    try:
        with ready(model, None) as ask:
            ask(view.inputs(np.arange(min(2, len(view)))))
    finally:
        for hook in hooks:
            hook.remove()
    return ran[-1] if ran else layers[-1]


def _inputs_of(head: Any, model: Any, view: View, output: Output) -> View | None:
    """Return what enters the head, for all epochs; None unless its answers are the model's."""
    import torch

    passed: list[tuple[Any, Any]] = []
    hook = head.register_forward_hook(lambda _, given, made: passed.append((given, made)))
    kept: list[Any] = []
    try:
        with ready(model, None) as ask:
            for start, batch in enumerate(view.batches(256)):
                passed.clear()
                answer = pick(ask(batch), output)
                (given, made), *more = passed or [((), None)]
                alone = (
                    not more and len(given) == 1 and isinstance(made, torch.Tensor) and isinstance(answer, torch.Tensor)
                )
                if not alone or len(given[0]) != len(batch) or not torch.equal(made, answer):
                    return None
                if start == 0 and given[0].nbytes * len(view) > len(batch) * KEEP_BYTES:
                    return None
                kept.append(given[0])
    finally:
        hook.remove()
    return Rows("what enters the head", torch.cat(kept), view.labels)


def _is_layer(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    return getattr(weight, "ndim", 0) >= 2 and hasattr(module, "reset_parameters")
