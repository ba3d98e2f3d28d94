"""Digest inputs by what they hold, whatever their type: numbers, text, or objects."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

NUMERIC = "biufcmM"  # kinds of numpy's types whose bytes are their values; text is padded, objects are addresses

DIGEST_SIZE = 32  # bytes: nobody finds two inputs of one digest, who would have a cached model stand for another
MISSING = ("NAType", "NaTType")  # of pandas
NESTED = "an object that holds itself, or is nested too deeply: make plain values of it"
NON_FINITE = "a non-finite input (NaN or infinity): clean it before the audit"


class UnreadableError(ValueError):
    """What cannot be digested, in words; `row` says where, among several."""

    def __init__(self, what: str, row: int = 0) -> None:
        super().__init__(what)
        self.row = row


def content_digest(x: Any) -> bytes:
    """Digest an input alone, float32 as float64 and text of any width.

    NaN is a missing value, of which there is one kind, in a row of a table: in an input of one dimension.

    Raises:
        UnreadableError: it holds infinity, NaN where it is no row of a table, or an object without content.
    """
    return _digest(x, exact=False)


def exact_digest(x: Any) -> bytes:
    """Digest an input with its types; raises as `content_digest` does."""
    return _digest(x, exact=True)


def encoded(value: Any) -> bytes:
    """Encode one value of a table by its content; raises as `content_digest` does."""
    try:
        return _value(value, exact=False)
    except RecursionError:
        raise UnreadableError(NESTED) from None


def _digest(x: Any, *, exact: bool) -> bytes:
    try:
        return hashlib.blake2b(_array(x, exact), digest_size=DIGEST_SIZE).digest()
    except RecursionError:
        raise UnreadableError(NESTED) from None


def _array(x: Any, exact: bool) -> bytes:
    if x.dtype.kind not in NUMERIC:
        values = b"".join(_value(value, exact) for value in x.reshape(-1).tolist())
        return values + str(x.shape).encode()
    if x.dtype.kind in "fc" and not np.isfinite(x).all():
        if x.ndim != 1 or x.dtype.kind == "c" or np.isinf(x).any():
            raise UnreadableError(NON_FINITE)
        x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x)
    kind = x.dtype.str if exact else ""
    if x.dtype.kind == "f" and not exact:
        x = x.astype(np.float32) + np.float32(0)  # one digest for float32 and float64, 0.0 and -0.0
    return np.ascontiguousarray(x).tobytes() + f"{x.shape}{kind}".encode()


def _value(value: Any, exact: bool) -> bytes:
    """Encode a value by its content, in pieces that begin with their length."""
    if isinstance(value, str):
        return _piece("text", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return _number(value.item(), type(value).__name__ if exact else "")
    if isinstance(value, (bool, int, float)):
        return _number(value, type(value).__name__ if exact else "")
    if value is None or type(value).__name__ in MISSING:
        return _piece("none")
    if isinstance(value, (bytes, bytearray)):
        return _piece("bytes", bytes(value))
    if isinstance(value, (list, tuple)):
        return _piece(type(value).__name__ if exact else "list", *(_value(item, exact) for item in value))
    if isinstance(value, Mapping):
        pairs = (_value(key, exact) + _value(item, exact) for key, item in value.items())
        return _piece("mapping", *sorted(pairs))
    if isinstance(value, Set):
        return _piece("set", *sorted(_value(item, exact) for item in value))
    if hasattr(value, "__array__") or hasattr(value, "__array_interface__"):
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype != object or array.ndim:
            return _piece("array", _array(array, exact))
    return _object(value, exact)


def _number(value: float, kind: str) -> bytes:
    if math.isnan(value):
        return _piece("none")
    if not math.isfinite(value):
        raise UnreadableError(NON_FINITE)
    if kind:
        return _piece(kind, repr(value).encode())
    try:
        single = struct.pack("<f", value + 0.0)
        exactly = not isinstance(value, int) or struct.unpack("<f", single)[0] == value
    except OverflowError:
        exactly = False
    return _piece("number", single if exactly else repr(value).encode())


def _object(value: Any, exact: bool) -> bytes:
    """Encode what is left by the parts that it would be pickled by."""
    if callable(value) and hasattr(value, "__qualname__"):
        return _piece("named", f"{value.__module__}.{value.__qualname__}".encode())
    try:
        parts = value.__reduce_ex__(4)
    except Exception as error:
        raise UnreadableError(
            f"a {type(value).__name__}, whose content cannot be read: make numbers or text of it"
        ) from error
    if isinstance(parts, str):
        return _piece("named", f"{type(value).__module__}.{parts}".encode())
    made, arguments, *state = parts
    rest = [list(one) if hasattr(one, "__next__") else one for one in state]
    return _piece("object", *(_value(part, exact) for part in (made, arguments, *rest)))


def _piece(kind: str, *parts: bytes) -> bytes:
    body = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return f"{kind}:{len(body)}:".encode() + body
