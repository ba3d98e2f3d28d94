"""Relearning query: each example's loss in a copy after given steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, Outputs
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.fine_tune import BATCH_SIZE, LEARNING_RATE, faithful_copy, fine_tune
from pytest_unlearn.models.predict import Output

MOST_LOOKS = 7  # at the copy while it learns, the first before any step and the last after all


@dataclass(frozen=True)
class Relearning:
    """Loss and correctness at each look, shape (examples, seeds, looks, 2).

    steps: of Adam, on batches of 64 examples of the view, in an order that only the seed decides.
    seeds: how many copies learn, each in its own order.
    learning_rate: of Adam.
    output: which entry of a dict or tuple output holds the logits.
    """

    steps: int = 30
    seeds: int = 2
    learning_rate: float = LEARNING_RATE
    output: Output = None

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many steps the copy is asked, 0 included."""
        return tuple(np.unique(np.linspace(0, self.steps, MOST_LOOKS).round().astype(int)).tolist())

    def __call__(self, model: Any, view: View, answer: Any) -> FloatArray:
        """Train copies on the view, and ask them about it as they learn."""
        check_trainable(model)
        return np.stack([self._curve(model, view, answer, seed) for seed in range(self.seeds)], axis=1)

    def _curve(self, model: Any, view: View, answer: Any, seed: int) -> FloatArray:
        copy = faithful_copy(model, view, answer)
        inputs = view.inputs(np.arange(len(view)))
        found: list[FloatArray] = []

        def record(step: int) -> None:
            if step in self.looks:
                outputs: Outputs = answer(inputs, view.labels, of=copy)
                found.append(_loss_and_rightness(outputs))

        record(0)
        each = -(-len(view) // BATCH_SIZE)
        fine_tune(
            copy,
            view,
            epochs=-(-self.steps // each),
            seed=seed,
            after_step=record,
            learning_rate=self.learning_rate,
            output=self.output,
        )
        return np.stack(found, axis=1)


def check_trainable(model: Any) -> None:
    """Refuse what no copy can be trained of; ValueError."""
    if not is_module(model):
        raise ValueError(f"relearning trains a copy of the model: it needs an nn.Module, not a {type(model).__name__}.")


def _loss_and_rightness(outputs: Outputs) -> FloatArray:
    logits, rows = outputs.logits, np.arange(len(outputs.labels))
    loss = np.logaddexp.reduce(logits, axis=1) - logits[rows, outputs.labels]
    return np.stack([loss, logits.argmax(axis=1) == outputs.labels], axis=1)
