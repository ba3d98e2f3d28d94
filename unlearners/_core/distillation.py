"""Learn from another network's outputs."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from unlearners._core.training import chunks


def class_logits(logits: Tensor) -> Tensor:
    """Shape logits as (n, classes); a single logit z becomes (0, z)."""
    if logits.ndim > 1 and logits.shape[-1] > 1:
        return logits
    single = logits.reshape(-1, 1)
    return torch.cat([torch.zeros_like(single), single], 1)


def log_probabilities(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the log-softmax of logits / temperature, shape (n, classes)."""
    return log_softmax(class_logits(logits) / temperature, -1)


def divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """Average temperature^2 * KL(teacher || student) (Hinton et al. 2015)."""
    target, own = log_probabilities(teacher, temperature), log_probabilities(student, temperature)
    return temperature**2 * kl_div(own, target, reduction="batchmean", log_target=True)


def frozen_copy(model: nn.Module) -> nn.Module:
    """Make an independent copy in eval mode that is not trained: a teacher."""
    return deepcopy(model).eval().requires_grad_(False)


def answers(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of a model on x, without gradients."""
    with torch.no_grad():
        return torch.cat([model(part) for part, _ in chunks((x, x))])
