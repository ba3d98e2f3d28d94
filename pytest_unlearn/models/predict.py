"""Predict: model x view -> logits, for every kind of model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.tables import concatenate, take
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, check_numbering, is_estimator, model_digest
from pytest_unlearn.models.channel import Channel, open_channel
from pytest_unlearn.models.output import (
    PROBABLE,
    Output,
    OutputKind,
    Reading,
    as_logits,
    as_rows,
    fixed,
    kind_of,
    pick,
    read_as,
    within_one,
)
from pytest_unlearn.models.reduced import too_many
from pytest_unlearn.models.reducing import Question, as_columns, check_finite, reduced_outputs

__all__ = [
    "Output",
    "OutputKind",
    "SavedOutputs",
    "check_company",
    "evaluate",
    "model_digest",
    "pick",
    "read_as",
    "settle",
]

PROBES = 16  # examples asked a second time, in other company, to see whether the answer stays the same
ALONE = 4  # of these, how many are asked one at a time on every occasion
SAMPLE = 32  # examples asked one at a time where a model is judged by them
SAMPLE_OF_ESTIMATOR = 8  # which takes some 20 ms for each, most of it the call's own
COMPANIES = (2, 3, 5, 8, 14)  # sizes of the batches that the sample is asked in as well
LARGE_COMPANY = 128
LOOKED_AT = 64  # examples of test, and of retain, by which a single column is read


def evaluate(
    model: Any,
    view: View,
    *,
    classes: IntArray,
    output: Output = None,
    device: str | None = None,
    batch_size: int | None = None,
    exactly: int | None = None,
    check: bool = True,
) -> Outputs:
    """Evaluate a model on a view: float64 logits, and labels as their columns.

    Args:
        model: an `nn.Module` returning logits, a fitted scikit-learn classifier, a callable `x -> logits`, or
            `SavedOutputs`. Module and callable columns are the labels 0, 1, 2, ...; a classifier's are aligned by
            its `classes_`. Probabilities are told from logits by range and sum (see `kind_of`).
        view: the examples, in order.
        classes: every label of the task; an estimator that never saw one gives it probability 1e-12.
        output: which entry of a dict or tuple output holds the logits, or a callable that picks it; or a `Reading`.
        device: where a module runs; its own device by default.
        batch_size: examples at a time; by default what suits the model.
        exactly: examples at a time of a model that takes no other number; the last batch is filled up with copies.
        check: whether some are asked again in other company; not needed of a copy of a model that was.

    Raises:
        ValueError: outputs of the wrong shape, not finite, or that depend on the batch's other examples; a label
            without a column.
        TypeError: a model that is none of the four kinds.
    """
    if isinstance(model, SavedOutputs):
        rows = as_rows(model.rows(view), len(view))
        parts = [as_rows(part, len(part)) for part in model.parts.values()]
        everything = np.concatenate([part for part in parts if part.shape[1] == rows.shape[1]])
        kind = _kind(output) or kind_of(everything)
        logits = as_logits(rows, kind)
        return _checked(logits, np.arange(logits.shape[1]), kind, view)
    question = Question(
        model=model, view=view, classes=classes, output=output, device=device, exactly=exactly, batch_size=batch_size
    )
    with open_channel(model, output, device, exactly) as channel:
        answers = (channel(batch) for batch in question.batches())
        first = next(answers)
        many = too_many(len(view), first.shape[1])
        outputs = (_reduced if many else _whole)(question, channel, first, answers, check and not is_estimator(model))
    if is_estimator(model):
        check_numbering(model, outputs, view.names)
    return outputs


def _whole(
    question: Question, channel: Channel, first: FloatArray, others: Iterable[FloatArray], check: bool
) -> Outputs:
    """Keep all logits."""
    view, rows = question.view, np.concatenate([first, *others])
    if check:
        check_again(channel, view, rows)
    beside = [] if question.kind else _beside(channel, view, rows)
    kind = question.kind or kind_of(np.concatenate([rows, *beside]) if beside else rows)
    return _checked(*question.read(rows, kind), kind, view)


def _reduced(
    question: Question, channel: Channel, first: FloatArray, others: Iterable[FloatArray], check: bool
) -> Outputs:
    """Keep what signals need, and some logits."""
    beside = [] if question.kind else _beside(channel, question.view, first)
    outputs = reduced_outputs(question, chain([first], others), np.concatenate([first[:LOOKED_AT], *beside]))
    if check:
        kind, some = outputs.kind, outputs.known[_spread(len(outputs.known), PROBES)][::-1].copy()
        before = _comparable(outputs.rows(some), kind)
        read = partial(_read, question, kind)
        _check_some(channel, question.view, some, before, read)
    return outputs


def check_company(
    model: Any,
    views: Sequence[View],
    found: Sequence[Outputs],
    *,
    classes: IntArray,
    output: Output = None,
    device: str | None = None,
    exactly: int | None = None,
) -> None:
    """Check that a model's answers depend on no other example of a batch.

    A sample of the views is asked one at a time, in small batches and in a large one, in an order that mixes them.

    Args:
        model: of any kind that `evaluate` takes; saved outputs are not asked.
        views: what it was asked about, such as the forget set and its controls.
        found: what it answered.
        classes: as in `evaluate`.
        output: as in `evaluate`.
        device: as in `evaluate`.
        exactly: as in `evaluate`.

    Raises:
        ValueError: an answer changed, and no near tie explains it.
    """
    if isinstance(model, SavedOutputs):
        return
    rng = np.random.default_rng(0)
    question, kind = Question(model=model, view=views[0], classes=classes), found[0].kind
    sample = _mixed(found, SAMPLE_OF_ESTIMATOR if is_estimator(model) else SAMPLE, rng)
    large = _mixed(found, LARGE_COMPANY, rng)
    ways: tuple[tuple[IntArray, Any], ...] = (
        (sample, np.arange(1, len(sample))),
        (sample, np.cumsum(COMPANIES)),
        (large, np.arange(0)),
    )
    with open_channel(model, output, device, exactly) as channel:
        for pairs, cuts in ways:
            rows = channel.each(_inputs(views, batch) for batch in np.split(pairs, cuts) if len(batch))
            before = np.concatenate([found[which].rows(np.array([where])) for which, where in pairs])
            channel.check_same(_read(question, kind, rows), _comparable(before, kind))


def settle(model: Any, view: View, output: Output, device: str | None = None) -> Output:
    """Return how a model's answers are to be read, by what it answers on a view."""
    if isinstance(output, Reading):
        return output
    with open_channel(model, output, device) as channel:
        rows = channel(view.inputs(_spread(len(view), LARGE_COMPANY)))
        return fixed(output, kind_of(np.concatenate([rows, *_beside(channel, view, rows)])))


def check_again(channel: Channel, view: View, rows: FloatArray) -> None:
    """Ask a few examples again, together and one at a time.

    Raises:
        ValueError: an answer changed.
    """
    some = _spread(len(view), PROBES)[::-1].copy()
    _check_some(channel, view, some, rows[some])


def _check_some(
    channel: Channel,
    view: View,
    some: IntArray,
    before: FloatArray,
    read: Callable[[FloatArray], FloatArray] = np.asarray,
) -> None:
    """Ask about some examples again; `read` says what is compared of the answers."""
    channel.check_same(read(channel(view.inputs(some))), before)
    alone = channel.each(view.inputs(some[k : k + 1]) for k in range(min(ALONE, len(some))))
    channel.check_same(read(alone), before[:ALONE])


def _read(question: Question, kind: str, rows: FloatArray) -> FloatArray:
    return _comparable(question.read(rows, kind)[0], kind)


def _comparable(logits: FloatArray, kind: str) -> FloatArray:
    """Return probabilities as such: logarithms magnify what single precision cannot hold."""
    return np.asarray(np.exp(logits)) if kind in PROBABLE else logits


def _beside(channel: Channel, view: View, rows: FloatArray) -> list[FloatArray]:
    """Ask about examples of all classes where a view leaves open what one column is."""
    if rows.shape[1] > 1 or not within_one(rows) or view.task is None:
        return []
    parts = (view.task.retain, view.task.test)
    return [channel(part.inputs(_spread(len(part), LOOKED_AT))) for part in parts]


def _kind(output: Output) -> OutputKind | None:
    return output.kind if isinstance(output, Reading) else None


def _spread(total: int, count: int) -> IntArray:
    """Return positions spread evenly over so many examples."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))


def _mixed(found: Sequence[Outputs], count: int, rng: np.random.Generator) -> IntArray:
    """Draw examples of all views in random order: pairs of view and position."""
    pairs = [
        (which, where)
        for which, known in enumerate(outputs.known for outputs in found)
        for where in known[rng.permutation(len(known))[: count // len(found)]].tolist()
    ]
    return rng.permutation(np.array(pairs))


def _inputs(views: Sequence[View], pairs: IntArray) -> Any:
    """Stack the inputs of pairs of view and position, in order."""
    parts = [views[which].inputs(pairs[pairs[:, 0] == which, 1]) for which in np.unique(pairs[:, 0])]
    order = np.argsort(np.argsort(pairs[:, 0], kind="stable"), kind="stable")
    return take(concatenate(parts), order)


def _checked(logits: FloatArray, columns: IntArray, kind: str, view: View) -> Outputs:
    """Make outputs of logits whose columns stand for these labels, in order."""
    check_finite(logits, view)
    return Outputs(logits=logits, labels=as_columns(view, columns), kind=kind)
