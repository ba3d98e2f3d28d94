"""Digest each row of a frame or a sparse matrix, whole columns at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.content import DIGEST_SIZE, UnreadableError, content_digest, encoded
from pytest_unlearn.data.tables import columns_of, is_frame, is_sparse, missing

LARGEST = 2**53  # whole numbers up to it are exact as float64
Digests = tuple[bytes, bytes]


def row_digests(table: Any) -> list[Digests]:
    """Digest each row twice: what it holds, and exactly how.

    Of a frame, the content is the values by the columns' names, in any order and precision, missing ones included;
    exactly counts order and types of columns as well.

    Raises:
        UnreadableError: a column holds infinity, or objects without content; or two have one name.
    """
    if is_sparse(table):
        return list(_of_sparse(table))
    if is_frame(table):
        return _of_frame(table)
    return [(digest := content_digest(np.asarray(text)), digest) for text in table]


def _of_frame(frame: Any) -> list[Digests]:
    names = columns_of(frame)
    if len(set(names)) < len(names):
        raise UnreadableError(f"columns of one name ({', '.join(map(str, names))}): rename them")
    exact_head = repr([(str(name), _kind(frame[name].dtype)) for name in names]).encode()
    numeric: list[FloatArray] = []
    pieces: list[list[bytes]] = []
    head: list[str] = []
    for name in sorted(names, key=str):
        values = _numbers(frame[name])
        if values is None:
            pieces.append(_pieces(frame[name]))
            head.append(f"{name}")
        else:
            if np.isinf(values).any():
                raise UnreadableError(f"infinity in the column {name!r}: clean it before the audit")
            numeric.append(values)
            head.insert(len(numeric) - 1, f"{name}")
    block = np.stack(numeric, axis=1) if numeric else np.empty((len(frame), 0))
    block = np.where(np.isnan(block), np.nan, block) + 0.0  # one NaN, and one zero
    rounded = np.where(block == np.round(block), block, block.astype(np.float32).astype(np.float64))
    content_head = repr(head).encode()
    return [
        (
            _hash(content_head, rounded[row].tobytes(), *(piece[row] for piece in pieces)),
            _hash(exact_head, block[row].tobytes(), *(piece[row] for piece in pieces)),
        )
        for row in range(len(frame))
    ]


def _of_sparse(matrix: Any) -> Iterator[Digests]:
    rows = matrix.copy()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    rows.sort_indices()
    if rows.data.dtype.kind == "f" and np.isinf(rows.data).any():
        raise UnreadableError("infinity: clean it before the audit")
    width, kind = str(rows.shape[1]).encode(), str(rows.data.dtype).encode()
    places, values = rows.indices.astype(np.int64), rows.data.astype(np.float64)
    single = values.astype(np.float32)
    for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        where = places[start:end].tobytes()
        yield _hash(width, where, single[start:end].tobytes()), _hash(width, kind, where, values[start:end].tobytes())


def _numbers(series: Any) -> FloatArray | None:
    """Return a column of numbers or truths as float64, None for others."""
    values = np.asarray(series)
    if values.dtype.kind == "O" and _kind(series.dtype).lower().startswith(("int", "uint", "float", "bool")):
        values = np.array([np.nan if gone else v for v, gone in zip(values, missing(values), strict=True)], dtype=float)
    if values.dtype.kind not in "biuf":
        return None
    if values.dtype.kind in "iu" and len(values) and np.abs(values.astype(np.float64)).max() > LARGEST:
        return None
    return values.astype(np.float64)


def _pieces(series: Any) -> list[bytes]:
    """Encode each value of a column; each distinct text is encoded once."""
    values = np.asarray(series)
    if values.dtype.kind in "mM":
        values = np.array([None if np.isnat(value) else str(value) for value in values], dtype=object)
    known: dict[str, bytes] = {}
    found = []
    for value, gone in zip(values.tolist(), missing(values), strict=True):
        if gone:
            found.append(encoded(None))
        elif isinstance(value, str):
            found.append(known.get(value) or known.setdefault(value, encoded(value)))
        else:
            found.append(encoded(value))
    return found


def _kind(dtype: Any) -> str:
    categories = getattr(dtype, "categories", None)
    return str(dtype) if categories is None else f"{dtype} {list(categories)!r}"


def _hash(*parts: bytes) -> bytes:
    state = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for part in parts:
        state.update(len(part).to_bytes(8, "little") + part)
    return state.digest()
