"""Send the request's activations in a random direction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples
from unlearners._core.language import Batch, TextMethod, check_positive, check_weights, device_of


def steering_loss(activations: Tensor, direction: Tensor, learned: Tensor) -> Tensor:
    """Return the mean squared distance to `direction` at learned tokens.

    `activations` are (B, L, d), `direction` (d,) or of the activations' shape, `learned` (B, L). Per token and
    dimension. Source: eq. 1 and 2.
    """
    each = (activations - direction).square().mean(-1)
    return (each * learned).sum() / learned.sum()


@contextmanager
def recorded(model: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Record what a layer answers, (B, L, d), at each question.

    Raises:
        ValueError: no such layer; the sentence names some that there are.
    """
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(f"layer {layer!r} is no module of the model; it has {', '.join(list(modules)[1:9])}, ...")
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: Any, answer: Any) -> None:
        seen.append(answer[0] if isinstance(answer, tuple) else answer)

    hook = modules[layer].register_forward_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()


@dataclass(frozen=True, kw_only=True)
class RMU(TextMethod):
    """Representation misdirection: activations of one layer are steered away.

    Those of the request towards a random vector of length `coefficient`, those of retained documents back to the
    original's. Source: Li et al. 2024, "The WMDP benchmark" (arXiv 2403.03218), section 4.

    layer: name of the module whose activations are steered, such as "transformer.h.7".
    trained: prefixes of the parameters that may change; the authors': those of that layer and of the two before. None:
        all that come to bear.
    coefficient, retain_weight: length of the vector, and weight of the retain loss.

    Defaults: coefficient 6.5, weight 1200 and lr 5e-5 are the authors' for Zephyr-7B; 1 epoch and batches of 4.
    """

    layer: str
    trained: tuple[str, ...] | None = None
    epochs: int = 1
    lr: float = 5e-5
    batch_size: int = 4
    coefficient: float = 6.5
    retain_weight: float = 1200.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, coefficient=self.coefficient)
        check_weights(self, retain_weight=self.retain_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        original, place = frozen_copy(model), device_of(model)
        chosen = [
            weight
            for name, weight in model.named_parameters()
            if self.trained is None or name.startswith(tuple(self.trained))
        ]
        direction: Tensor | None = None

        def activations(of: nn.Module, batch: Batch) -> Tensor:
            with recorded(of, self.layer) as seen:
                of(input_ids=batch.ids, attention_mask=batch.mask)
            return seen[-1]

        def step(gone: Batch, kept: Batch) -> Tensor:
            nonlocal direction
            steered = activations(model, gone)
            if direction is None:
                drawn = torch.rand(steered.shape[-1], generator=order).to(place, steered.dtype)
                direction = self.coefficient * drawn / drawn.norm()
            with torch.no_grad():
                before = activations(original, kept)
            keep = steering_loss(activations(model, kept), before, kept.learned)
            return steering_loss(steered, direction, gone.learned) + self.retain_weight * keep

        self.alternate(model, self.encoded(retain), self.encoded(forget), order, step, only=chosen)
        return model
