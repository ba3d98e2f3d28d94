"""Push the forget set away where retained inputs do not reach (PGU)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import log_probabilities
from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.method import NetworkMethod
from unlearners._core.subspaces import principal, second_moments
from unlearners._core.training import Training, batches, stack


@dataclass(frozen=True, kw_only=True)
class ProjectedGradient(NetworkMethod, Training):
    """Step orthogonally to what retained inputs span, in each layer.

    Source: Hoang, Rana, Gupta and Venkatesh 2024, "Learn to unlearn for deep neural networks: minimizing unlearning
    interference with gradient projection" (PGU). The loss on the forget set is the mean of -log(1 + offset - p_y) -
    entropy * H(p), p being the softmax: it makes the true class unlikely and the others even. Of each step of a weight
    matrix what lies in the span of the retained inputs of that layer is taken off, so that the layer does the same to
    them: d <- d - d M M', M being the principal directions that hold a share of the sum of singular values, and one
    more. Weight decay and the scaling of Adam are part of the step, and stay in that space too. Convolutions count by
    patches. Biases, normalisation and all other weights stay. The paper forgets classes, random examples, and one
    request after another (`InSequence`). No guarantee.

    The authors' script for random examples takes one direction fewer, and ends as soon as the forget set is classified
    no better than held-out examples, which a method is not given here: `epochs` decides.

    lr, last_lr: learning rates of the first epoch and after the last, falling evenly in the logarithm.
    kept: share of the sum of a layer's singular values that is not to be disturbed, in (0, 1]; at 1 nothing can move.
    offset: positive; the loss stays finite where p_y is 1.
    entropy: weight of the entropy, at least 0.

    Defaults: 100 epochs of SGD without momentum, from .05 to .01, kept 0.95, offset 0.05 and entropy 0.2 are the
    authors' for random examples of CIFAR-10, batches of 100 too; for a class they start at 0.1 and keep 0.9.
    """

    epochs: int = 100
    lr: float = 0.05
    last_lr: float = 0.01
    momentum: float = 0.0
    batch_size: int = 100
    kept: float = 0.95
    offset: float = 0.05
    entropy: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.kept <= 1 or not 0 < self.offset < math.inf or not 0 <= self.entropy < math.inf:
            raise ValueError(f"kept lies in (0, 1], offset is positive, entropy at least 0, both finite: {self}")
        if not 0 <= self.last_lr < math.inf:
            raise ValueError(f"last_lr is finite and at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone, forward = stack(retain, model), stack(forget, model), with_running_statistics(model)
        modes = [(module, module.training) for module in model.modules()]
        moments = second_moments(model.eval(), kept[0], type(self).__name__)
        for module, mode in modes:
            module.training = mode
        together: dict[nn.Parameter, Tensor] = {}  # layers that share a weight share what must not be disturbed
        for layer, moment in moments.items():
            if isinstance(layer.weight, nn.Parameter):
                together[layer.weight] = together.get(layer.weight, torch.zeros_like(moment)) + moment
        spared = [(w, w.detach().clone(), span(moment, self.kept).to(w)) for w, moment in together.items()]

        @torch.no_grad()
        def put_back(_: float) -> None:
            for weight, start, taken in spared:
                weight.copy_(start + project(weight - start, taken))

        def epoch() -> Iterator[Tensor]:
            for x, y in batches(gone, self.batch_size, order):
                logs = log_probabilities(forward(x))
                p = logs.exp()
                away = -(1 + self.offset - p.gather(1, y[:, None])).log().mean()
                yield away + self.entropy * (p * logs).sum(1).mean()

        self.minimise(model, epoch, only=together, after_step=put_back)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from zero."""
        if not self.lr or not self.last_lr:
            return self.lr
        return float(self.lr * (self.last_lr / self.lr) ** (epoch / self.epochs))


def span(moment: Tensor, share: float) -> Tensor:
    """Return the principal directions that hold a share of the singular values' sum, and one more, in columns."""
    squares, directions = principal(moment)
    values = squares.sqrt()
    held = values.cumsum(0) / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
    return directions[:, : int((held <= share).sum()) + 1]


def project(change: Tensor, taken: Tensor) -> Tensor:
    """Take off what lies in the span of columns."""
    rows = change.flatten(1)
    return (rows - rows @ taken @ taken.T).view_as(change)
