"""Digest the rows of an array in chunks, and find rows that occur again.

A row is read from memory once and hashed once: both its digests come out of the same state, unless what it holds and
how exactly are different bytes, as with float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.content import DIGEST_SIZE, NON_FINITE, UnreadableError

DigestArray = NDArray[np.bytes_]
DIGEST = f"S{DIGEST_SIZE}"  # comparing ignores zeros at the end, which digests of one length are still told apart by
CHUNK = 1 << 18  # bytes that are checked and hashed while a processor's cache holds them


def digest_array(digests: Sequence[bytes]) -> DigestArray:
    """Make an array of digests, shape (examples,)."""
    return np.frombuffer(b"".join(digests), dtype=DIGEST)


def digest_pairs(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[DigestArray, DigestArray]:
    """Make two arrays of the two digests of each example."""
    contents, exact = zip(*pairs, strict=True)
    return digest_array(contents), digest_array(exact)


def digest_rows(rows: Any) -> tuple[DigestArray, DigestArray]:
    """Digest each row of an array twice: what it holds, and exactly how.

    Args:
        rows: numbers, shape (examples, ...).

    Returns:
        (contents, exact): equal to `content_digest` and `exact_digest` of each row, shape (examples,).

    Raises:
        UnreadableError: a row holds infinity, or NaN where it is no row of a table; its `row` says which.
    """
    shape, kind = str(rows.shape[1:]).encode(), rows.dtype.str.encode()
    step = max(1, CHUNK * len(rows) // max(1, rows.nbytes))
    contents: list[bytes] = []
    exact: list[bytes] = []
    for start in range(0, len(rows), step):
        chunk = _one_nan(np.ascontiguousarray(rows[start : start + step]), start)
        plain = _single(chunk)
        for row in _words(plain):
            state = hashlib.blake2b(row, digest_size=DIGEST_SIZE)
            state.update(shape)
            contents.append(state.digest())
            state.update(kind)
            exact.append(state.digest())
        for place in _different(plain, chunk):
            parts = _words(chunk[place : place + 1]).tobytes() + shape + kind
            exact[start + place] = hashlib.blake2b(parts, digest_size=DIGEST_SIZE).digest()
    return digest_array(contents), digest_array(exact)


def first_in(sought: DigestArray, among: DigestArray) -> IntArray:
    """Return where each digest occurs first among others, -1 where it does not."""
    ours, theirs = (np.ascontiguousarray(part).view(np.uint64)[:: DIGEST_SIZE // 8] for part in (sought, among))
    found = np.full(len(sought), -1, dtype=np.int64)
    if len(theirs) <= len(ours):  # candidates have equal beginnings; then whole digests are compared
        candidates, places = _occurring(ours, theirs), np.arange(len(theirs))
    else:
        candidates, places = np.arange(len(ours)), _occurring(theirs, ours)
    where = dict(zip(among[places[::-1]].tolist(), places[::-1].tolist(), strict=True))
    found[candidates] = [where.get(digest, -1) for digest in sought[candidates].tolist()]
    return found


def _occurring(many: Any, few: Any) -> IntArray:
    """List where a number of the many is one of the few."""
    few = np.sort(few)
    places = np.minimum(np.searchsorted(few, many), len(few) - 1)
    return np.flatnonzero(few[places] == many) if len(few) else np.empty(0, dtype=np.int64)


def _one_nan(chunk: Any, start: int) -> Any:
    """Give every missing number the same bytes; refuse what no model takes."""
    if chunk.dtype.kind not in "fc" or (finite := np.isfinite(chunk)).all():
        return chunk
    refused = ~finite if chunk.ndim != 2 or chunk.dtype.kind == "c" else np.isinf(chunk)
    broken = np.flatnonzero(refused.reshape(len(chunk), -1).any(axis=1))
    if len(broken):
        raise UnreadableError(NON_FINITE, row=start + int(broken[0]))
    return np.where(np.isnan(chunk), np.array(np.nan, chunk.dtype), chunk)


def _single(chunk: Any) -> Any:
    """Give numbers with a point one precision, and zero one sign."""
    return chunk.astype(np.float32, copy=False) + np.float32(0) if chunk.dtype.kind == "f" else chunk


def _words(chunk: Any, kind: Any = np.uint8) -> Any:
    return np.ascontiguousarray(chunk).reshape(len(chunk), -1).view(kind)


def _different(plain: Any, chunk: Any) -> list[int]:
    """List the rows whose bytes are others than those of what they hold."""
    if plain is chunk:
        return []
    if plain.dtype != chunk.dtype:
        return list(range(len(chunk)))
    other = _words(plain, np.uint32) != _words(chunk, np.uint32)
    return np.flatnonzero(other.any(axis=1)).tolist() if other.any() else []
