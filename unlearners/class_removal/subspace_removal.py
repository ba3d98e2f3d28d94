"""Take the directions of a class out of every layer, without training."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.subspaces import Layer, principal, second_moments
from unlearners._core.training import stack
from unlearners.class_removal.whole_classes import labels, whole_classes


@dataclass(frozen=True, kw_only=True)
class SubspaceRemoval(NetworkMethod):
    """Multiply each weight matrix by I - P_forget (I - P_retain).

    Source: Kodge, Saha and Roy 2024, "Deep unlearning: fast and efficient gradient-free class forgetting". With squared
    singular values s_i, as shares of their sum, and directions U of what a layer is given for examples of a set, P = U
    diag(alpha s_i / ((alpha - 1) s_i + 1)) U': a projection that takes the more of a direction the more the set uses
    it. So a layer no longer hears what the forgotten class uses and the retained ones do not. Convolutions count by
    patches; biases and normalisation stay. Several classes go one after another. No guarantee, and no retraining: the
    directions are estimated from a sample of each side. Only whole classes can be forgotten.

    retain_alpha, forget_alpha: how soon a direction counts as used, positive; a larger retain_alpha spares more.
    samples: how many examples of each set are looked at, drawn by the seed.

    Defaults: 100, 3 and 900 are the authors' for CIFAR-10; they search retain_alpha for each task.
    """

    retain_alpha: float = 100.0
    forget_alpha: float = 3.0
    samples: int = 900

    def __post_init__(self) -> None:
        if not self.retain_alpha > 0 or not self.forget_alpha > 0 or self.samples < 1:
            raise ValueError(f"alphas are positive, samples at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        model.eval()
        kept, gone = stack(retain, model), stack(forget, model)
        for label in whole_classes(kept[1].tolist(), labels(forget), "SubspaceRemoval"):
            of_retain = self.moments(model, kept[0], order)
            of_forget = self.moments(model, gone[0][gone[1] == label], order)
            for layer, moment in of_forget.items():
                spared = projection(of_retain[layer], self.retain_alpha)
                removed = projection(moment, self.forget_alpha)
                remove(layer, removed - removed @ spared)

    def moments(self, model: nn.Module, x: Tensor, order: Generator) -> dict[Layer, Tensor]:
        """Look at a sample of inputs."""
        drawn = torch.randperm(len(x), generator=order)[: self.samples].to(x.device)
        return second_moments(model, x[drawn], "SubspaceRemoval")


def projection(moment: Tensor, alpha: float) -> Tensor:
    """Weigh each direction by how much of the whole it holds."""
    squares, directions = principal(moment)
    share = squares / squares.sum().clamp_min(torch.finfo(squares.dtype).tiny)
    return directions * (alpha * share / ((alpha - 1) * share + 1)) @ directions.T


def remove(layer: Layer, taken: Tensor) -> None:
    """Multiply the weights, as a matrix, by (I - taken)'."""
    with torch.no_grad():
        rows = layer.weight.flatten(1).double()
        layer.weight.copy_((rows - rows @ taken.T).view_as(layer.weight))
