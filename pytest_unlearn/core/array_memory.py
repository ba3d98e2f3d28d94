"""Remember arrays in a folder of the cache, each under a key and sealed by a note.

Anyone may have written there: nothing is unpickled, what is damaged is not taken, and where a key seals the cache, only
what it sealed is.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.folders import Place, folder_of
from pytest_unlearn.core.seal import keys_of_environment, seal, unseal

DATA, ANSWERS = "data", "answers"  # the folders below the cache's
_FILE_NAME = re.compile(r"\.?[0-9a-f]{64}\.(?:json|(?:[0-9a-f]{16}\.)?npz|.*tmp)")
_logger = logging.getLogger("pytest_unlearn")


@dataclass(frozen=True)
class ArrayMemory:
    """Keep arrays, and notes about them, in a folder that is made when needed.

    Attributes:
        directory: the path of the folder, or a URL as fsspec takes it.
    """

    directory: Place

    def load(self, key: str, *, own: bool = False) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return notes and arrays; None if nothing can be taken.

        Args:
            key: what they were saved under, 64 hexadecimal digits.
            own: whether to take only what this run or a key has sealed.
        """
        keys, folder = keys_of_environment(), folder_of(self.directory)
        try:
            note, sealed = unseal(json.loads(folder.read(f"{key}.json")), keys)
            if not sealed and (own or keys.key is not None):
                return None
            data = folder.read(folder.payload(key, note["sha256"], "npz"))
            if note["key"] != key or note["sha256"] != hashlib.sha256(data).hexdigest():
                raise ValueError("it is not as it was written")
            return note["note"], dict(np.load(io.BytesIO(data), allow_pickle=False))
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a parser raises on bytes that anyone may have written
            _logger.warning("what was remembered under %s is not taken (%s)", key[:12], error)
            return None

    def save(self, key: str, note: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Remember arrays; where nothing can be written, a warning is logged."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        about = {"key": key, "note": dict(note), "sha256": digest}
        sealed = json.dumps(seal(json.loads(json.dumps(about)), keys_of_environment())).encode()
        folder = folder_of(self.directory)
        try:
            folder.prepare()
            folder.write(folder.payload(key, digest, "npz"), data)
            folder.write(f"{key}.json", sealed)
        except OSError as error:
            _logger.warning("nothing is remembered in %s (%s)", folder, error)


def forget_all(cache: Place) -> int:
    """Remove what is remembered below the folder of a cache; return how many arrays."""
    found = [(folder, name) for folder in map(folder_of(cache).below, (DATA, ANSWERS)) for name in folder.names()]
    ours = [(folder, name) for folder, name in found if _FILE_NAME.fullmatch(name)]
    for folder, name in ours:
        if folder.kind(name) != "a folder":
            folder.remove(name)
    return sum(name.endswith(".npz") for _, name in ours)
