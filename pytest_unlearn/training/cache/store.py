"""Keep trained models under content-addressed keys, never unpickled.

Anyone may have written in the folder. What is no file there is not opened; what the keys at hand do not vouch for is
not taken where they have to.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_unlearn.core.array_memory import forget_all
from pytest_unlearn.core.folders import Folder, Place, folder_of
from pytest_unlearn.core.seal import Keys, Sealed, keys_of_environment, seal, unseal
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.training.cache.serialize import Build, NotStorable, Payload, decode, encode

SCHEMA = "pytest-unlearn model 1"
LONGEST_WAIT = 60 * 60.0  # seconds that another process may hold a model's lock
_KINDS = ("safetensors", "skops", "native")
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILE_NAME = re.compile(r"\.?([0-9a-f]{64})\.(?:json|lock|(?:[0-9a-f]{16}\.)?(?:safetensors|skops|native)|.*\.tmp)")
_logger = logging.getLogger("pytest_unlearn")


class Missing(LookupError):  # noqa: N818 - named for what it is about
    """Raised for a model that is not there."""


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

    Each model is a payload, `<key>.safetensors`, `.skops` or `.native` (at a URL with its digest in the name), and a
    sidecar, `<key>.json`, that is written last and seals it. Where the environment gives UNLEARN_CACHE_KEY, only what
    is sealed with it, or was put there in this run, is taken.

    Attributes:
        directory: the path of the folder, or a URL as fsspec takes it.
        keys: what sidecars are sealed with, from the environment.
        run_only: whether only what was put there in this run is taken, and nothing else removed.
    """

    directory: Place
    keys: Keys = field(default_factory=keys_of_environment, repr=False)
    run_only: bool = False

    @property
    def folder(self) -> Folder:
        """The folder; ValueError for a URL that nothing here can open."""
        return folder_of(self.directory)

    def for_workers(self, elsewhere: bool) -> Store | None:
        """Return this store for other processes; None if they cannot reach it.

        Args:
            elsewhere: whether they are a cluster's: they have none of this machine's folders, and are not told the key
                that outlives the run.
        """
        folder = self.folder
        if not folder.shared or (elsewhere and folder.alone):
            return None
        # A worker that is used again may have been started in another folder.
        place = folder.place.absolute() if isinstance(folder.place, Path) else folder.place
        if not elsewhere:
            return Store(place, self.keys)
        # Without the key they cannot tell who wrote a model: what they make of a stranger's would be sealed again.
        return Store(place, Keys(self.keys.run), run_only=self.keys.key is not None)

    def seal_again(self, key: str) -> None:
        """Seal with all keys at hand what a worker has sealed with the run's alone."""
        with suppress(Exception):  # whatever is wrong with it is found when it is read
            sidecar, sealed = self._sidecar(key)
            if sealed == "run" and self.keys.key is not None:
                self.folder.write(f"{key}.json", json.dumps(seal(sidecar, self.keys), indent=1).encode(), durable=True)

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
            if not (self.run_only and found.unsealed):
                self._remove(key)
        return found

    def peek(self, key: str, build: Build | None = None) -> Fetched:
        """Read as `fetch` does, removing nothing: safe while another process writes."""
        try:
            sidecar, data, sealed = self._bytes(_checked(key))
            self._check_trust(sealed)
            model = decode(Payload(sidecar["kind"], data, sidecar["structure"]), build)
            with suppress(OSError):  # a store that cannot be written is still read; it only forgets when it was used
                self.folder.note_use(f"{key}.json")
            return Fetched(model, sidecar["info"], sealed=sealed)
        except Missing:
            return Fetched()
        except NotSealed as error:
            return Fetched(damage=str(error), unsealed=True)
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and not self.folder.alone:
                # What cannot be reached is not damaged, and nothing of it may be removed.
                _say_once("models are not read: %s cannot be read (%s)", str(self.folder), str(error))
                return Fetched()
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
            folder, name = self.folder, self._payload(key, sidecar)
            folder.prepare()
            if folder.alone:
                # Without its sidecar the old payload is nobody's, so no reader can take the new one for it.
                self._remove(key)
            folder.write(name, payload.data, durable=True)
            folder.write(f"{key}.json", sealed, durable=True)
        except NotStorable as error:
            _say_once("models cannot be stored, so they are trained again in each run: %s", str(error))
            _logger.debug("model %s cannot be stored", key)
            return False
        except OSError as error:
            _say_once("models are not stored: %s cannot be written (%s)", str(self.folder), str(error))
            return False
        return True

    @contextmanager
    def lock(self, key: str, wait: bool = True) -> Iterator[bool]:
        """Keep other processes from training or writing the same model during a block.

        Args:
            key: of the model.
            wait: whether to wait for another process that holds it.

        Yields:
            Whether it is ours. Where the folder cannot be written, nothing can be locked, and nothing needs to be. At a
            URL processes of this machine alone are kept out: those of others may train the same model, and either is
            whole.
            Who has waited for an hour goes on without: a model is then trained twice, and is the same.
        """
        try:
            folder, name = self.folder, f"{_checked(key)}.lock"
            folder.prepare()
            lock = folder.lock(name, 1 if wait else 0)
            if lock is None and wait:
                _logger.warning("waiting for another process, which trains model %s in %s", key, folder)
                lock = folder.lock(name, LONGEST_WAIT)
            ours = wait or lock is not None
            if lock is None and wait:
                where, minutes = f"{folder}/{name}", LONGEST_WAIT / 60
                _logger.warning("%s has been held for %.0f minutes: not waiting any longer", where, minutes)
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
        for name in self.folder.names():
            if not name.endswith(".json") or name.startswith("."):
                continue
            try:
                key = name.removesuffix(".json")
                found.append(self._entry(key, self._sidecar(key)[0]))
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
        entries, folder = self.entries(), self.folder
        for entry in entries:
            self._remove(entry.key)
        for name, _ in self.files():
            if folder.kind(name) != "a folder":
                folder.remove(name)
        for entry in entries:
            folder.remove(f"{entry.key}.lock")
        forget_all(self.directory)
        return len(entries)

    def files(self) -> list[tuple[str, str]]:
        """List the names in the folder that are like the store's, with their keys."""
        found = [(name, _FILE_NAME.fullmatch(name)) for name in self.folder.names()]
        return [(name, match[1]) for name, match in found if match]

    def payload_of(self, entry: StoredModel) -> str:
        """Name the file that holds a model's weights."""
        return self._payload(entry.key, self._sidecar(entry.key)[0])

    def discard(self, key: str, names: Iterable[str] = ()) -> bool:
        """Remove a model, or only the named files of it, unless another process has it."""
        with self.lock(key, wait=False) as ours:
            if ours and not names:
                self._remove(key)
            for name in (names or (f"{key}.lock",)) if ours else ():
                with suppress(OSError):
                    self.folder.remove(name)
        return ours

    def _entry(self, key: str, sidecar: Mapping[str, Any]) -> StoredModel:
        # A use touches the sidecar, which was written right after the payload.
        folder, payload = self.folder, self._payload(key, sidecar)
        stored = folder.changed(payload)
        used = max(stored, folder.changed(f"{key}.json"))
        return StoredModel(key, sidecar["kind"], folder.size(payload), sidecar["info"], stored, used)

    def _payload(self, key: str, sidecar: Mapping[str, Any]) -> str:
        return self.folder.payload(key, sidecar["sha256"], sidecar["kind"])

    def _bytes(self, key: str) -> tuple[dict[str, Any], bytes, Sealed]:
        sidecar, sealed = self._sidecar(key)
        data = self.folder.read(self._payload(key, sidecar))
        if hashlib.sha256(data).hexdigest() != sidecar["sha256"]:
            raise ValueError(f"its {len(data)} bytes are not the {sidecar['size']} that were written")
        return sidecar, data, sealed

    def _sidecar(self, key: str) -> tuple[dict[str, Any], Sealed]:
        try:
            sidecar, sealed = unseal(json.loads(self.folder.read(f"{key}.json")), self.keys)
        except FileNotFoundError:
            if self.folder.alone and any(self.folder.holds(f"{key}.{kind}") for kind in _KINDS):
                raise ValueError("its sidecar is missing") from None
            raise Missing(key) from None
        if sidecar["schema"] != SCHEMA or sidecar["key"] != key or sidecar["kind"] not in _KINDS:
            raise ValueError("its sidecar belongs to something else")
        info = sidecar["info"]
        seconds = info.get("seconds", 0.0) if isinstance(info, dict) else None
        if not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or seconds < 0:
            raise ValueError("its sidecar does not say how long the training took")
        return sidecar, sealed

    def _check_trust(self, sealed: Sealed) -> None:
        """Raise NotSealed for what a key should vouch for and does not."""
        if (self.keys.key is not None or self.run_only) and not sealed:
            raise NotSealed(f"it is not sealed with {CACHE_KEY}")

    def _remove(self, key: str) -> None:
        """Remove an entry, sidecar first, with leftovers of writers that were killed."""
        folder = self.folder
        others = [name for name, of in self.files() if of == key and not name.endswith(".lock")]
        for name in dict.fromkeys([f"{key}.json", *(f"{key}.{kind}" for kind in _KINDS if folder.alone), *others]):
            try:
                folder.remove(name)
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
