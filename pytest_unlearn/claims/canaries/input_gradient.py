"""Directions in input space along which a label becomes more certain."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, Outputs
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_estimator, is_module, ready
from pytest_unlearn.models.output import Output, pick, tensor_logits

BATCH = 256


def confidence_directions(
    model: Any, view: View, outputs: Outputs, *, output: Output = None, device: str | None = None
) -> FloatArray:
    """Return the unit vectors along which the label's confidence grows.

    Of the logit-scaled confidence, shape (examples, features); 0 where it is flat. The gradient of the cross-entropy is
    a negative multiple of it, which vanishes in floating point where the model is sure; its direction does not.

    Args:
        model: an `nn.Module`, or a scikit-learn classifier with `coef_` that decides linearly.
        view: floating-point inputs; labels are those of `outputs`.
        outputs: what the model answers on the view.
        output: which entry of a dict or tuple output holds the logits.
        device: where a module runs; its own device by default.

    Raises:
        ValueError: any other model, or one that cannot be differentiated by its input.
    """
    if is_module(model):
        found = _of_module(model, view, outputs, output, device)
    elif is_estimator(model) and hasattr(model, "coef_") and hasattr(model, "decision_function"):
        found = _of_linear(model, view, outputs)
    else:
        raise ValueError(
            f"Gaussian canaries look at gradients by the input: they need an nn.Module or a linear scikit-learn "
            f'classifier, not {type(model).__name__}. Plant kind="mislabelled" for models that only answer.'
        )
    if not np.isfinite(found).all():
        raise ValueError("the model's gradient by its input is not finite: such a model cannot be judged.")
    largest = np.abs(found).max(axis=1, keepdims=True)
    found = np.divide(found, largest, out=np.zeros_like(found), where=largest > 0)  # squares of tiny numbers vanish
    norm = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.divide(found, norm, out=np.zeros_like(found), where=norm > 0))


def _of_module(model: Any, view: View, outputs: Outputs, output: Output, device: str | None) -> FloatArray:
    import torch

    rows = []
    with ready(model, device) as ask, torch.enable_grad():
        for start in range(0, len(view), BATCH):
            where = np.arange(start, min(start + BATCH, len(view)))
            x = torch.as_tensor(view.inputs(where)).detach().clone().requires_grad_(True)
            try:
                logits = tensor_logits(pick(ask(x), output), outputs.kind)
                logits = logits.reshape(len(where), -1).double()
                if logits.shape[1] == 1:
                    logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
                labels = torch.as_tensor(outputs.labels[where], device=logits.device)
                own = torch.nn.functional.one_hot(labels, logits.shape[1]).bool()
                rest = logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
                (gradient,) = torch.autograd.grad((logits[own] - rest).sum(), x)
            except RuntimeError as error:
                raise ValueError(
                    f"the model cannot be differentiated by its input ({str(error).splitlines()[0]}), which Gaussian "
                    'canaries need. Plant kind="mislabelled" instead.'
                ) from error
            rows.append(gradient.double().flatten(1).cpu().numpy())
    return np.asarray(np.concatenate(rows), dtype=np.float64)


def _of_linear(model: Any, view: View, outputs: Outputs) -> FloatArray:
    weights = np.asarray(model.coef_, dtype=np.float64)
    inputs = view.arrays()[0].reshape(len(view), -1)
    answers = np.asarray(model.decision_function(inputs), dtype=np.float64).reshape(len(inputs), -1)
    if weights.ndim != 2 or weights.shape != (answers.shape[1], inputs.shape[1]):
        raise ValueError(f"coef_ of {type(model).__name__} does not give its decision function: it is not linear.")
    if len(weights) == 1:
        weights = np.concatenate([np.zeros_like(weights), weights])
    if len(weights) != outputs.logits.shape[1]:
        raise ValueError("the classifier does not know every class of the canaries: retain examples of each.")
    lines = np.arange(len(inputs))
    rest = outputs.logits.copy()
    rest[lines, outputs.labels] = -np.inf
    shares = np.exp(rest - np.logaddexp.reduce(rest, axis=1, keepdims=True))
    return np.asarray(weights[outputs.labels] - shares @ weights)
