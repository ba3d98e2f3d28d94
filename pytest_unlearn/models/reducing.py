"""Reduce answers as they come, where logits are too many to be kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import estimator_logits, is_estimator
from pytest_unlearn.models.channel import open_channel
from pytest_unlearn.models.channels_last import examples_at_once
from pytest_unlearn.models.output import PROBABLE, Output, Reading, as_logits, kind_of
from pytest_unlearn.models.reduced import KeptSignals, ReducedOutputs, Reducer

OF_ESTIMATOR = 4096  # examples at a time, most of whose time is the call's own
SCORES = "scores"  # what classifiers of scikit-learn give


@dataclass(frozen=True, kw_only=True)
class Question:
    """A model, what it is asked about, and how; it can be asked again.

    Attributes:
        model: a module, an estimator or a callable.
        view: the examples.
        classes: every label of the task.
        output: which entry of an answer holds the logits.
        device: where a module runs.
        exactly: examples at a time of a model that takes no other number.
        batch_size: examples at a time; by default what suits the model.
    """

    model: Any
    view: View
    classes: IntArray
    output: Output = None
    device: str | None = None
    exactly: int | None = None
    batch_size: int | None = None

    @property
    def kind(self) -> str | None:
        """What the answers are, if that is known before."""
        if is_estimator(self.model):
            return SCORES
        return self.output.kind if isinstance(self.output, Reading) else None

    def batches(self) -> Iterator[Any]:
        """Yield the inputs, some at a time."""
        size = self.batch_size or examples_at_once(self.model, self.device)
        return self.view.batches(max(size, OF_ESTIMATOR) if is_estimator(self.model) else size)

    def answers(self) -> Iterator[FloatArray]:
        """Ask about all of the view; yield what is answered, in order."""
        with open_channel(self.model, self.output, self.device, self.exactly) as channel:
            for batch in self.batches():
                yield channel(batch)

    def logits(self, kind: str) -> Iterator[FloatArray]:
        """Ask about all of the view; yield logits, in order."""
        return (self.read(rows, kind)[0] for rows in self.answers())

    def read(self, rows: FloatArray, kind: str) -> tuple[FloatArray, IntArray]:
        """Return the logits of answers, and the labels of their columns."""
        if is_estimator(self.model):
            return estimator_logits(self.model, rows, self.classes, self.view.names)
        logits = as_logits(rows, kind)
        return logits, np.arange(logits.shape[1])


def reduced_outputs(question: Question, answers: Iterable[FloatArray], known: FloatArray) -> Outputs:
    """Reduce answers as they come.

    Args:
        question: what was asked.
        answers: what is answered, in order.
        known: some answers, by which the others are read; where these turn out to be on another scale, all are asked
            for again.
    """
    kind = question.kind or kind_of(known)
    reduction, labels, found = _reduce(question, answers, kind, None if question.kind else known)
    if reduction is None:
        kind = found
        reduction, labels, _ = _reduce(question, question.answers(), kind, None)
    assert reduction is not None
    return ReducedOutputs(partial(question.logits, kind), reduction, labels, found)


def _reduce(
    question: Question, answers: Iterable[FloatArray], kind: str, known: FloatArray | None
) -> tuple[KeptSignals | None, IntArray, str]:
    """Reduce answers of a kind; nothing where these are found to be on another scale, and the kind that they are."""
    reducer, found = None, kind
    for rows in answers:
        if known is not None:
            here = kind_of(np.concatenate([known, rows])) if known.shape[1] == rows.shape[1] else "logits"
            if here != found and not (here in PROBABLE and found in PROBABLE):
                return None, np.arange(0), "logits"
            found = "probabilities" if here != found else found
        logits, columns = question.read(rows, kind)
        if reducer is None:
            reducer = Reducer(as_columns(question.view, columns), len(columns))
        check_finite(logits, question.view, reducer.done)
        reducer.add(logits)
    assert reducer is not None
    return reducer.reduction(), reducer.labels, found


def check_finite(logits: FloatArray, view: View, start: int = 0) -> None:
    """Refuse logits of which some are NaN or infinite; ValueError."""
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        some = f"{len(broken)} of {len(view)}" if len(logits) == len(view) else f"some of {len(view)}"
        raise ValueError(
            f"the model gives non-finite logits (NaN or infinity) for {some} {view.name} examples, the first at "
            f"position {start + broken[0]}: such a model cannot be judged. Look for a diverged training."
        )


def as_columns(view: View, columns: IntArray) -> IntArray:
    """Return labels as columns; ValueError for one without a column."""
    outside = np.setdiff1d(view.labels, columns)
    if len(outside):
        raise ValueError(
            f"label {outside[0]} of the {view.name} view has no column: the model gives {len(columns)} logits. "
            "Labels must be column numbers (a classifier's: among its task's classes)."
        )
    return np.searchsorted(columns, view.labels).astype(np.int64)
