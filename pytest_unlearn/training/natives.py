"""Boosted models in the formats of their own libraries: bytes, and back.

XGBoost writes JSON, LightGBM text, CatBoost its cbm. None of them is a pickle.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

_CLASSES = {"xgboost": "Booster", "lightgbm": "Booster", "catboost": "CatBoost"}


def native_kind(value: Any) -> str | None:
    """Tell the library whose own object this is; None for anything else."""
    for library, name in _CLASSES.items():
        kind = getattr(sys.modules.get(library), name, None)
        if isinstance(kind, type) and isinstance(value, kind):
            return library
    return None


def native_bytes(value: Any) -> bytes:
    """Write a booster or CatBoost model as its library does; untrained, nothing."""
    kind = native_kind(value)
    if kind == "xgboost":
        return bytes(value.save_raw(raw_format="json"))
    if kind == "lightgbm":
        text: str = value.model_to_string(num_iteration=-1)
        return text.encode()
    return _saved(value) if value.is_fitted() else b""


def native_content(value: Any) -> bytes:
    """Return bytes that are the same for the same model, whenever it was trained.

    CatBoost notes the time of the training and a random name.
    """
    if native_kind(value) != "catboost":
        return native_bytes(value)
    if not value.is_fitted():
        return b""
    plain = sys.modules["catboost"].CatBoost()
    plain.load_model(blob=_saved(value))
    notes = plain.get_metadata()
    for name in list(notes.keys()):
        del notes[name]
    return _saved(plain)


def native_facts(value: Any) -> dict[str, Any]:
    """Return what a native format leaves out, as JSON would hold it."""
    kind = native_kind(value)
    if kind == "lightgbm":
        return {"best_iteration": int(value.best_iteration)}
    return {"class": type(value).__name__, "params": value.get_params()} if kind == "catboost" else {}


def native_model(kind: str, data: bytes, facts: dict[str, Any]) -> Any:
    """Read what `native_bytes` and `native_facts` gave.

    Raises:
        ValueError: an unknown kind; and whatever a library raises on bytes that it did not write.
    """
    if kind not in _CLASSES:
        raise ValueError(f"{kind!r} is no library of boosted models")
    library = importlib.import_module(kind)
    if kind == "xgboost":
        booster = library.Booster()
        booster.load_model(bytearray(data))
        return booster
    if kind == "lightgbm":
        booster = library.Booster(model_str=data.decode())
        booster.best_iteration = int(facts["best_iteration"])
        return booster
    if facts["class"] not in ("CatBoost", "CatBoostClassifier"):
        raise ValueError(f"{facts['class']!r} is no classifier of CatBoost")
    model = getattr(library, facts["class"])(**facts["params"])
    if data:
        model.load_model(blob=data)
    return model


def _saved(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path), format="cbm")
        return path.read_bytes()
