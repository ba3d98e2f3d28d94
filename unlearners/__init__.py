"""Offer reference methods, each `unlearner(model, retain, forget, *, seed)`.

Every method leaves its input untouched and returns a new model. The package does not depend on the auditor, so that a
method here is judged exactly as yours is. Names load on first use: importing `unlearners` does not import torch.

`exact` methods equal retraining or are certified; `influence` methods take one step along gradients and curvature;
`approximate` ones train on; `class_removal` removes whole classes; `neurips2023` holds prize solutions of that
challenge; `text` unlearns documents from language models; `decoys` only look like unlearning.

Each method is written once, in the table. `__init__.pyi`, from which editors and type checkers read the names, is made
by `python -m tools.public_names`.
"""

from importlib import import_module
from typing import Any

from unlearners.table import HOMES, TEXT_HOMES

_HOMES = {home.rpartition(".")[2]: home for home in (*HOMES.values(), *TEXT_HOMES.values())}
_HOMES |= {"UNLEARNERS": "table.UNLEARNERS", "TEXT_UNLEARNERS": "table.TEXT_UNLEARNERS"}
_HOMES |= {"UnlearnableForestClassifier": "exact.forest.UnlearnableForestClassifier"}
_HOMES |= {"Unsupported": "_core.isolation.Unsupported"}
_HOMES |= {name: f"adapters.{name}" for name in ("by_index", "from_loaders", "isolated", "to_loaders")}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name].rpartition('.')[0]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
