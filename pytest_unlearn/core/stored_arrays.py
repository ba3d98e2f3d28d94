"""Keep arrays as text, each once, under the digest of what it holds.

Eight bytes a number: what is computed from them again is computed from the very same numbers.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {"f": "<f8", "i": "<i8", "u": "<i8", "b": "|b1"}
LONGEST = 100_000_000  # bytes that one array may unpack to


@dataclass(frozen=True)
class StoredArrays:
    """Hold one-dimensional arrays by their digest; a matrix is a list of its rows.

    `texts` maps a digest to the array's type and its bytes, compressed, in base64.
    """

    texts: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def put(self, values: Any) -> str:
        """Keep an array of numbers, and return what it is found by.

        Raises:
            ValueError: not one-dimensional, or not of numbers.
        """
        given = np.asarray(values)
        if given.ndim != 1 or given.dtype.kind not in KINDS:
            raise ValueError(f"an array of {given.dtype}, shape {given.shape}, cannot be stored")
        kind = KINDS[given.dtype.kind]
        raw = np.ascontiguousarray(given, dtype=kind).tobytes()
        key = _digest(kind, raw)
        if key not in self.texts:
            self.texts[key] = {"type": kind, "data": base64.b64encode(zlib.compress(raw, 1)).decode()}
        return key

    def put_rows(self, rows: Iterable[Any] | None) -> list[str] | None:
        """Keep the rows of a matrix; None stays None."""
        return None if rows is None else [self.put(row) for row in rows]

    def get(self, key: Any) -> NDArray[Any]:
        """Return an array, if it is what it was when it was stored.

        Raises:
            ValueError: it is missing, unreadable, or another array than its digest says.
        """
        text = self.texts.get(key) if isinstance(key, str) else None
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

    def get_rows(self, keys: Iterable[Any] | None) -> NDArray[Any] | None:
        """Return a matrix from its rows; None stays None."""
        return None if keys is None else np.array([self.get(key) for key in keys])


def _digest(kind: str, raw: bytes) -> str:
    return hashlib.sha256(kind.encode() + b"\0" + raw).hexdigest()
