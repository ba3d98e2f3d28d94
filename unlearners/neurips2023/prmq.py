"""Prune, re-initialise, match the entropy, quantise (PRMQ)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.modules.batchnorm import _NormBase

from unlearners._core.curvature import flat, trainable, unflatten
from unlearners._core.distillation import answers, frozen_copy, log_probabilities
from unlearners._core.isolation import Examples, Unsupported, for_any_batch
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, batches, stack
from unlearners.neurips2023.shared import CONVOLUTIONS, MATRICES, class_weighted, frequency_weights


@dataclass(frozen=True, kw_only=True)
class PRMQ(NetworkMethod, Training):
    """Prune and redraw small weights, fine-tune at equal entropy, cut precision.

    Fine-tuning is on the retain set, each prediction kept as uncertain as the original's; weights end in half precision
    (S. Oleszko, team Sebastian, NeurIPS-2023 challenge: Triantafillou et al. 2024; "PRMQ" in Cadet et al. 2024, "Deep
    unlearn"). The forget set is never read. Pruning is global over the weights and biases of convolutional, linear and
    recurrent layers; pruned weights become uniform in +-1/sqrt(fan-in), pruned biases zero. The loss is cross-entropy
    with class weights count^-class_power, plus the mean squared difference of the predictions' entropy to the
    original's. Half precision is rounding: the model keeps its dtype, and values beyond half's range. No guarantee.

    share: share of those parameters that is pruned, between 0 and 1.
    class_power: 0 for no class weights, 1 for balanced classes.

    Defaults: the author's for the challenge's ResNet-18; he trained for 3.2 epochs, as far as the time limit went.
    """

    epochs: int = 3
    lr: float = 5e-4
    weight_decay: float = 5e-4
    batch_size: int = 64
    share: float = 0.99
    class_power: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.share <= 1 and 0 <= self.class_power <= 1):
            raise ValueError(f"share and class_power lie between 0 and 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        original, data = frozen_copy(model), stack(retain, model)
        loss = class_weighted(self.loss, frequency_weights(data[1], self.class_power))
        prune_and_redraw(model, self.share)
        forward = for_any_batch(model)

        def epoch() -> Iterator[Tensor]:
            for x, y in batches(data, self.batch_size, order):
                logits = forward(x)
                yield loss(logits, y) + mse_loss(entropy(logits), entropy(answers(original, x)))

        self.minimise(model, epoch)
        round_to_half(model)


def entropy(logits: Tensor) -> Tensor:
    """Compute the entropy of each prediction, in nats."""
    logs = log_probabilities(logits)
    return -(logs.exp() * logs).sum(1)


@torch.no_grad()
def prune_and_redraw(model: nn.Module, share: float) -> None:
    """Draw the smallest share of the parameters anew; biases become zero."""
    trainable(model)  # raises if everything is frozen
    owners = (module for module in model.modules() if isinstance(module, CONVOLUTIONS + MATRICES))
    found = dict.fromkeys(p for module in owners for p in module.parameters(recurse=False) if p.requires_grad)
    if not found:
        raise Unsupported(
            "PRMQ prunes convolutional, linear or recurrent layers; this model has none that is not frozen."
        )
    sizes = flat(list(found)).abs()
    pruned = torch.zeros_like(sizes, dtype=torch.bool)
    pruned[sizes.argsort(stable=True)[: round(share * len(sizes))]] = True
    for parameter, mask in zip(found, unflatten(pruned, list(found)), strict=True):
        bound = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0
        fresh = torch.empty_like(parameter).uniform_(-bound, bound)
        parameter.copy_(torch.where(mask, fresh, parameter))


@torch.no_grad()
def round_to_half(model: nn.Module) -> None:
    """Round what was trained, with the running statistics, to half precision."""
    norms = (module for module in model.modules() if isinstance(module, _NormBase) and module.training)
    statistics = [b for module in norms for b in module.buffers(recurse=False) if b.is_floating_point()]
    for tensor in (*trainable(model), *statistics):
        half = tensor.half().to(tensor)
        tensor.copy_(torch.where(half.isfinite(), half, tensor))
