"""Predict: model x view -> logits, for every kind of model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.tables import concatenate, take
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, check_numbering, estimator_logits, is_estimator, model_digest
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
    batch_size: int = 256,
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
        batch_size: examples at a time.
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
        return _checked(*_logits(rows, _kind(output) or kind_of(everything)), view)
    size = max(batch_size, 4096) if is_estimator(model) else batch_size
    with open_channel(model, output, device, exactly) as channel:
        rows = channel.each(view.batches(size))
        if is_estimator(model):
            outputs = _checked(*estimator_logits(model, rows, classes, view.names), "scores", view)
            check_numbering(model, outputs, view.names)
            return outputs
        if check:
            check_again(channel, view, rows)
        beside = [] if _kind(output) else _beside(channel, view, rows)
        kind = _kind(output) or kind_of(np.concatenate([rows, *beside]) if beside else rows)
    return _checked(*_logits(rows, kind), view)


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
    rng, kind = np.random.default_rng(0), found[0].kind
    sample = _mixed(views, SAMPLE_OF_ESTIMATOR if is_estimator(model) else SAMPLE, rng)
    large = _mixed(views, LARGE_COMPANY, rng)
    ways: tuple[tuple[IntArray, Any], ...] = (
        (sample, np.arange(1, len(sample))),
        (sample, np.cumsum(COMPANIES)),
        (large, np.arange(0)),
    )
    with open_channel(model, output, device, exactly) as channel:
        for pairs, cuts in ways:
            rows = channel.each(_inputs(views, batch) for batch in np.split(pairs, cuts) if len(batch))
            again = (
                estimator_logits(model, rows, classes, views[0].names)[0]
                if is_estimator(model)
                else _logits(rows, kind)[0]
            )
            before = np.stack([found[which].logits[where] for which, where in pairs])
            # Probabilities are compared as such: logarithms magnify what single precision cannot hold.
            channel.check_same(*(np.exp(one) if kind in PROBABLE else one for one in (again, before)))


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
    channel.check_same(channel(view.inputs(some)), rows[some])
    some = some[:ALONE]
    channel.check_same(channel.each(view.inputs(some[k : k + 1]) for k in range(len(some))), rows[some])


def _beside(channel: Channel, view: View, rows: FloatArray) -> list[FloatArray]:
    """Ask about examples of all classes where a view leaves open what one column is."""
    if rows.shape[1] > 1 or not within_one(rows) or view.task is None:
        return []
    parts = (view.task.retain, view.task.test)
    return [channel(part.inputs(_spread(len(part), LOOKED_AT))) for part in parts]


def _kind(output: Output) -> OutputKind | None:
    return output.kind if isinstance(output, Reading) else None


def _logits(rows: FloatArray, kind: str) -> tuple[FloatArray, IntArray, str]:
    logits = as_logits(rows, kind)
    return logits, np.arange(logits.shape[1]), kind


def _spread(total: int, count: int) -> IntArray:
    """Return positions spread evenly over so many examples."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))


def _mixed(views: Sequence[View], count: int, rng: np.random.Generator) -> IntArray:
    """Draw examples of all views in random order: pairs of view and position."""
    pairs = [
        (which, where)
        for which, view in enumerate(views)
        for where in rng.permutation(len(view))[: count // len(views)].tolist()
    ]
    return rng.permutation(np.array(pairs))


def _inputs(views: Sequence[View], pairs: IntArray) -> Any:
    """Stack the inputs of pairs of view and position, in order."""
    parts = [views[which].inputs(pairs[pairs[:, 0] == which, 1]) for which in np.unique(pairs[:, 0])]
    order = np.argsort(np.argsort(pairs[:, 0], kind="stable"), kind="stable")
    return take(concatenate(parts), order)


def _checked(logits: FloatArray, columns: IntArray, kind: str, view: View) -> Outputs:
    """Make outputs of logits whose columns stand for these labels, in order."""
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        raise ValueError(
            f"the model gives non-finite logits (NaN or infinity) for {len(broken)} of {len(view)} {view.name} "
            f"examples, the first at position {broken[0]}: such a model cannot be judged. Look for a diverged training."
        )
    outside = np.setdiff1d(view.labels, columns)
    if len(outside):
        raise ValueError(
            f"label {outside[0]} of the {view.name} view has no column: the model gives {logits.shape[1]} logits. "
            "Labels must be column numbers (a classifier's: among its task's classes)."
        )
    return Outputs(logits=logits, labels=np.searchsorted(columns, view.labels).astype(np.int64), kind=kind)
