"""Model x view -> logits: one function for torch modules, scikit-learn classifiers, callables and saved arrays."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from pytest_unlearn.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.examples import is_tensor, to_numpy
from pytest_unlearn.views import View

Output = str | int | Callable[[Any], Any] | None
PROBABILITY_FLOOR = 1e-12
PROBES = 16  # examples asked a second time, in other company, to see whether the answer stays the same
SINGLE_PRECISION_TOLERANCE = 3.5e-4  # square root of float32's machine epsilon


class SavedOutputs:
    """Logits computed elsewhere, for a model that cannot run here.

    Args:
        **parts: arrays of logits, shape (examples, classes), one row an example in the view's order, by view name:
            `forget=`, `controls=`, `retain=`, `test=`. `train=` and `controls=`/`test=` given for the whole dataset
            are indexed by the view.
    """

    def __init__(self, **parts: Any) -> None:
        unknown = sorted(set(parts) - {"forget", "controls", "retain", "test", "train"})
        if unknown or not parts:
            raise ValueError(f"SavedOutputs takes forget=, controls=, retain=, test= and train= arrays, not {unknown}.")
        self.parts = {name: np.asarray(to_numpy(part), dtype=np.float64) for name, part in parts.items()}

    def rows(self, view: View) -> FloatArray:
        """The rows for a view.

        Raises:
            ValueError: when nothing was saved for it, or the number of rows does not fit.
        """
        for name, whole in ((view.name, False), (view.examples.name, True)):
            part = self.parts.get(name)
            if part is not None and len(part) == len(view) and not whole:
                return part
            if part is not None and len(part) == len(view.examples):
                return np.asarray(part[view.indices])
        raise ValueError(
            f"SavedOutputs has no rows for the {view.name} view of {len(view)} examples; it holds "
            f"{ {name: part.shape for name, part in self.parts.items()} }. Save one row an example, in order."
        )


def evaluate(
    model: Any,
    view: View,
    *,
    classes: IntArray,
    output: Output = None,
    device: str | None = None,
    batch_size: int = 256,
) -> Outputs:
    """What a model answers on a view: float64 logits, and labels as columns of them.

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
    if _is_estimator(model):
        return _from_estimator(model, view, classes, batch_size)
    if not callable(model):
        raise TypeError(
            f"a model is an nn.Module, a fitted scikit-learn classifier, a callable x -> logits or SavedOutputs; "
            f"got {type(model).__name__}."
        )
    with _ready(model, device) as ask:
        answers = [ask(batch) for batch in view.batches(batch_size)]
        tolerance = max(SINGLE_PRECISION_TOLERANCE, _precision(_pick(answers[0], output)))
        logits = np.concatenate([_as_logits(_pick(answer, output)) for answer in answers])
        if len(logits) != len(view):
            raise ValueError(f"the model answered {len(logits)} rows for {len(view)} examples: one row of logits each.")
        some = np.unique(np.linspace(0, len(view) - 1, min(PROBES, len(view))).astype(int))[::-1].copy()
        again = _as_logits(_pick(ask(view.inputs(some)), output))
    outputs = _checked(logits, view, np.arange(logits.shape[1]))
    if again.shape != logits[some].shape or not _close(again, logits[some], tolerance):
        raise ValueError(
            "the model's output for an example changed when it was asked again in another batch: it uses batch "
            "statistics (BatchNorm without running statistics?), draws at random, or keeps state between calls. An "
            "audit needs one answer an example."
        )
    return outputs


def model_digest(model: Any) -> str:
    """A digest of a module's tensors or an estimator's state; empty for what has neither."""
    if _is_module(model):
        state = hashlib.sha256()
        for name, tensor in sorted(model.state_dict().items()):
            if is_tensor(tensor):
                flat = tensor.detach().cpu().contiguous()
                state.update(f"{name}{flat.dtype}{tuple(flat.shape)}".encode())
                state.update(flat.reshape(-1).view(dtype=_bytes_type()).numpy().tobytes())
        return state.hexdigest()
    if _is_estimator(model):
        import joblib

        return str(joblib.hash(model))
    return ""


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def _is_estimator(model: Any) -> bool:
    return not _is_module(model) and (
        hasattr(model, "predict_proba") or hasattr(model, "decision_function") or hasattr(model, "predict")
    )


def _bytes_type() -> Any:
    import torch

    return torch.uint8


@contextmanager
def _ready(model: Any, device: str | None) -> Iterator[Callable[[Any], Any]]:
    """The model as a function of a batch: in eval mode, without gradients, its modes restored afterwards."""
    if not _is_module(model):
        yield model
        return
    import torch

    parameter = next((p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()), None)
    place = torch.device(device) if device is not None else parameter.device if parameter is not None else None
    home = parameter.device if parameter is not None else None
    modes = [(module, module.training) for module in model.modules()]

    def ask(batch: Any) -> Any:
        x = torch.as_tensor(batch, device=place)
        if x.is_floating_point() and parameter is not None:
            x = x.to(parameter.dtype)
        return model(x)

    try:
        model.eval()
        if place is not None and place != home:
            model.to(place)
        with torch.no_grad():
            yield ask
    finally:
        for module, mode in modes:
            module.training = mode
        if home is not None and place != home:
            model.to(home)


def _pick(answer: Any, output: Output) -> Any:
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
    """Outputs with labels as columns; `columns` are the labels that the logits' columns stand for, in order."""
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


def _from_estimator(model: Any, view: View, classes: IntArray, batch_size: int) -> Outputs:
    ask = getattr(model, "decision_function", None) or getattr(model, "predict_proba", None)
    if ask is None or not hasattr(model, "classes_"):
        raise TypeError(
            f"{type(model).__name__} has neither decision_function nor predict_proba (or is not fitted): "
            "an audit needs scores, not labels alone."
        )
    seen = np.asarray(model.classes_)
    if seen.dtype.kind not in "iub":
        raise ValueError(
            f"the classifier's classes are {seen.dtype}, the task's labels integers: train it on the same labels."
        )
    size = max(batch_size, 4096)
    raw = np.concatenate([np.asarray(ask(_rows(batch)), dtype=np.float64) for batch in view.batches(size)])
    if not np.isfinite(raw).all():
        _checked(raw.reshape(len(view), -1), view, classes)
    if ask.__name__ == "predict_proba":
        raw = np.log(np.maximum(raw, PROBABILITY_FLOOR))
    elif raw.ndim == 1:
        raw = np.stack([np.zeros_like(raw), raw], axis=1)
    if raw.shape[1] != len(seen):
        raise ValueError(
            f"{type(model).__name__} gives {raw.shape[1]} columns for {len(seen)} classes: use one score a class "
            '(decision_function_shape="ovr").'
        )
    columns = np.union1d(classes, seen.astype(np.int64))
    unseen = np.logaddexp.reduce(raw, axis=1, keepdims=True) + np.log(PROBABILITY_FLOOR)
    logits = np.repeat(unseen, len(columns), axis=1)
    logits[:, np.searchsorted(columns, seen)] = raw
    return _checked(logits, view, columns)


def _rows(batch: Any) -> Any:
    rows = to_numpy(batch)
    return rows.reshape(len(rows), -1)
