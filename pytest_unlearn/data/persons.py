"""Whose rows are whose: ids in a column, and ids that nobody pointed out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.tables import column, columns_of, is_frame, missing

FEWEST_IDS = 20  # fewer values than this are a category and no persons
MOST_ROWS = 100  # on average; a value with more rows than this is a place or a product
_PERSONS = "account client contact customer donor employee member participant patient person student subject user"
_IDS, _NUMBERS = ("id", "uuid", "guid"), ("key", "nr", "no", "num", "number", "code", "ref", "name", "email")
UNLIKE = 2


def ids_of(groups: Any, frame: Any, name: str, of: str) -> Any:
    """Return one id an example: those given, or those in the column named.

    Raises:
        ValueError: there is no such column.
    """
    if not isinstance(groups, str):
        return groups
    if frame is None:
        raise ValueError(
            f'{name}="{groups}" names a column, and {of} is no DataFrame: pass one id for each example instead.'
        )
    try:
        values = column(frame, groups)
    except ValueError as error:
        raise ValueError(f'{name}="{groups}" names no column of {of}: {error}.') from None
    gone = missing(values)
    if gone.any():
        raise ValueError(
            f"{int(gone.sum())} examples of {of} have no {groups!r} (the first at position "
            f"{int(np.flatnonzero(gone)[0])}): give each an id of its own, as nobody can tell whose they are."
        )
    return values


def rows_of_ids(request: Mapping[Any, Any], frame: Any) -> tuple[IntArray, str]:
    """Find the rows of a request that is given as `{"column": [ids]}`.

    Returns:
        Positions, and the column.

    Raises:
        ValueError: more than one column, none in train, or an id that no row has.
    """
    if len(request) != 1:
        raise ValueError(f'forget={{"column": [ids]}} takes one column; got {list(request)}.')
    (name, wanted), *_ = request.items()
    values = ids_of(name, frame, "forget", "train") if isinstance(name, str) else None
    if values is None:
        raise ValueError(f'forget={{"column": [ids]}} takes the name of a column; got {name!r}.')
    ids = np.asarray([wanted] if isinstance(wanted, (str, int)) else list(wanted))
    asked, there = set(ids.tolist()), set(values.tolist())
    found = np.array([value in asked for value in values.tolist()])
    absent = [one for one in ids.tolist() if one not in there]
    if absent:
        listed = ", ".join(map(repr, absent[:8])) + (f" and {len(absent) - 8} more" if len(absent) > 8 else "")
        raise ValueError(f"forget asks for {name} {listed}, and no row of train has such a value.")
    return np.flatnonzero(found).astype(np.int64), name


def rows_of_index(forget: Any, index: Any) -> Any:
    """Return positions for a part of train's frame or index; all else as it is.

    Raises:
        ValueError: rows cannot be told apart by the index, or are not in train.
    """
    labels: Any = getattr(forget, "index", None) if is_frame(forget) else forget
    if type(labels).__module__.partition(".")[0] != "pandas" or not hasattr(labels, "get_indexer"):
        return forget
    if index is None:
        return np.asarray(labels)
    if not index.is_unique:
        raise ValueError("forget names rows by an index in which labels repeat: pass positions or a mask.")
    positions: IntArray = index.get_indexer(labels)
    if (positions < 0).any():
        absent = list(labels)[int(np.argmax(positions < 0))]
        raise ValueError(f"forget names rows that are not in train's index, such as {absent!r}.")
    return positions


def unsaid_persons(frame: Any, forgotten: IntArray, of: str = "train", do: str = 'pass groups="{}"') -> str:
    """Say which column tells that several rows are one person's, empty if none does.

    One with the name of an id, whose values repeat; or, whatever its name, one of whose values the request takes all
    rows of several, that are no range.
    """
    count = len(frame)
    asked = np.isin(np.arange(count), forgotten)
    for name in sorted(columns_of(frame), key=_likeness):
        ids = _numbered(np.asarray(frame[name]))
        many = int(ids.max()) + 1 if ids is not None else 0
        if ids is None or many < FEWEST_IDS or many == count or count / many > MOST_ROWS:
            continue
        ours = np.unique(ids[asked])
        torn = len(np.intersect1d(ours, ids[~asked]))
        is_range = ours[-1] - ours[0] == len(ours) - 1
        if _likeness(name) == UNLIKE and (torn or is_range or len(ours) == len(forgotten)):
            continue
        both = f", {torn} of which have rows both in the request and in what is retained" if torn else ""
        return (
            f"{of} has {count:,} rows for {many:,} values of {str(name)!r}{both}. If it says whose a row is, "
            f"{do.format(name)}: rows of one person are no independent evidence, and intervals that count them as such "
            "are too narrow."
        )
    return ""


def _numbered(values: Any) -> IntArray | None:
    """Give numbers to the values of a column of whole numbers or text; None for others."""
    if values.dtype.kind not in "iuOU" or missing(values).any():
        return None
    if values.dtype.kind == "O" and not all(isinstance(value, (str, int)) for value in values.tolist()):
        return None
    return np.asarray(np.unique(values.astype(str), return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _likeness(name: Any) -> int:
    """Tell how like a person's id a column's name is: 0 is a person's, 1 an id, UNLIKE neither."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", str(name))]
    joined = "".join(words)
    of_person = any(joined == person + end for person in _PERSONS.split() for end in ("", "s", *_IDS, *_NUMBERS))
    return 0 if of_person else 1 if words and words[-1] in _IDS else UNLIKE
