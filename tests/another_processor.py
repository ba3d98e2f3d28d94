"""A pytest plugin that imitates another processor: every gradient is rounded a little differently.

Where sums are added up in another order, hundreds of steps lead elsewhere. Here each gradient is changed in its last
bits before a step is taken, by an amount that depends on nothing but its value, so that the same training still gives
the same bits. A test that fails with it asks for one trajectory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

grad = torch.autograd.grad


def rounded(tensor: torch.Tensor) -> None:
    """Multiply by a number within four roundings of one, in place."""
    if tensor.is_floating_point() and not tensor.requires_grad:
        tensor.mul_(
            1 + 4 * torch.finfo(tensor.dtype).eps * torch.sin(1e5 * tensor.detach().double() + 1).to(tensor.dtype)
        )


def before_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for parameter in (one for group in optimizer.param_groups for one in group["params"]):
        if parameter.grad is not None:
            rounded(parameter.grad)


def rounded_grad(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
    found = grad(*args, **kwargs)
    for tensor in found:
        if tensor is not None:
            rounded(tensor)
    return found


register_optimizer_step_pre_hook(before_step)
torch.autograd.grad = rounded_grad
