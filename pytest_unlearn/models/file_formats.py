"""Read the columns of a file: .npz, .npy, .csv and .parquet, and never unpickle.

What a file means is not asked here (see `models/saved_files.py`): it gives named columns, one row an example.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
WHOLE = ""  # the name of the one array of a .npy
CLASSES = "classes"  # the one array of a .npz that has no row an example
PARQUET = "reading .parquet needs pyarrow (`pip install pyarrow`), polars or pandas with fastparquet; .csv needs none"
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """The columns of one file by name: 1-D, or 2-D where an array has several.

    `name` is what the file is called in sentences, `sha256` of its bytes; `first_line` is where a text file's first row
    stands, None of any other. `classes` are what an array of that name lists.
    """

    name: str
    sha256: str
    columns: Mapping[str, Column]
    first_line: int | None = None
    classes: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return f"row {row} (counted from 0)" if self.first_line is None else f"line {row + self.first_line}"


def read_table(path: Path, name: str) -> FileTable:
    """Read a file once: its columns, and the digest of the bytes they are from.

    Args:
        path: of the file; its ending says what it is.
        name: what to call it.

    Raises:
        ValueError: there is none, it is empty, damaged, of another kind, or holds objects that only pickle reads.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        kind = f"a {path.suffix} file" if path.suffix else "without an ending"
        raise ValueError(f"{name} is {kind}: outputs are read from {', '.join(READERS)} files.")
    if path.is_dir():
        raise ValueError(f"{name} is a folder, and a file is expected here.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"there is no file {name}.") from None
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}.") from None
    if not content:
        raise ValueError(f"{name} is empty.")
    columns = read(content, name)
    classes = columns.pop(CLASSES, None) if read is _npz else None
    rows = {len(column) for column in columns.values()}
    if not columns or rows == {0}:
        raise ValueError(f"{name} holds no rows.")
    if len(rows) > 1:
        sizes = ", ".join(f"{column or 'it'} {len(values)}" for column, values in columns.items())
        raise ValueError(f"{name} holds arrays of different lengths ({sizes}): one row an example in each.")
    return FileTable(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        columns=columns,
        first_line=2 if read is _csv else None,
        classes=() if classes is None else tuple(str(one) for one in classes.reshape(-1).tolist()),
    )


def _npy(content: bytes, name: str) -> dict[str, Column]:
    array = _array(content, name)
    if array.dtype.names:
        return {column: array[column] for column in array.dtype.names}
    return {WHOLE: array}


def _npz(content: bytes, name: str) -> dict[str, Column]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.namelist() if member.endswith(".npy")]
            if not members:
                raise ValueError(f"{name} holds no arrays: it is not what numpy.savez writes.")
            return {
                member.removesuffix(".npy"): _array(
                    archive.read(member), f"{name}, array {member.removesuffix('.npy')}"
                )
                for member in members
            }
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{name} is no .npz file that can be read: {error}.") from None


def _array(content: bytes, name: str) -> Column:
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{name} holds Python objects, which only unpickling could read, and that runs whatever the file says: "
                "save numbers and text, such as np.asarray(ids, dtype=str)."
            ) from None
        raise ValueError(f"{name} is no array that numpy wrote: {error}.") from None
    except (EOFError, OSError, SyntaxError, MemoryError) as error:
        raise ValueError(f"{name} is no array that numpy wrote: {error}.") from None
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{name} has shape {array.shape}: outputs have shape (examples, classes), ids, labels and groups "
            "(examples,)."
        )
    return np.asarray(array)


def _csv(content: bytes, name: str) -> dict[str, Column]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in UTF-8: save it with encoding='utf-8'.") from None
    if "\0" in text:
        raise ValueError(f"{name} is not text: it holds NUL bytes.")
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise ValueError(f"{name} is no table: {error}.") from None
    if not rows:
        raise ValueError(f"{name} is empty.")
    header, body = [column.strip() for column in rows[0]], rows[1:]
    if all(_is_number(column) for column in header) and not _counts(header):
        raise ValueError(f"{name} has no header: its first line must name the columns, such as id,label,p0,p1.")
    _check_names(header, name)
    for k, row in enumerate(body):
        if len(row) != len(header):
            raise ValueError(f"{name}, line {k + 2} has {len(row)} fields, and the header has {len(header)}.")
    cells = zip(*body, strict=True) if body else [()] * len(header)
    return {
        column: np.array([cell.strip() for cell in values], dtype=str)
        for column, values in zip(header, cells, strict=True)
    }


def _parquet(content: bytes, name: str) -> dict[str, Column]:
    for read in (_by_pyarrow, _by_polars, _by_pandas):
        try:
            found = read(content)
        except ImportError:
            continue
        except Exception as error:  # each library has errors of its own
            raise ValueError(f"{name} is no .parquet file that can be read: {str(error).splitlines()[0]}.") from None
        _check_names(list(found), name)
        return {column: _stacked(values, f"{name}, column {column}") for column, values in found.items()}
    raise ValueError(f"{name}: {PARQUET}.")


def _by_pyarrow(content: bytes) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = parquet.read_table(pa.BufferReader(content))
    columns = [column for column in table.column_names if not column.startswith("__index_level_")]
    return {column: table.column(column).to_pylist() for column in columns}


def _by_polars(content: bytes) -> dict[str, list[Any]]:
    import polars

    frame = polars.read_parquet(io.BytesIO(content))
    return {column: frame[column].to_list() for column in frame.columns if not column.startswith("__index_level_")}


def _by_pandas(content: bytes) -> dict[str, list[Any]]:
    import pandas

    frame = pandas.read_parquet(io.BytesIO(content), engine="fastparquet")
    return {str(column): frame[column].tolist() for column in frame.columns}


def _stacked(values: list[Any], name: str) -> Column:
    """Make an array of a column's values, which may be lists of one length."""
    empty = next((row for row, value in enumerate(values) if value is None), None)
    if empty is not None:
        raise ValueError(f"{name} has no value in row {empty} (counted from 0).")
    widths = {len(value) if isinstance(value, (list, tuple)) else 0 for value in values}
    if len(widths) > 1:
        raise ValueError(f"{name} holds lists of different lengths: outputs have one number a class.")
    array = np.array(values)
    if array.dtype == object or array.ndim > 2:
        raise ValueError(f"{name} holds {type(values[0]).__name__} values: numbers or text are expected.")
    return array


def _check_names(names: list[str], file: str) -> None:
    if any(not name or name.startswith("Unnamed:") for name in names):
        raise ValueError(
            f"{file} has a column without a name, as pandas writes its index: save it with index=False, or name it id."
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"{file} has {len(repeated)} column names twice: {', '.join(repeated[:4])}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _counts(names: list[str]) -> bool:
    """Whether names of columns are whole numbers, each once: labels, and no row of values."""
    return all(name.isdecimal() for name in names) and len(set(names)) == len(names)


READERS: Mapping[str, Callable[[bytes, str], dict[str, Column]]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
}
