"""Read saved outputs from files, with the ids, labels and groups of their rows.

What can be no outputs of a classifier is an error, one sentence with the file's name and the first row.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.data.unseen import named
from pytest_unlearn.models.file_formats import WHOLE, Column, FileTable, read_table
from pytest_unlearn.models.output import OutputKind, as_logits, kind_of, within_one

ROLES = {"id": ("id", "ids"), "label": ("label", "labels"), "group": ("group", "groups")}
"""What columns beside the outputs are called, whatever their case."""
OUTPUTS = ("outputs", "logits", "probabilities", "probs", "log_probabilities")
MOST_NAMED = 4
SUMS = 0.02  # how far from 1 the probabilities of an example may sum to, as rounded ones do
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumns:
    """What the columns of files are called where they are not named as usual.

    `outputs` lists those of the outputs in order, or is a pattern such as "p_*"; `classes` the class of each output.
    """

    id: str | None = None
    label: str | None = None
    group: str | None = None
    outputs: str | tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None

    @staticmethod
    def of(given: Mapping[str, Any] | FileColumns | None) -> FileColumns:
        """Read a mapping of them.

        Raises:
            ValueError: an unknown name, or a value of another kind.
        """
        if isinstance(given, FileColumns):
            return given
        known, found = FileColumns.__slots__, FileColumns()
        for name, value in (given or {}).items():
            many = name in ("outputs", "classes") and isinstance(value, (list, tuple)) and len(value) > 0
            if name not in known or not (many or (isinstance(value, str) and value and name != "classes")):
                raise ValueError(
                    f"columns takes {', '.join(known)}: names of columns, and for outputs and classes a list of them; "
                    f"not {name} = {value!r}."
                )
            named_so: Any = value if isinstance(value, str) else tuple(str(one) for one in value)
            found = replace(found, **{name: named_so})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRows:
    """What one file says of its examples, a row each.

    `outputs`, shape (examples, columns), is None in a file of labels; `classes` are what the columns stand for, empty
    where they are not named. `labels` are integers or text; `kind` says what the outputs are, by what was declared or
    by their values.
    """

    name: str
    sha256: str
    size: int
    outputs: FloatArray | None = None
    classes: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None
    labels: Column | None = None
    groups: tuple[str, ...] | None = None
    kind: str = "logits"

    def who(self, row: int) -> str:
        """Name an example: by its id, or by its row."""
        return named(self.ids, row)


def read_saved(
    path: str | Path,
    *,
    name: str = "",
    columns: FileColumns = FileColumns(),
    output_kind: OutputKind | None = None,
    outputs: bool = True,
) -> SavedRows:
    """Read and check one file.

    Args:
        path: a .npz, .npy, .csv or .parquet file.
        name: what to call it; its path by default.
        columns: what its columns are called.
        output_kind: what the outputs are; told by range and sum if it is not given.
        outputs: whether it has outputs; else it holds labels, ids and groups alone.

    Raises:
        ValueError: what cannot be read, or can be no outputs of a classifier: one sentence, with the file's name.
    """
    table = read_table(Path(path), printable(name or str(path)))
    found = {role: _role(role, table, columns) for role in ROLES}
    ids = None if found["id"] is None else _ids(table, found["id"])
    rest = {column: values for column, values in table.columns.items() if column not in found.values()}
    rows = SavedRows(
        name=table.name,
        sha256=table.sha256,
        size=len(next(iter(table.columns.values()))),
        ids=ids,
        groups=None if found["group"] is None else _texts(table, found["group"]),
    )
    label = found["label"]
    if not outputs and label is None and set(rest) == {WHOLE}:
        label = WHOLE
    rows = replace(rows, labels=None if label is None else _labels(table, label))
    if not outputs:
        if rows.labels is None and rows.groups is None:
            raise ValueError(f"{table.name} has neither a column label nor group; it has {listed(table.columns)}.")
        return rows
    matrix, classes = _outputs(table, rest, columns)
    broken = np.flatnonzero((np.isnan(matrix) | np.isposinf(matrix)).any(axis=1))
    if len(broken):
        raise ValueError(
            f"{table.name} has non-finite outputs (NaN or infinity) for {len(broken)} of {rows.size} examples, the "
            f"first {rows.who(int(broken[0]))}: such a model cannot be judged."
        )
    return replace(rows, outputs=matrix, classes=classes, kind=_kind(matrix, output_kind, rows))


def check_columns(columns: FileColumns, files: Sequence[SavedRows]) -> None:
    """Raise ValueError where a column is named that none of the files has."""
    for role, found in {"id": "ids", "label": "labels", "group": "groups"}.items():
        name = getattr(columns, role)
        if name is not None and all(getattr(one, found) is None for one in files):
            raise ValueError(f"columns.{role} is {name!r}, and no file has that column, nor one called {role}.")


def _role(role: str, table: FileTable, columns: FileColumns) -> str | None:
    wanted: str | None = getattr(columns, role)
    if wanted in table.columns:
        return wanted
    found = [column for column in table.columns if column.lower() in ROLES[role]]
    if len(found) > 1:
        raise ValueError(f"{table.name} has {len(found)} columns for the {role}: {', '.join(found)}. Keep one of them.")
    return found[0] if found else None


def _outputs(table: FileTable, rest: Mapping[str, Column], columns: FileColumns) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the outputs of a file as numbers, and what its columns stand for."""
    chosen = _chosen(table, rest, columns)
    parts = []
    for column in chosen:
        numbers = _numbers(table, column)
        parts.append(numbers if numbers.ndim == 2 else numbers[:, None])
    matrix = np.concatenate(parts, axis=1)
    if matrix.shape[1] == 0:
        raise ValueError(f"{table.name} has outputs of shape {matrix.shape}: one column a class is expected.")
    classes = columns.classes or table.classes
    if classes:
        if len(classes) != max(2, matrix.shape[1]) or len(set(classes)) < len(classes):
            raise ValueError(
                f"{table.name} has {matrix.shape[1]} columns of outputs, and {len(classes)} classes are named "
                f"({listed(classes)}): one each, and no name twice."
            )
        return matrix, classes
    return matrix, _stripped(chosen) if len(chosen) == matrix.shape[1] > 1 else ()


def _chosen(table: FileTable, rest: Mapping[str, Column], columns: FileColumns) -> list[str]:
    """Return the names of the columns that hold outputs, in order."""
    if isinstance(columns.outputs, tuple):
        missing = [column for column in columns.outputs if column not in table.columns]
        if missing:
            raise ValueError(f"{table.name} has no column {missing[0]}; it has {listed(table.columns)}.")
        return list(columns.outputs)
    if columns.outputs is not None:
        found = [column for column in rest if fnmatch.fnmatchcase(column, columns.outputs)]
        if not found:
            raise ValueError(f"{table.name} has no column like {columns.outputs!r}; it has {listed(table.columns)}.")
        return found
    named = [column for column in rest if column.lower() in OUTPUTS]
    wide = [column for column, values in rest.items() if values.ndim == 2]
    chosen = named or wide or list(rest)
    if len(named or wide) > 1:
        raise ValueError(f"{table.name} has several arrays of outputs: {', '.join(chosen)}. Keep one of them.")
    if not chosen:
        raise ValueError(f"{table.name} has no outputs beside {listed(table.columns)}: one column a class is expected.")
    if len(chosen) < len(rest) and (named or wide):
        odd = next(column for column in rest if column not in chosen)
        raise ValueError(
            f"{table.name} holds {odd!r}, which is neither outputs ({chosen[0]}) nor id, label or group: leave it out, "
            "or say what it is with columns."
        )
    stems = [match[1] if (match := _NUMBERED.fullmatch(column)) else None for column in chosen]
    for stem in {stem for stem in stems if stem is not None and stems.count(stem) > 1}:
        odd = next((column for column, one in zip(chosen, stems, strict=True) if one != stem), "")
        if odd:
            raise ValueError(
                f"{table.name} has columns {stem}0, {stem}1, ... and {odd!r}, which is neither an output like them nor "
                "id, label or group: leave it out, or say what it is with columns."
            )
    return chosen


def _stripped(names: Sequence[str]) -> tuple[str, ...]:
    """Return names without what they all begin with: classes, where columns are called p_cat, p_dog."""
    numbered = [_NUMBERED.fullmatch(name) for name in names]
    if all(numbered) and len({match[1] for match in numbered if match}) == 1:
        return tuple(match[2] for match in numbered if match)
    prefix = names[0].rpartition("_")[0]
    same = bool(prefix) and all(name.rpartition("_")[0] == prefix for name in names)
    return tuple(name.rpartition("_")[2] if same else name for name in names)


def _numbers(table: FileTable, column: str) -> FloatArray:
    values = table.columns[column]
    what = f", column {column}" if column != WHOLE else ""
    if values.dtype.kind == "c":
        raise ValueError(f"{table.name}{what} holds complex numbers: outputs are logits or probabilities.")
    if values.dtype.kind in "biuf":
        return np.asarray(values, dtype=np.float64)
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        row = next(k for k, value in enumerate(values) if not _is_number(value))
        value = str(values[row])
        told = f"has {short(value)}, which is no number" if value else "has no value"
        comma = ": write decimal points, not commas" if re.fullmatch(r"-?\d+,\d+", value) else ""
        raise ValueError(
            f"{table.name}{what} {told} in {table.place(row)}{comma}. Outputs are numbers; leave other columns out, or "
            "name those of the outputs with columns."
        ) from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _kind(matrix: FloatArray, declared: OutputKind | None, rows: SavedRows) -> str:
    """Say what outputs are, by what was declared or else by their values."""
    sums = matrix.sum(axis=1)
    if declared is None:
        kind = kind_of(matrix)
        if kind == "logits" and matrix.shape[1] > 1 and within_one(matrix):
            raise ValueError(
                f"{rows.name} has outputs between 0 and 1 whose rows sum to {sums.min():.3g} up to {sums.max():.3g}: "
                "probabilities sum to 1, and logits are seldom all so small. Leave out what is no output, or say with "
                'output_kind="logits" that they are logits.'
            )
    else:
        kind = declared
        try:
            as_logits(matrix, declared)
        except ValueError as error:
            raise ValueError(f"{rows.name}: {error}") from None
        off = np.flatnonzero(np.abs(sums - 1) > SUMS)
        if declared == "probabilities" and matrix.shape[1] > 1 and len(off):
            raise ValueError(
                f"{rows.name} is said to hold probabilities, and those of {rows.who(int(off[0]))} sum to "
                f"{sums[off[0]]:.3g}: one of several classes is expected, not several labels at once."
            )
    endless = np.flatnonzero(np.isneginf(matrix).any(axis=1))
    if len(endless) and kind != "log-probabilities":
        raise ValueError(
            f"{rows.name} has non-finite outputs (minus infinity) for {len(endless)} of {rows.size} examples, the "
            f"first {rows.who(int(endless[0]))}: only logarithms of probabilities may be that."
        )
    return kind


def _ids(table: FileTable, column: str) -> tuple[str, ...]:
    ids = _texts(table, column)
    first: dict[str, int] = {}
    repeated = [one for k, one in enumerate(ids) if first.setdefault(one, k) != k]
    if repeated:
        raise ValueError(
            f"{table.name} has {len(set(repeated))} ids more than once: {some(repeated)}. An id names one example; "
            "what several share is a group."
        )
    return ids


def _texts(table: FileTable, column: str) -> tuple[str, ...]:
    """Return ids as text: the same for 7, 7.0 and "7"."""
    values = table.columns[column]
    if values.ndim != 1:
        raise ValueError(f"{table.name}, column {column} has shape {values.shape}: one entry an example is expected.")
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            row = int(np.flatnonzero(~whole)[0])
            raise ValueError(f"{table.name}, column {column} has {values[row]} in {table.place(row)}: no id is such.")
        values = values.astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    texts = tuple(str(value).strip() for value in values.tolist())
    if "" in texts:
        raise ValueError(f"{table.name}, column {column} has no value in {table.place(texts.index(''))}.")
    return texts


def _labels(table: FileTable, column: str) -> Column:
    """Return labels as integers where all are, else as text."""
    values = table.columns[column]
    what = f", column {column}" if column != WHOLE else ""
    if values.ndim != 1:
        raise ValueError(
            f"{table.name}{what} has shape {values.shape}: one label an example is expected, not one-hot rows."
        )
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            row = int(np.flatnonzero(~whole)[0])
            raise ValueError(
                f"{table.name}{what} has {values[row]} in {table.place(row)}: a label is a class, not a measure."
            )
        return values.astype(np.int64)
    texts = np.array([str(value).strip() for value in values.tolist()])
    if (texts == "").any():
        raise ValueError(f"{table.name}{what} has no value in {table.place(int(np.flatnonzero(texts == '')[0]))}.")
    try:
        numbers = texts.astype(np.float64)
    except ValueError:
        return texts
    return numbers.astype(np.int64) if (numbers == np.round(numbers)).all() else texts


def listed(names: Iterable[str]) -> str:
    """List names in a sentence, the first of many."""
    return some([name or "one array" for name in names], 8, quoted=False)


def some(items: Iterable[Any], most: int = MOST_NAMED, *, quoted: bool = True) -> str:
    """List what is wrong in a sentence, the first few."""
    listed = list(dict.fromkeys(short(item) if quoted else printable(str(item)) for item in items))
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def short(value: Any) -> str:
    """Make a value fit for a sentence."""
    return printable(shortened(str(value), 80))
