"""Reference unlearning methods: one a file, each a callable `unlearner(model, retain, forget, *, seed) -> model`.

Every method leaves its input untouched and returns a new model. The package knows nothing of the auditor, so a
method here is judged exactly as yours is. Names load on first use: importing `unlearners` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearners.adapters import from_loaders
    from unlearners.fine_tune import FineTune
    from unlearners.gradient_ascent import GradientAscent
    from unlearners.isolation import Unsupported
    from unlearners.neggrad_plus import NegGradPlus
    from unlearners.no_op import NoOp
    from unlearners.random_labels import RandomLabels
    from unlearners.retrain import Retrain
    from unlearners.table import UNLEARNERS

_HOME = {
    "UNLEARNERS": "table",
    "FineTune": "fine_tune",
    "GradientAscent": "gradient_ascent",
    "NegGradPlus": "neggrad_plus",
    "NoOp": "no_op",
    "RandomLabels": "random_labels",
    "Retrain": "retrain",
    "Unsupported": "isolation",
    "from_loaders": "adapters",
}

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
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
