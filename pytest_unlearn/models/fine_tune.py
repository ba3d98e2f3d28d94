"""Fine-tuning for audits: the same optimizer and batches for every model."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.channels_last import trained_channels_last
from pytest_unlearn.models.output import Output, Reading, pick, tensor_logits
from pytest_unlearn.models.predict import PROBES, settle
from pytest_unlearn.training.seeding import isolated

BATCH_SIZE = 64
LEARNING_RATE = 1e-3


def fine_tune(
    model: Any,
    view: View,
    *,
    epochs: int,
    seed: int,
    only: Any = None,
    after_step: Callable[[int], None] | None = None,
    learning_rate: float = LEARNING_RATE,
    output: Output = None,
) -> None:
    """Train a module in place by Adam on cross-entropy, in eval mode.

    Args:
        model: an `nn.Module` with trainable weights, returning logits or probabilities.
        view: examples to train on, in batches of 64 in an order that only the seed decides.
        epochs: passes over the view.
        seed: of the order.
        only: the one module whose weights are trained; all that are trainable by default.
        after_step: called with the number of each step, from 1.
        learning_rate: of Adam, above 0.
        output: which entry of a dict or tuple output holds the logits.

    Raises:
        ValueError: no module, no trainable weights, or outputs that no gradient gets through.
    """
    if not is_module(model):
        raise ValueError(f"only an nn.Module can be trained further; got a {type(model).__name__}.")
    import torch

    weights = [weight for weight in (model if only is None else only).parameters() if weight.requires_grad]
    if not weights:
        raise ValueError("the model has no trainable weights, so it cannot be trained further: unfreeze them.")
    fused = all(weight.is_floating_point() and weight.device.type in ("cpu", "cuda") for weight in weights)
    optimizer = torch.optim.Adam(weights, lr=learning_rate, fused=fused)  # one pass over all weights, a fifth faster
    rng = np.random.default_rng(seed)
    output = settle(model, view, output)
    kind = output.kind if isinstance(output, Reading) else "logits"
    model.eval()

    def batch(where: IntArray) -> Any:
        x = torch.as_tensor(view.inputs(where), device=weights[0].device)
        return x.to(weights[0].dtype) if x.is_floating_point() else x

    step = 0
    with isolated(seed), trained_channels_last(model, batch(np.arange(min(PROBES, len(view))))) as laid:
        for _ in range(epochs):
            for where in _batches(rng.permutation(len(view))):
                y = torch.as_tensor(view.labels[where], device=weights[0].device)
                answer = model(laid(batch(where)))
                loss = cross_entropy(tensor_logits(pick(answer, output), kind), y)
                if not loss.requires_grad:
                    raise ValueError(
                        "no gradient gets through the model to its weights, so it cannot be trained further: hand over "
                        "the network itself, whose forward pass runs without torch.no_grad()."
                    )
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.grad = gradient
                optimizer.step()
                step += 1
                if after_step is not None:
                    after_step(step)
    for weight in weights:
        weight.grad = None


def faithful_copy(model: Any, view: View, answer: Callable[..., Any]) -> Any:
    """Copy a module, and check that the copy answers as the module does.

    Raises:
        ValueError: a copy that answers otherwise, or none at all.
    """
    copy = deepcopy(model)
    some = np.unique(np.linspace(0, len(view) - 1, min(PROBES, len(view))).astype(int))
    inputs, labels = view.inputs(some), view.labels[some]
    ours, theirs = (answer(inputs, labels, of=one).logits for one in (model, copy))
    if copy is model or ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-4, atol=1e-5):
        raise ValueError(
            "a copy of the model (copy.deepcopy) does not answer as the model does: nothing that is tried "
            "on copies would hold for the model. Hand over one whose state is in its parameters."
        )
    return copy


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Return a batch's mean cross-entropy; one logit is the log-odds of class 1."""
    import torch

    if logits.ndim == 1 or logits.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits.reshape(-1), labels.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits, labels)


def _batches(order: IntArray) -> list[IntArray]:
    return [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
