"""Asking a query: the model's outputs on inputs that belong to no dataset."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.outputs import Output, evaluate
from pytest_unlearn.query import Query
from pytest_unlearn.views import View


class Rows(View):
    """Inputs and labels in memory, as a view."""

    def __init__(self, name: str, inputs: Any, labels: IntArray) -> None:
        self.name, self.task, self._rows, self._labels = name, None, inputs, labels

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> IntArray:
        """The labels, shape (examples,)."""
        return self._labels

    def inputs(self, positions: IntArray) -> Any:
        """The inputs at some positions."""
        return self._rows[positions]


def ask(query: Query, model: Any, view: View, *, classes: IntArray, output: Output, device: str | None) -> FloatArray:
    """A query's array for a model on a view.

    Raises:
        ValueError: where the model cannot be asked, or the answer has not one finite row an example.
    """

    def answer(inputs: Any, labels: IntArray, of: Any = None) -> Outputs:
        asked = model if of is None else of
        return evaluate(asked, Rows(query.name, inputs, labels), classes=classes, output=output, device=device)

    found = np.asarray(query.ask(model, view, answer), dtype=np.float64)
    if found.shape[:1] != (len(view),) or not np.isfinite(found).all():
        raise ValueError(
            f"the query {query.name!r} gave an array of shape {found.shape}, not all of it finite, for {len(view)} "
            "examples: it must give one row of finite numbers an example."
        )
    return found
