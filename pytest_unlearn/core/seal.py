"""Seal notes about models: a digest shows damage, a key shows who wrote them.

Whoever can write the cache can compute a digest. Only who has the key can compute what a key seals.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_unlearn.core.variables import CACHE_KEY, RUN_KEY

Sealed = Literal["", "run", "key"]

SHORTEST = 16
_own_run = os.urandom(32)


@dataclass(frozen=True)
class Keys:
    """Hold the keys that a store seals with: the run's, and one that outlives it."""

    run: bytes = field(default=_own_run, repr=False)
    key: bytes | None = field(default=None, repr=False)


def keys_of_environment() -> Keys:
    """Take the keys from the environment; outside pytest a process is a run.

    Raises:
        ValueError: a key is too short to keep anybody out.
    """
    run, key = (os.environ.get(name, "").strip().encode() for name in (RUN_KEY, CACHE_KEY))
    if 0 < len(key) < SHORTEST:
        raise ValueError(
            f"{CACHE_KEY} has {len(key)} characters: use at least {SHORTEST} random ones, as `openssl rand -hex 32` "
            "gives"
        )
    return Keys(run or _own_run, key or None)


def seal(sidecar: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Return notes with what shows that nobody without the keys has changed them."""
    macs = {name: _mac(key, sidecar) for name, key in (("run", keys.run), ("key", keys.key)) if key is not None}
    content = {**sidecar, "macs": macs}
    return {**content, "seal": digest(content)}


def unseal(sealed: Any, keys: Keys) -> tuple[dict[str, Any], Sealed]:
    """Return the notes, and which key sealed them, the one that outlives runs first.

    Raises:
        ValueError: they are not as they were written.
    """
    content = dict(sealed) if isinstance(sealed, dict) else {}
    if content.pop("seal", None) != digest(content):
        raise ValueError("its sidecar is not as it was written")
    macs = content.pop("macs", None)
    macs = macs if isinstance(macs, dict) else {}
    if keys.key is not None and _same(macs.get("key"), _mac(keys.key, content)):
        return content, "key"
    return content, "run" if _same(macs.get("run"), _mac(keys.run, content)) else ""


def digest(content: Mapping[str, Any]) -> str:
    """Digest notes."""
    return hashlib.sha256(_plain(content)).hexdigest()


def _mac(key: bytes, content: Mapping[str, Any]) -> str:
    return hmac.new(key, _plain(content), hashlib.sha256).hexdigest()


def _same(found: Any, expected: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(found.encode(), expected.encode())


def _plain(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
