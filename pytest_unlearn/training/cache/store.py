"""Keep trained models in a folder under content-addressed keys, never unpickled.

Anyone may have written in the folder. What is no file there is not opened; what the keys at hand do not vouch for is
not taken where they have to.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_unlearn.core.array_memory import forget_all
from pytest_unlearn.core.files import acquire, read_file
from pytest_unlearn.core.seal import Keys, Sealed, keys_of_environment, seal, unseal
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.training.cache.serialize import Build, NotStorable, Payload, decode, encode

SCHEMA = "pytest-unlearn model 1"
LONGEST_WAIT = 60 * 60.0  # seconds that another process may hold a model's lock
_KINDS = ("safetensors", "skops", "native")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILE_NAME = re.compile(r"\.?([0-9a-f]{64})\.(?:json|lock|safetensors|skops|native|.*\.tmp)")
_logger = logging.getLogger("pytest_unlearn")


class NotSealed(ValueError):  # noqa: N818 - named for what it is about
    """Raised for a model that is whole, and that the key at hand did not seal."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """Describe one stored model: `info` is what was noted when it was stored."""

    key: str
    kind: str
    size: int
    info: Mapping[str, Any]
    stored: float
    used: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """Hold what a key led to: the model and its info, none, or what is damaged.

    `sealed` says which key the model was sealed with; `unsealed` that the damage is that the right one is missing.
    """

    model: Any = None
    info: Mapping[str, Any] | None = None
    damage: str | None = None
    sealed: Sealed = ""
    unsealed: bool = False


@dataclass(frozen=True)
class Store:
    """Keep trained models in a folder, made when the first of them is written.

    Each model is a payload, `<key>.safetensors`, `.skops` or `.native`, and a sidecar, `<key>.json`, that is written
    last and seals it. Where the environment gives UNLEARN_CACHE_KEY, only what is sealed with it, or was put there in
    this run, is taken.

    Attributes:
        directory: the folder.
        keys: what sidecars are sealed with, from the environment.
    """

    directory: Path
    keys: Keys = field(default_factory=keys_of_environment, repr=False)

    def fetch(self, key: str, build: Build | None = None) -> Fetched:
        """Read a stored model; hold `lock(key)` if others may write.

        Args:
            key: what it was put under.
            build: the recipe's function that makes it untrained, if it has one.

        Returns:
            The model, nothing, or what is damaged, which is logged, and the files are removed.
        """
        found = self.peek(key, build)
        if found.damage is not None:
            what = "is not taken" if found.unsealed else "was damaged"
            _logger.warning("cached model %s %s (%s): training it again", key, what, found.damage)
            self._remove(key)
        return found

    def peek(self, key: str, build: Build | None = None) -> Fetched:
        """Read as `fetch` does, removing nothing: safe while another process writes."""
        try:
            names = [f"{_checked(key)}.{kind}" for kind in ("json", *_KINDS)]
            if not any(os.path.lexists(self.directory / name) for name in names):
                return Fetched()
            sidecar, data, sealed = self._bytes(key)
            self._check_trust(sealed)
            model = decode(Payload(sidecar["kind"], data, sidecar["structure"]), build)
            with suppress(OSError):  # a store that cannot be written is still read; it only forgets when it was used
                os.utime(self.directory / f"{key}.json")
            return Fetched(model, sidecar["info"], sealed=sealed)
        except NotSealed as error:
            return Fetched(damage=str(error), unsealed=True)
        except Exception as error:
            # Whatever a parser raises on bytes that anyone may have written, the model has to be trained again.
            return Fetched(damage=" ".join(str(error).split())[:300] or type(error).__name__)

    def put(self, key: str, model: Any, info: Mapping[str, Any], build: Build | None = None) -> bool:
        """Store a model; hold `lock(key)` if others may write it too.

        Args:
            key: what to find it under.
            model: an nn.Module, a fitted scikit-learn estimator, or arrays in plain containers.
            info: notes about it, as JSON.
            build: the recipe's function that makes it untrained, if it has one.

        Returns:
            False if only pickle could store this model, or if nothing can be written here; the reason is logged.

        Raises:
            ValueError: the key cannot name a file.
            TypeError: the info is not JSON.
        """
        sidecar = {"schema": SCHEMA, "key": _checked(key), "info": json.loads(json.dumps(dict(info)))}
        try:
            payload = encode(model, build)
            sidecar |= {"kind": payload.kind, "structure": payload.structure, "size": len(payload.data)}
            sidecar |= {"sha256": hashlib.sha256(payload.data).hexdigest()}
            sealed = json.dumps(seal(sidecar, self.keys), indent=1).encode()
            self._prepare()
            # Without its sidecar the old payload is nobody's, so no reader can take the new one for it.
            self._remove(key)
            self._write(f"{key}.{payload.kind}", payload.data)
            self._write(f"{key}.json", sealed)
        except NotStorable as error:
            _say_once("models cannot be stored, so they are trained again in each run: %s", str(error))
            _logger.debug("model %s cannot be stored", key)
            return False
        except OSError as error:
            _say_once("models are not stored: %s cannot be written (%s)", str(self.directory), str(error))
            return False
        return True

    @contextmanager
    def lock(self, key: str, wait: bool = True) -> Iterator[bool]:
        """Keep other processes from training or writing the same model during a block.

        Args:
            key: of the model.
            wait: whether to wait for another process that holds it.

        Yields:
            Whether it is ours. Where the folder cannot be written, nothing can be locked, and nothing needs to be.
            Who has waited for an hour goes on without: a model is then trained twice, and is the same.
        """
        try:
            self._prepare()
            path = self.directory / f"{_checked(key)}.lock"
            lock = acquire(path, 1 if wait else 0)
            if lock is None and wait:
                _logger.warning("waiting for another process, which trains model %s and holds %s", key, path)
                lock = acquire(path, LONGEST_WAIT)
            ours = wait or lock is not None
            if lock is None and wait:
                _logger.warning("%s has been held for %.0f minutes: not waiting any longer", path, LONGEST_WAIT / 60)
        except (OSError, NotImplementedError) as error:
            _say_once("models are not locked: %s", str(error))
            lock, ours = None, True
        try:
            yield ours
        finally:
            if lock is not None:
                lock.release()

    def entries(self) -> list[StoredModel]:
        """List the stored models, by key; damaged sidecars are left out."""
        found = []
        for path in sorted(self.directory.glob("*.json")):
            try:
                found.append(self._entry(path.stem, self._sidecar(path.stem)[0]))
            except Exception:
                continue
        return found

    def find(self, key: str) -> StoredModel | None:
        """Find a stored model if every byte is as it was written; nothing is loaded."""
        try:
            return self.examine(key)
        except Exception:
            return None

    def examine(self, key: str) -> StoredModel:
        """Find a stored model, or raise what is wrong with the files of this key."""
        sidecar, _, sealed = self._bytes(key)
        self._check_trust(sealed)
        return self._entry(key, sidecar)

    def purge(self) -> int:
        """Remove every model and what interrupted writers left; return how many models.

        What was remembered of data and answers goes as well.

        Other files in the folder stay, and folders that bear a model's name.
        """
        entries = self.entries()
        for entry in entries:
            self._remove(entry.key)
        for path, _ in self.files():
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
        for entry in entries:
            (self.directory / f"{entry.key}.lock").unlink(missing_ok=True)
        forget_all(self.directory)
        return len(entries)

    def files(self) -> list[tuple[Path, str]]:
        """List what is in the folder under names like the store's, with their keys."""
        found = [(path, _FILE_NAME.fullmatch(path.name)) for path in sorted(self.directory.glob("*"))]
        return [(path, match[1]) for path, match in found if match]

    def discard(self, key: str, names: Iterable[str] = ()) -> bool:
        """Remove a model, or only the named files of it, unless another process has it."""
        with self.lock(key, wait=False) as ours:
            if ours and not names:
                self._remove(key)
            for name in (names or (f"{key}.lock",)) if ours else ():
                with suppress(OSError):
                    (self.directory / name).unlink(missing_ok=True)
        return ours

    def _entry(self, key: str, sidecar: Mapping[str, Any]) -> StoredModel:
        # A use touches the sidecar, which was written right after the payload.
        payload = (self.directory / f"{key}.{sidecar['kind']}").stat()
        used = max(payload.st_mtime, (self.directory / f"{key}.json").stat().st_mtime)
        return StoredModel(key, sidecar["kind"], payload.st_size, sidecar["info"], payload.st_mtime, used)

    def _bytes(self, key: str) -> tuple[dict[str, Any], bytes, Sealed]:
        sidecar, sealed = self._sidecar(key)
        data = read_file(self.directory / f"{key}.{sidecar['kind']}")
        if hashlib.sha256(data).hexdigest() != sidecar["sha256"]:
            raise ValueError(f"its {len(data)} bytes are not the {sidecar['size']} that were written")
        return sidecar, data, sealed

    def _sidecar(self, key: str) -> tuple[dict[str, Any], Sealed]:
        try:
            sidecar, sealed = unseal(json.loads(read_file(self.directory / f"{key}.json")), self.keys)
        except FileNotFoundError:
            raise ValueError("its sidecar is missing") from None
        if sidecar["schema"] != SCHEMA or sidecar["key"] != key or sidecar["kind"] not in _KINDS:
            raise ValueError("its sidecar belongs to something else")
        info = sidecar["info"]
        seconds = info.get("seconds", 0.0) if isinstance(info, dict) else None
        if not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or seconds < 0:
            raise ValueError("its sidecar does not say how long the training took")
        return sidecar, sealed

    def _check_trust(self, sealed: Sealed) -> None:
        """Raise NotSealed for what a key should vouch for and does not."""
        if self.keys.key is not None and not sealed:
            raise NotSealed(f"it is not sealed with {CACHE_KEY}")

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        ignore = self.directory.parent / ".gitignore"
        if self.directory.parent.name == ".unlearn" and not os.path.lexists(ignore):
            ignore.write_text("*\n")

    def _write(self, name: str, data: bytes) -> None:
        """Write a file so that it is there whole or not at all, even after a power cut."""
        prefix = f".{name.partition('.')[0]}."
        descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=self.directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.directory / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _remove(self, key: str) -> None:
        """Remove an entry, sidecar first, with leftovers of writers that were killed."""
        leftovers = [path.name for path in self.directory.glob(f".{key}.*.tmp")]
        for name in (f"{key}.json", *(f"{key}.{kind}" for kind in _KINDS), *leftovers):
            try:
                (self.directory / name).unlink(missing_ok=True)
            except OSError as error:
                _logger.debug("%s was not removed: %s", name, error)


@functools.cache
def _say_once(message: str, *details: str) -> None:
    """Log once: a search trains hundreds of models that cannot be stored."""
    _logger.warning(message, *details)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot name a stored model: use letters, digits, - and _, as reference_key gives")
    return key
