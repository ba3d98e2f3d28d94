"""Write estimators by skops, and what is boosted in them in its own format.

Every type that may be made from a file is listed; trees are checked before anything walks along them, since
scikit-learn follows their indices without looking. Nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pytest_unlearn.training.cache.tree_checks import check_native, check_trees, has_fields
from pytest_unlearn.training.natives import native_bytes, native_facts, native_kind, native_model

_SKLEARN = (
    "calibration._CalibratedClassifier",
    "calibration._SigmoidCalibration",
    "compose._column_transformer.make_column_selector",
    "ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "metrics._scorer._PassthroughScorer",
    "metrics._scorer._Scorer",
    "model_selection._split.KFold",
    "model_selection._split.StratifiedKFold",
    "neural_network._stochastic_optimizers.AdamOptimizer",
    "neural_network._stochastic_optimizers.SGDOptimizer",
    "tree._tree.Tree",
    "utils._bunch.Bunch",
    "utils.validation.check_array",
)
TRUSTED = (
    *(f"sklearn.{name}" for name in _SKLEARN),
    "builtins.object",  # the type itself, as which columns of objects are selected
    "collections.OrderedDict",
    "functools.partial",  # of functions that are trusted themselves: `check_array` alone
    "lightgbm.sklearn.LGBMClassifier",
    "numpy.dtype",
    "numpy.floating",  # these types themselves select columns, too
    "numpy.integer",
    "numpy.number",
    "numpy.object_",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRFClassifier",
)
"""What skops does not vouch for by itself, and is made from a file all the same."""

_MARK = "kept beside this file in its own format: "


class Unwritable(ValueError):  # noqa: N818 - named for what it is about
    """Raised for a model that would not come back as it is."""


def write(model: Any) -> tuple[bytes, list[dict[str, Any]]]:
    """Write an estimator as bytes, and notes on its parts as JSON holds them.

    Raises:
        Unwritable: it holds a type that is not trusted.
        Exception: of any kind, from skops or a library.
    """
    from skops import io

    found: dict[int, tuple[str, Any]] = {}
    outer = io.dumps(_replaced(model, _marker(found), {}))
    untrusted = sorted(set(io.get_untrusted_types(data=outer)) - set(TRUSTED))
    if untrusted:
        raise Unwritable(f"skops does not vouch for {', '.join(untrusted)}")
    data, parts = [outer], [{"kind": "skops", "size": len(outer)}]
    for _, part in found.values():
        data.append(native_bytes(part))
        notes = {"kind": native_kind(part), "size": len(data[-1]), "facts": native_facts(part)}
        try:
            parts.append(json.loads(json.dumps(notes, allow_nan=False)))
        except (TypeError, ValueError):
            raise Unwritable(f"the parameters of a {type(part).__name__} are not all plain values") from None
    return b"".join(data), parts


def read(data: bytes, parts: list[dict[str, Any]]) -> Any:
    """Read what `write` gave, trusting nothing in it.

    Raises:
        Exception: of any kind, where it is something else.
    """
    from skops import io

    pieces, start = [], 0
    for part in parts:
        pieces.append(data[start : start + int(part["size"])])
        start += int(part["size"])
    if start != len(data) or parts[0]["kind"] != "skops":
        raise ValueError("its parts are not as they were written")
    for part, piece in zip(parts[1:], pieces[1:], strict=True):
        check_native(part["kind"], piece)
    natives = [
        native_model(part["kind"], piece, part["facts"]) for part, piece in zip(parts[1:], pieces[1:], strict=True)
    ]
    model = io.loads(pieces[0], trusted=_needed(io.get_untrusted_types(data=pieces[0])))

    def put_back(value: Any) -> Any:
        return natives[int(value[len(_MARK) :])] if isinstance(value, str) and value.startswith(_MARK) else None

    model = _replaced(model, put_back, {})
    check_trees(model)
    return model


def _needed(untrusted: list[str]) -> list[str]:
    """Return the types that a file asks for, if all of them are trusted."""
    refused = sorted(set(untrusted) - set(TRUSTED))
    if refused:
        raise ValueError(f"it would make {', '.join(refused)}, which is no part of a model that is stored here")
    return list(untrusted)


def _marker(found: dict[int, tuple[str, Any]]) -> Callable[[Any], Any]:
    """Return what replaces native models by marks, and notes them in order."""

    def mark(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_MARK):
            raise Unwritable("it holds a text that stands for something else in the cache")
        if native_kind(value) is None:
            return None
        if id(value) not in found:
            found[id(value)] = f"{_MARK}{len(found)}", value
        return found[id(value)][0]

    return mark


def _replaced(value: Any, replace: Callable[[Any], Any], done: dict[int, tuple[Any, Any]]) -> Any:
    """Return a value with some of the objects in it replaced; what holds none of them stays itself."""
    if (new := replace(value)) is not None:
        return new
    if id(value) in done:
        return done[id(value)][1]
    done[id(value)] = value, value  # a cycle holds what it held
    result = value
    if type(value) in (list, tuple):
        items = [_replaced(item, replace, done) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            result = type(value)(items)
    elif isinstance(value, dict):
        fields = {key: _replaced(item, replace, done) for key, item in value.items()}
        if any(fields[key] is not value[key] for key in fields):
            result = type(value)(**fields) if type(value).__name__ == "Bunch" else type(value)(fields)
    elif has_fields(value):
        fields = {name: _replaced(item, replace, done) for name, item in vars(value).items()}
        if any(fields[name] is not item for name, item in vars(value).items()):
            result = object.__new__(type(value))
            result.__dict__.update(fields)
    done[id(value)] = value, result
    return result
