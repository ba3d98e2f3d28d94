"""Query: what an attack asks of a model besides its logits on the audited examples.

Asking a query: the model's outputs on inputs that belong to no dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.view import View
from pytest_unlearn.models.predict import Output, evaluate

Answer = Callable[..., Outputs]  # inputs, their labels, of=another model (this one by default) -> outputs on them


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`ask(model, view, answer)` returns an array with one row an example; attacks find it under `name`.

    `answer(inputs, labels)` gives the model's outputs on other inputs. Equal queries are asked once for each model and
    set, however many attacks use them. `ask` raises ValueError where the model cannot be asked.
    """

    name: str
    ask: Callable[[Any, Any, Answer], FloatArray]


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
