"""Reference unlearning methods: one a file, each a callable `unlearner(model, retain, forget, *, seed) -> model`.

Every method leaves its input untouched and returns a new model. The package knows nothing of the auditor, so a
method here is judged exactly as yours is. Names load on first use: importing `unlearners` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearners.table import HOMES, UNLEARNERS

if TYPE_CHECKING:
    from unlearners.adapters import from_loaders
    from unlearners.approximate.fine_tune import FineTune
    from unlearners.approximate.gradient_ascent import GradientAscent
    from unlearners.approximate.neggrad_plus import NegGradPlus
    from unlearners.approximate.random_labels import RandomLabels
    from unlearners.common.isolation import Unsupported
    from unlearners.decoys import NoOp
    from unlearners.exact.retrain import Retrain

_HOMES = {home.rpartition(".")[2]: home.rpartition(".")[0] for home in HOMES.values()}
_HOMES |= {"Unsupported": "common.isolation", "from_loaders": "adapters"}

__all__ = [
    "UNLEARNERS",
    "FineTune",
    "GradientAscent",
    "NegGradPlus",
    "NoOp",
    "RandomLabels",
    "Retrain",
    "Unsupported",
    "from_loaders",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
