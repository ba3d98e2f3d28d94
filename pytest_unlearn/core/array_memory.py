"""Remember arrays in a folder of the cache, each under a key and sealed by a note.

Anyone may have written there: nothing is unpickled, what is damaged is not taken, and where a key seals the cache, only
what it sealed is.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.files import read_file
from pytest_unlearn.core.seal import keys_of_environment, seal, unseal

DATA, ANSWERS = "data", "answers"  # the folders below the cache's
_logger = logging.getLogger("pytest_unlearn")


@dataclass(frozen=True)
class ArrayMemory:
    """Keep arrays, and notes about them, in a folder that is made when needed.

    Attributes:
        directory: the folder.
    """

    directory: Path

    def load(self, key: str, *, own: bool = False) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return notes and arrays; None if nothing can be taken.

        Args:
            key: what they were saved under, 64 hexadecimal digits.
            own: whether to take only what this run or a key has sealed.
        """
        keys = keys_of_environment()
        try:
            note, sealed = unseal(json.loads(read_file(self.directory / f"{key}.json")), keys)
            if not sealed and (own or keys.key is not None):
                return None
            data = read_file(self.directory / f"{key}.npz")
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
        about = {"key": key, "note": dict(note), "sha256": hashlib.sha256(data).hexdigest()}
        sealed = json.dumps(seal(json.loads(json.dumps(about)), keys_of_environment())).encode()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            ignore = self.directory.parent.parent / ".gitignore"
            if ignore.parent.name == ".unlearn" and not os.path.lexists(ignore):
                ignore.write_text("*\n")
            for name, content in ((f"{key}.npz", data), (f"{key}.json", sealed)):
                descriptor, temporary = tempfile.mkstemp(suffix=".tmp", dir=self.directory)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                os.replace(temporary, self.directory / name)
        except OSError as error:
            _logger.warning("nothing is remembered in %s (%s)", self.directory, error)


def forget_all(cache: Path) -> int:
    """Remove what is remembered below a cache's folder; return how many files."""
    paths = [path for folder in (DATA, ANSWERS) for path in (cache / folder).glob("*")]
    ours = [path for path in paths if path.suffix in (".json", ".npz", ".tmp")]
    for path in ours:
        if path.is_symlink() or not path.is_dir():
            with suppress(FileNotFoundError):
                path.unlink()
    return sum(path.suffix == ".npz" for path in ours)
