"""Predict: model x view -> logits, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.dataset import is_tensor, to_numpy
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, estimator_logits, is_estimator, model_digest, ready

__all__ = ["Output", "SavedOutputs", "evaluate", "model_digest"]

Output = str | int | Callable[[Any], Any] | None
PROBES = 16  # examples asked a second time, in other company, to see whether the answer stays the same
SINGLE_PRECISION_TOLERANCE = 3.5e-4  # square root of float32's machine epsilon


def evaluate(
    model: Any,
    view: View,
    *,
    classes: IntArray,
    output: Output = None,
    device: str | None = None,
    batch_size: int = 256,
) -> Outputs:
    """Evaluate a model on a view: float64 logits, and labels as their columns.

    Args:
        model: an `nn.Module` returning logits, a fitted scikit-learn classifier, a callable `x -> logits`, or
            `SavedOutputs`. Module and callable columns are the labels 0, 1, 2, ...; a classifier's are aligned by
            its `classes_`.
        view: the examples, in order.
        classes: every label of the task; an estimator that never saw one gives it probability 1e-12.
        output: which entry of a dict or tuple output holds the logits, or a callable that picks it.
        device: where a module runs; its own device by default.
        batch_size: examples at a time.

    Raises:
        ValueError: outputs of the wrong shape, not finite, or that depend on the batch's other examples; a label
            without a column.
        TypeError: a model that is none of the four kinds.
    """
    if isinstance(model, SavedOutputs):
        logits = _as_logits(model.rows(view), len(view))
        return _checked(logits, view, np.arange(logits.shape[1]))
    if is_estimator(model):
        logits, columns = estimator_logits(model, view, classes, batch_size)
        return _checked(logits, view, columns)
    if not callable(model):
        raise TypeError(
            f"a model is an nn.Module, a fitted scikit-learn classifier, a callable x -> logits or SavedOutputs; "
            f"got {type(model).__name__}."
        )
    with ready(model, device) as ask:
        answers = [ask(batch) for batch in view.batches(batch_size)]
        tolerance = max(SINGLE_PRECISION_TOLERANCE, _precision(pick(answers[0], output)))
        logits = np.concatenate([_as_logits(pick(answer, output)) for answer in answers])
        if len(logits) != len(view):
            raise ValueError(f"the model answered {len(logits)} rows for {len(view)} examples: one row of logits each.")
        some = np.unique(np.linspace(0, len(view) - 1, min(PROBES, len(view))).astype(int))[::-1].copy()
        again = _as_logits(pick(ask(view.inputs(some)), output))
    outputs = _checked(logits, view, np.arange(logits.shape[1]))
    if again.shape != logits[some].shape or not _close(again, logits[some], tolerance):
        raise ValueError(
            "the model's output for an example changed when it was asked again in another batch: it uses batch "
            "statistics (BatchNorm without running statistics?), draws at random, or keeps state between calls. An "
            "audit needs one answer an example."
        )
    return outputs


def pick(answer: Any, output: Output) -> Any:
    """Pick the entry of a model's answer that holds the logits."""
    if callable(output):
        return output(answer)
    if output is not None:
        try:
            return answer[output]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"output={output!r} picks nothing from the model's {_describe(answer)}.") from None
    if hasattr(answer, "logits"):
        return answer.logits
    if isinstance(answer, Mapping) and "logits" in answer:
        return answer["logits"]
    if isinstance(answer, (Mapping, tuple, list)):
        raise ValueError(f"the model returns a {_describe(answer)}; say which entry holds the logits with output=.")
    return answer


def _describe(answer: Any) -> str:
    if isinstance(answer, Mapping):
        return f"dict with keys {sorted(map(str, answer))}"
    if isinstance(answer, (tuple, list)):
        return f"{type(answer).__name__} of {len(answer)}"
    return type(answer).__name__


def _precision(answer: Any) -> float:
    if is_tensor(answer) and answer.is_floating_point():
        import torch

        return float(torch.finfo(answer.dtype).eps ** 0.5)
    return 0.0


def _as_logits(answer: Any, rows: int | None = None) -> FloatArray:
    raw = answer.double() if is_tensor(answer) else answer
    logits = np.asarray(to_numpy(raw), dtype=np.float64)
    if logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1):
        single = logits.reshape(-1)  # one logit: the log-odds of class 1
        logits = np.stack([np.zeros_like(single), single], axis=1)
    if logits.ndim != 2 or (rows is not None and len(logits) != rows):
        raise ValueError(f"logits must have shape (examples, classes); got {logits.shape}.")
    return logits


def _close(again: FloatArray, before: FloatArray, tolerance: float) -> bool:
    scale = 1 + np.abs(before).max(axis=1, keepdims=True)
    return bool((np.abs(again - before) <= tolerance * scale).all())


def _checked(logits: FloatArray, view: View, columns: IntArray) -> Outputs:
    """Make outputs of logits whose columns stand for these labels, in order."""
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        raise ValueError(
            f"the model gives non-finite logits (NaN or infinity) for {len(broken)} of {len(view)} {view.name} "
            f"examples, the first at position {broken[0]}: such a model cannot be judged. Look for a diverged training."
        )
    outside = np.setdiff1d(view.labels, columns)
    if len(outside):
        raise ValueError(
            f"label {outside[0]} of the {view.name} view has no column: the model gives {logits.shape[1]} logits. "
            "Labels must be column numbers (a classifier's: among its task's classes)."
        )
    return Outputs(logits=logits, labels=np.searchsorted(columns, view.labels).astype(np.int64))
