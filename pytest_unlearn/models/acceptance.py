"""Refuse what is no model, or cannot be asked, before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_unlearn.data.dataset import is_tensor
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, estimator_scores, is_estimator, is_module
from pytest_unlearn.training.signatures import estimator_type

KINDS = "a model is an nn.Module, a fitted scikit-learn classifier, a callable x -> logits or SavedOutputs"


def check_model(model: Any, name: str = "the audited model") -> None:
    """Refuse what is no model.

    Args:
        model: what was given as one.
        name: what it was given as, for the sentence.

    Raises:
        TypeError: it is none; the sentence says what it is and what to do.
        ValueError: it has no weights, or classes that are not the task's.
    """
    if isinstance(model, SavedOutputs):
        return
    if is_module(model):
        _check_module(model, name)
    elif isinstance(model, type):
        _refuse(name, f"the class {model.__name__}: pass a trained object of it")
    elif is_estimator(model):
        _check_estimator(model, name)
    elif why := _no_model(model):
        _refuse(name, why)
    else:
        _check_callable(model, name)


def checked_models(models: Any, name: str, what: str = "a list of retrained models") -> list[Any]:
    """Return models as a list; errors as in `check_model` for anything else."""
    one = is_module(models) or is_estimator(models) or isinstance(models, SavedOutputs)
    if one or isinstance(models, (str, bytes, Mapping)) or not isinstance(models, Iterable):
        raise TypeError(f"{name} must be {what}; for one model write {name}=[model], and not {_shown(models)}.")
    listed = list(models)
    for number, model in enumerate(listed):
        check_model(model, f"{name}[{number}]")
    return listed


def _check_module(model: Any, name: str) -> None:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_meta:
            raise ValueError(
                f"{name} is on the meta device, which has shapes and no weights: build it on a real device and load "
                "its weights, as in model.to_empty(device='cpu') and model.load_state_dict(...)."
            )


def _check_estimator(model: Any, name: str) -> None:
    kind = estimator_type(model)
    if kind is not None and kind != "classifier":
        _refuse(
            name, f"a {kind} ({type(model).__name__}), and audits judge classifiers: make classes of its targets first"
        )
    try:
        estimator_scores(model)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _no_model(model: Any) -> str:
    """Say what it is, and what to do, where it is plainly no model; else nothing."""
    if model is None:
        return "None: pass the model (is a `return` missing where it is made?)"
    if isinstance(model, (str, bytes)) or hasattr(model, "__fspath__"):
        return f"{model!r}: load the model from its file first (torch.load, joblib.load), and pass it"
    if isinstance(model, Mapping):
        return f"a mapping ({_kind(model)}): build the module and model.load_state_dict(...), and pass the module"
    if isinstance(model, View):
        return f"the {model.name} view, which is data: are the arguments swapped?"
    if is_tensor(model) or hasattr(model, "__array__"):
        return f"an array of shape {tuple(model.shape)}: outputs computed elsewhere are handed over as SavedOutputs"
    if isinstance(model, (list, tuple, set)):
        return f"a {_kind(model)}: pass one model"
    if callable(getattr(model, "module", None)) and hasattr(model, "graph_module"):
        return f"an {_kind(model)}: pass what its .module() returns"
    if hasattr(model, "dataset") or (hasattr(model, "__getitem__") and not callable(model)):
        return f"data ({_kind(model)}): are the arguments swapped?"
    return "" if callable(model) else f"of type {_kind(model)}"


def _check_callable(model: Any, name: str) -> None:
    try:
        signature = inspect.signature(model)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(object())
    except TypeError:
        called = getattr(model, "__qualname__", _kind(model))
        _refuse(name, f"{called}{signature}, which cannot be called as x -> logits (a recipe or a method is no model)")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, bytes, int, float, complex)) else f"a {_kind(value)}"


def _kind(value: Any) -> str:
    return type(value).__name__


def _refuse(name: str, what: str) -> None:
    raise TypeError(f"{KINDS}; {name} is {what}.")
