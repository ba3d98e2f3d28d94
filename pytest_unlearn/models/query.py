"""Query: what an attack asks of a model besides its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.class_names import Names
from pytest_unlearn.data.kept_items import KEEP_BYTES
from pytest_unlearn.data.tables import take
from pytest_unlearn.data.view import View
from pytest_unlearn.models.output import Output

if TYPE_CHECKING:
    from pytest_unlearn.models.handle import ModelHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A named question: `ask(model, view, answer)` gives one row an example.

    Attacks find the array under `name`.

    `answer(inputs, labels)` gives the model's outputs on other inputs (see `Answer`). Equal queries are asked once for
    each model and set, however many attacks use them. `ask` raises ValueError where the model cannot be asked.
    """

    name: str
    ask: Callable[[Any, Any, Answer], FloatArray]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query asks the model with: outputs on other inputs, and hidden layers."""

    handle: ModelHandle
    name: str
    output: Output = None

    def __call__(self, inputs: Any, labels: IntArray, of: Any = None) -> Outputs:
        """Evaluate the model, or another such as a changed copy, on other inputs."""
        return self.handle.evaluate(self.name, inputs, labels, self.output, of)

    def features(self, view: View, layers: Sequence[str]) -> list[FloatArray]:
        """Return each layer's features on a view, computed once for all queries."""
        return self.handle.features(view, layers)

    def share(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, an array, made once for all models of an audit."""
        scratch = self.handle.scratch
        if key in scratch:
            return scratch[key]
        made = make()
        if made.nbytes + sum(array.nbytes for array in scratch.values()) <= KEEP_BYTES:
            scratch[key] = made
        return made


class Rows(View):
    """Inputs and labels in memory, as a view."""

    def __init__(self, name: str, inputs: Any, labels: IntArray, names: Names | None = None) -> None:
        self.name, self.task, self._rows, self._labels, self._names = name, None, inputs, labels, names

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> IntArray:
        """The labels, shape (examples,)."""
        return self._labels

    @property
    def names(self) -> Names | None:
        """The classes that the labels number, where these are text."""
        return self._names

    def inputs(self, positions: IntArray) -> Any:
        """Return the inputs at some positions."""
        return take(self._rows, positions)
