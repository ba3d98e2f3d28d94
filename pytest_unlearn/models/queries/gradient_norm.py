"""Gradient norms: how hard an example still pulls at the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import is_tensor
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module, ready
from pytest_unlearn.models.output import tensor_logits

_CANNOT = (
    "the gradient of single examples cannot be taken of this model ({}): the attack needs a forward pass without "
    "randomness, data-dependent control flow or changes in place; leave it out of attacks=."
)
VALUES_AT_ONCE = 1 << 26  # of gradients held in memory


def gradient_norm(model: Any, view: View, answer: Any) -> FloatArray:
    """Return the Euclidean norm of each example's loss gradient, shape (examples,).

    Source: Nasr, Shokri & Houmansadr 2019. Near 0 for an example that training fitted.

    Raises:
        ValueError: a model that is no `nn.Module` with trainable weights, or whose answer to one example depends on
            others.
    """
    if not is_module(model):
        raise ValueError(
            f"the gradient norm needs an nn.Module, whose weights it differentiates by; got {type(model).__name__}."
        )
    import torch
    from torch.func import functional_call, grad, vmap

    weights = {name: w.detach() for name, w in model.named_parameters() if w.requires_grad and w.is_floating_point()}
    if not weights:
        raise ValueError("the gradient norm needs trainable weights: all of this model's are frozen.")
    first = next(iter(weights.values()))

    kind = getattr(getattr(answer, "output", None), "kind", "logits")

    def loss(parameters: dict[str, Any], x: Any, y: Any) -> Any:
        logits = tensor_logits(_logits(functional_call(model, parameters, (x[None],))), kind)
        if logits.numel() == 1:  # the log-odds of class 1
            return torch.nn.functional.softplus(torch.where(y == 1, -logits, logits)).sum()
        return torch.nn.functional.cross_entropy(logits, y[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0), randomness="error")
    chunk = max(1, VALUES_AT_ONCE // sum(w.numel() for w in weights.values()))
    labels = view.labels
    found = []
    with ready(model, None):
        for start in range(0, len(view), chunk):
            where = np.arange(start, min(start + chunk, len(view)))
            x = torch.as_tensor(view.inputs(where), device=first.device)
            y = torch.as_tensor(labels[where], device=first.device)
            try:
                gradients = each(weights, x.to(first.dtype) if x.is_floating_point() else x, y)
            except RuntimeError as error:
                raise ValueError(_CANNOT.format(str(error).splitlines()[0])) from error
            squares = sum(g.double().flatten(1).square().sum(1) for g in gradients.values())
            found.append(torch.as_tensor(squares).sqrt().cpu().numpy())
    return np.asarray(np.concatenate(found), dtype=np.float64)


def _logits(answer: Any) -> Any:
    """Return the logits of a model that returns them alone, or under that name."""
    found = answer.get("logits", answer) if isinstance(answer, Mapping) else getattr(answer, "logits", answer)
    if not is_tensor(found):
        raise ValueError(f"the gradient norm needs a model that returns logits, not a {type(answer).__name__}.")
    return found
