"""The methods by the name under which a command line or a parametrised test asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearners.common.isolation import Unlearner

HOMES = {
    "retrain": "exact.retrain.Retrain",
    "fine-tune": "approximate.fine_tune.FineTune",
    "gradient-ascent": "approximate.gradient_ascent.GradientAscent",
    "neggrad-plus": "approximate.neggrad_plus.NegGradPlus",
    "random-labels": "approximate.random_labels.RandomLabels",
    "no-op": "decoys.NoOp",
}
"""Name -> where the method is defined, below `unlearners`."""


class Table(Mapping[str, "Callable[..., Unlearner]"]):
    """Name -> factory, which takes the method's hyper-parameters; a method is imported when it is asked for."""

    def __getitem__(self, name: str) -> Callable[..., Unlearner]:
        module, _, method = HOMES[name].rpartition(".")
        found: Callable[..., Unlearner] = getattr(import_module(f"unlearners.{module}"), method)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(HOMES)

    def __len__(self) -> int:
        return len(HOMES)


UNLEARNERS = Table()
