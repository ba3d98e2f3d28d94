"""Channel: a model of any kind that can be asked, as rows of numbers for a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import is_tensor
from pytest_unlearn.data.tables import row_count, take
from pytest_unlearn.models.adapters import estimator_scores, is_estimator, ready
from pytest_unlearn.models.output import Output, as_rows, pick

SINGLE_PRECISION_TOLERANCE = 3.5e-4  # square root of float32's machine epsilon
ACCELERATOR_EPSILON = 2.0**-10  # of convolutions in TF32, which differ by the size of the batch
STRAYING = 0.01  # of the answers, besides one, may be turned by a near tie (of neighbours, or in rounding)
BY_COMPANY = (
    "the model's output for an example changed when it was asked again in another batch, or alone: it uses batch "
    "statistics (BatchNorm without running statistics?), draws at random, keeps state between calls, or treats single "
    "questions in a way of their own. An audit needs one answer an example, whatever else is asked with it: hand over "
    "the model as it answers everybody, in eval mode; one that answers each example alone, in a batch of its own "
    "(dynamic quantisation scales by the batch), is asked so by UnlearningTask(..., batch_size=1)."
)


class Channel:
    """Ask a model about a batch, and compare what it answers with what it did.

    `tolerance` is the relative difference that its precision explains. A model that takes batches of one size alone is
    asked about `exactly` so many at a time.
    """

    def __init__(self, ask: Callable[[Any], Any], output: Output = None, exactly: int | None = None) -> None:
        self._ask, self._output, self._exactly = ask, output, exactly
        self.tolerance = SINGLE_PRECISION_TOLERANCE

    def __call__(self, batch: Any) -> FloatArray:
        """Return one row an example."""
        if self._exactly is None:
            return self._answer(batch)
        rows, size = np.arange(row_count(batch)), self._exactly
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return np.concatenate([self._answer(take(batch, np.resize(part, size)))[: len(part)] for part in parts])

    def _answer(self, batch: Any) -> FloatArray:
        answer = pick(self._ask(batch), self._output)
        self.tolerance = max(self.tolerance, _precision(answer))
        return as_rows(answer, row_count(batch))

    def each(self, batches: Iterable[Any]) -> FloatArray:
        """Ask about one batch after the other."""
        return np.concatenate([self(batch) for batch in batches])

    def check_same(self, again: FloatArray, before: FloatArray) -> int:
        """Count the rows that are not what they were before.

        Raises:
            ValueError: these are more than near ties explain.
        """
        strays = len(before)
        if again.shape == before.shape:
            scale = 1 + np.abs(np.where(np.isfinite(before), before, 0)).max(axis=1, keepdims=True)
            with np.errstate(invalid="ignore"):
                near = np.abs(again - before) <= self.tolerance * scale
            same = near | (again == before) | (np.isnan(again) & np.isnan(before))
            strays = int((~same).any(axis=1).sum())
        if strays > 1 + STRAYING * len(before) or strays == len(before):
            raise ValueError(BY_COMPANY)
        return strays


@contextmanager
def open_channel(
    model: Any, output: Output = None, device: str | None = None, exactly: int | None = None
) -> Iterator[Channel]:
    """Open a module, an estimator or a callable for questions.

    Raises:
        TypeError: a model that is none of these.
        ValueError: an estimator whose scores are of no use.
    """
    if is_estimator(model):
        yield Channel(estimator_scores(model))
        return
    if not callable(model):
        raise TypeError(
            f"a model is an nn.Module, a fitted scikit-learn classifier, a callable x -> logits or SavedOutputs; "
            f"got {type(model).__name__}."
        )
    with ready(model, device, rearranged=True) as ask:
        yield Channel(ask, output, exactly)


def _precision(answer: Any) -> float:
    if not is_tensor(answer) or not answer.is_floating_point():
        return 0.0
    import torch

    epsilon = float(torch.finfo(answer.dtype).eps)
    return float((max(epsilon, ACCELERATOR_EPSILON) if answer.is_cuda else epsilon) ** 0.5)
