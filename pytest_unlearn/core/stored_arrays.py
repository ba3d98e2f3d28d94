"""Keep arrays as text, each once, under the digest of what it holds.

Eight bytes a number: what is computed from them again is computed from the very same numbers.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {"f": "<f8", "i": "<i8", "u": "<i8", "b": "|b1"}
LONGEST = 100_000_000  # bytes that one array may unpack to
MOST = 500_000_000  # bytes of all arrays together


class StoredArrays(Mapping[str, Mapping[str, str]]):
    """Hold one-dimensional arrays by their digest; a matrix is a list of its rows.

    A mapping from digests to each array's type and its bytes, compressed, in base64. An array is compressed when its
    text is asked for: most audits are never stored. It is not copied before: whoever changes it meanwhile leaves a text
    that is not what its digest says.
    """

    def __init__(self, texts: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._texts, self._kept, self._bytes = dict(texts or {}), dict[str, tuple[str, NDArray[Any]]](), 0

    def __getitem__(self, key: str) -> Mapping[str, str]:
        if key not in self._texts:
            kind, kept = self._kept[key]
            self._texts[key] = {"type": kind, "data": base64.b64encode(zlib.compress(kept.data, 1)).decode()}
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._texts, **self._kept})

    def __len__(self) -> int:
        return len({**self._texts, **self._kept})

    def put(self, values: Any) -> str:
        """Keep an array of numbers, and return what it is found by.

        Raises:
            ValueError: not one-dimensional, not of numbers, or more than can be kept.
        """
        given = np.asarray(values)
        if given.ndim != 1 or given.dtype.kind not in KINDS:
            raise ValueError(f"an array of {given.dtype}, shape {given.shape}, cannot be stored")
        kind = KINDS[given.dtype.kind]
        kept = np.ascontiguousarray(given, dtype=kind)  # no copy of what may be hundreds of megabytes
        key = _digest(kind, kept.data)
        if key not in self._kept:
            self._kept[key] = kind, kept
            self._bytes += kept.nbytes
        if self._bytes > MOST:
            raise ValueError(f"more than {MOST / 1e6:.0f} MB of scores are not stored")
        return key

    def put_rows(self, rows: Iterable[Any] | None) -> list[str] | None:
        """Keep the rows of a matrix; None stays None."""
        return None if rows is None else [self.put(row) for row in rows]

    def array(self, key: Any) -> NDArray[Any]:
        """Return an array, if it is what it was when it was stored.

        Raises:
            ValueError: it is missing, unreadable, or another array than its digest says.
        """
        text = self[key] if isinstance(key, str) and key in self else None
        try:
            assert text is not None
            kind = str(text["type"])
            unpack = zlib.decompressobj()
            raw = unpack.decompress(base64.b64decode(text["data"], validate=True), LONGEST)
            if kind not in KINDS.values() or not unpack.eof or _digest(kind, raw) != key:
                raise ValueError
            return np.frombuffer(raw, dtype=kind)
        except (AssertionError, KeyError, TypeError, ValueError, zlib.error):
            what = "is missing" if text is None else "is not what its digest says"
            raise ValueError(f"the array {str(key)[:12]} {what}") from None

    def rows(self, keys: Iterable[Any] | None) -> NDArray[Any] | None:
        """Return a matrix from its rows; None stays None."""
        return None if keys is None else np.array([self.array(key) for key in keys])


def _digest(kind: str, raw: Any) -> str:
    digest = hashlib.sha256(kind.encode() + b"\0")
    digest.update(raw)
    return digest.hexdigest()
