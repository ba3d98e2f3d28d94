"""Bring the rows and columns of several files into one order, or say why not.

Rows belong together by their ids or, where no file has any, by their order. Whatever does not fit is an error that
names the first ids: an audit of misaligned rows would say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.unseen import UnseenExamples
from pytest_unlearn.models.file_formats import Column
from pytest_unlearn.models.saved_files import SavedRows, listed, short, some


def examples_of(
    part: str, files: Sequence[SavedRows], *, called: str = "", train_size: int | None = None
) -> UnseenExamples:
    """Make the examples of files of one set, in the order of the first with ids.

    Args:
        part: the name of their view.
        files: at least one of outputs; labels and groups are those of the first that has any.
        called: what sentences call them, if not that.
        train_size: how many examples were trained on, if that is known.

    Raises:
        ValueError: no file has labels, a label has no column, two files disagree on one, rows do not fit, or some files
            have ids and others have none.
    """
    saved = next(one for one in files if one.outputs is not None)
    assert saved.outputs is not None
    by_ids = saved.ids is not None
    for one in files:
        if one.outputs is not None or by_ids:  # ids of labels alone name rows that are in their order
            _check_ids(one.name, one.ids is not None, saved.name, by_ids)
    order = next((one for one in files if one.ids is not None), saved)
    rows = [rows_in_order(one, order.ids, order.size, order.name) for one in files]
    pairs = list(zip(files, rows, strict=True))
    labelled = [(one, columns_of(one, saved)[at]) for one, at in pairs if one.labels is not None]
    if not labelled:
        raise ValueError(
            f"nothing says what the right answers of the {called or part} rows are: give {saved.name} a column label, "
            "or name a file that has one under labels."
        )
    first, labels = labelled[0]
    for one, others in labelled[1:]:
        differ = np.flatnonzero(others != labels)
        if len(differ):
            told = some([order.who(int(k)) for k in differ])
            raise ValueError(f"{len(differ)} labels differ between {first.name} and {one.name}: {told}.")
    grouped = [(one.groups, at) for one, at in pairs if one.groups is not None]
    return UnseenExamples(
        part,
        labels,
        order.ids,
        tuple(grouped[0][0][k] for k in grouped[0][1]) if grouped else None,
        file=order.name,
        classes=saved.classes,
        width=saved.outputs.shape[1],
        like=saved.outputs,
        train_size=train_size,
        by_ids=by_ids,
    )


def outputs_in_order(file: SavedRows, examples: UnseenExamples) -> FloatArray:
    """Return a file's outputs in the order of examples and of their classes.

    Raises:
        ValueError: other examples, other classes, another number of either, or ids in one of both alone.
    """
    assert file.outputs is not None
    _check_ids(file.name, file.ids is not None, examples.file, examples.by_ids)
    rows = file.outputs[rows_in_order(file, examples.ids, len(examples), examples.file)]
    if rows.shape[1] != examples.width:
        raise ValueError(
            f"{file.name} has outputs for {rows.shape[1]} classes, and those beside it have {examples.width}: every "
            "model answers about the same classes."
        )
    if not file.classes or not examples.classes or file.classes == examples.classes:
        return rows
    if set(file.classes) != set(examples.classes):
        odd = [one for one in file.classes if one not in examples.classes]
        raise ValueError(f"{file.name} has columns for classes that no file beside it has: {some(odd)}.")
    return rows[:, [file.classes.index(one) for one in examples.classes]]


def _check_ids(one: str, has_ids: bool, other: str, others: bool) -> None:
    """Raise ValueError where of two files one has ids: nothing then says which rows are one example."""
    if has_ids != others:
        without, beside = (other, one) if has_ids else (one, other)
        raise ValueError(
            f"{without} has no ids and {beside} has, so that nothing says which of their rows are one example: give "
            f"{without} the ids of its rows or, if all files of these rows are in one order, leave ids out of all."
        )


def rows_in_order(file: SavedRows, ids: tuple[str, ...] | None, size: int, order: str) -> IntArray:
    """Return where each of some examples stands in a file.

    Args:
        file: that is looked in.
        ids: of the examples; None where they have none.
        size: how many they are.
        order: what to call the file that they are the rows of.

    Raises:
        ValueError: the file lacks some, or has others.
    """
    if file.ids is None or ids is None:
        if file.size != size:
            raise ValueError(
                f"{file.name} has {file.size} rows and {order} has {size}: without ids rows belong together by their "
                "order, and then there are as many."
            )
        return np.arange(size)
    there, wanted = {one: k for k, one in enumerate(file.ids)}, set(ids)
    missing, extra = [one for one in ids if one not in there], [one for one in file.ids if one not in wanted]
    if missing or extra:
        told = [f"it lacks {len(missing)} ids, {some(missing)}"] if missing else []
        told += [f"it alone has {len(extra)}, {some(extra)}"] if extra else []
        raise ValueError(f"{file.name} is about other examples than {order}: {'; '.join(told)}.")
    return np.array([there[one] for one in ids], dtype=np.int64)


def columns_of(labelled: SavedRows, saved: SavedRows) -> IntArray:
    """Return a file's labels as columns of another's outputs.

    Raises:
        ValueError: a label without a column, or text where columns have no names.
    """
    assert labelled.labels is not None
    assert saved.outputs is not None
    labels, width = labelled.labels, max(2, saved.outputs.shape[1])
    names = {name: k for k, name in enumerate(saved.classes)}
    if labels.dtype.kind not in "iub" or (names and _by_name(labels, saved)):
        texts = [str(label) for label in labels.tolist()]
        odd = next((k for k, text in enumerate(texts) if text not in names), None)
        if odd is not None:
            has = f"stand for {listed(names)}" if names else "have no names"
            raise ValueError(
                f"label {short(texts[odd])} of {labelled.who(odd)} in {labelled.name} has no column: those of "
                f"{saved.name} {has}. Name each column by its class, list the classes in columns.classes, or number "
                "labels from 0."
            )
        return np.array([names[text] for text in texts], dtype=np.int64)
    outside = np.flatnonzero((labels < 0) | (labels >= width))
    if len(outside):
        raise ValueError(
            f"label {labels[outside[0]]} of {labelled.who(int(outside[0]))} in {labelled.name} has no column: "
            f"{saved.name} has {saved.outputs.shape[1]}, and labels count columns from 0."
        )
    return np.asarray(labels, dtype=np.int64)


def _by_name(labels: Column, saved: SavedRows) -> bool:
    """Tell whether integer labels are names of columns rather than their numbers.

    Raises:
        ValueError: they might be either.
    """
    if list(saved.classes) == [str(k) for k in range(len(saved.classes))] or not all(
        name.lstrip("-").isdecimal() for name in saved.classes
    ):
        return False
    odd = set(np.unique(labels).tolist()) - {int(name) for name in saved.classes}
    if odd:
        raise ValueError(
            f"the columns of {saved.name} are numbered {listed(saved.classes)}, and there are labels "
            f"{some(sorted(odd))}: say which class each column stands for with columns.classes."
        )
    return True
