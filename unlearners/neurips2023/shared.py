"""Share what prize solutions need: kernels, noise, class-weighted losses."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Unsupported
from unlearners._core.training import Loss

CONVOLUTIONS = (_ConvNd,)
MATRICES = (nn.Linear, nn.RNNBase, nn.MultiheadAttention)


def main_weights(model: nn.Module, method: str) -> list[nn.Parameter]:
    """List the convolutions' kernels; without any, all matrices but the last.

    Frozen ones do not count, and the last layer does where there is no other.
    """
    trainable(model)  # raises if everything is frozen
    matrices = kernels_of(model, MATRICES)
    for group in (kernels_of(model, CONVOLUTIONS), matrices[:-1], matrices[-1:]):
        free = [w for w in group if w.requires_grad]
        if free:
            return free
    raise Unsupported(
        f"{method} erases weights of convolutional, linear or recurrent layers; this model has none that is not frozen."
    )


def kernels_of(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[nn.Parameter]:
    """List the weights of these kinds of layers, without biases, in order."""
    owners = (module for module in model.modules() if isinstance(module, kinds))
    return list(dict.fromkeys(p for module in owners for p in module.parameters(recurse=False) if p.ndim > 1))


@torch.no_grad()
def add_noise(weights: Iterable[Tensor], std: float) -> None:
    """Add independent Gaussian noise, in place (from the global random state)."""
    for weight in weights:
        weight.add_(torch.randn_like(weight), alpha=std)


def frequency_weights(y: Tensor, power: float) -> Tensor:
    """Weigh each class by count ** -power: 1 balances the classes, 0 does not."""
    return torch.bincount(y.cpu()).double() ** -power


def class_weighted(loss: Loss, weights: Tensor) -> Loss:
    """Weigh a mean loss by class, example i with weight `weights[y_i]`."""

    def weighted(logits: Tensor, y: Tensor) -> Tensor:
        counts = torch.bincount(y.cpu())
        classes = counts.nonzero()[:, 0]
        shares = counts[classes] * weights[classes]
        parts = torch.stack([loss(logits[y == label], y[y == label]) for label in classes.tolist()])
        mean: Tensor = (shares / shares.sum()).to(parts) @ parts
        return mean

    return weighted
