"""Query: what an attack asks of a model besides its logits on the audited examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.evidence import FloatArray, Outputs

Answer = Callable[..., Outputs]  # inputs, their labels, of=another model (this one by default) -> outputs on them


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`ask(model, view, answer)` returns an array with one row an example; attacks find it under `name`.

    `answer(inputs, labels)` gives the model's outputs on other inputs. Equal queries are asked once for each model and
    set, however many attacks use them. `ask` raises ValueError where the model cannot be asked.
    """

    name: str
    ask: Callable[[Any, Any, Answer], FloatArray]
