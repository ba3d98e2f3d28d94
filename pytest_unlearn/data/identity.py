"""Let a key, ids or files stand for data, so that they need not be read again.

What was read once is remembered under it: digests and labels, no inputs. Nobody but the caller knows whether the data
are still those; the audits compare every example that they read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.core.array_memory import DATA, ArrayMemory
from pytest_unlearn.core.cache_place import cache_folder
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.folders import Place
from pytest_unlearn.data.class_names import Names
from pytest_unlearn.data.row_digests import DigestArray

SCHEMA = "pytest-unlearn data 1"
PARTS = ("train", "test", "controls")
FILES = "files"


@dataclass(frozen=True)
class Remembered:
    """Hold what was read of examples: digests, labels, names of classes, shape."""

    contents: DigestArray
    exact: DigestArray
    labels: IntArray
    names: Names | None
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class DataMemory:
    """Remember one part of the data under a key."""

    arrays: ArrayMemory
    key: str

    def load(self, count: int) -> Remembered | None:
        """Return what was remembered of so many examples; None if nothing can be taken."""
        found = self.arrays.load(self.key)
        if found is None:
            return None
        note, arrays = found
        known = Remembered(
            arrays["contents"],
            arrays["exact"],
            arrays["labels"],
            None if note["names"] is None else tuple(note["names"]),
            None if note["shape"] is None else tuple(note["shape"]),
        )
        return known if all(part.shape == (count,) for part in (known.contents, known.exact, known.labels)) else None

    def save(self, found: Remembered) -> None:
        """Remember; where nothing can be written, the next process reads the data again."""
        arrays = {"contents": found.contents, "exact": found.exact, "labels": found.labels}
        self.arrays.save(self.key, {"names": found.names, "shape": found.shape}, arrays)


def memories(identity: Any, sources: Mapping[str, Any], cache_dir: Place | None) -> dict[str, DataMemory]:
    """Return where each part is remembered that an identity stands for.

    Args:
        identity: a text that stands for all parts; one id an example of train; "files", for datasets with a list
            `samples` of (path, class); or a mapping of "train", "test" and "controls" to one of these.
        sources: each part as it was given.
        cache_dir: the folder of the cache, or its URL; the setting `cache` by default.

    Raises:
        TypeError: it is none of these.
        ValueError: not one id an example, a part that is not there, "files" of what has none, or a URL that nothing
            here can open.
    """
    if identity is None:
        return {}
    if isinstance(identity, str):
        wanted = {name: identity for name in sources if identity != FILES or _samples(sources[name]) is not None}
    elif isinstance(identity, Mapping):
        wanted = dict(identity)
    else:
        wanted = {"train": identity}
    unknown = [name for name in wanted if name not in sources]
    if unknown:
        raise ValueError(f"identity names {unknown[0]!r}, and the parts are {', '.join(sources)}: name one of these.")
    if not wanted:
        raise ValueError(
            'identity="files" is for datasets that list their files as `samples`, pairs of path and class, as '
            "ImageFolder does: pass a key, or one id an example."
        )
    directory = cache_folder(cache_dir).below(DATA).place
    return {name: DataMemory(ArrayMemory(directory), _key(name, what, sources[name])) for name, what in wanted.items()}


def file_ids(paths: Sequence[Any]) -> list[str]:
    """Return path, size and time of change of each file; each folder is listed once.

    Raises:
        ValueError: one of them is not there.
    """
    names = [os.fspath(path) for path in paths]
    folders = {os.path.dirname(name) for name in names}
    facts: dict[str, str] = {}
    for folder in folders:
        with os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                if entry.is_file():
                    there = entry.stat()
                    facts[os.path.join(folder, entry.name)] = f"{there.st_size} {there.st_mtime_ns}"
    missing = next((name for name in names if name not in facts), None)
    if missing is not None:
        raise ValueError(f"there is no file {missing!r}, which the dataset lists: list its files again.")
    return [f"{name} {facts[name]}" for name in names]


def _key(name: str, identity: Any, source: Any) -> str:
    state = hashlib.sha256(repr((SCHEMA, name, type(source).__qualname__)).encode())
    for part in _parts(name, identity, source):
        state.update(len(part).to_bytes(8, "little") + part)
    return state.hexdigest()


def _parts(name: str, identity: Any, source: Any) -> list[bytes]:
    if isinstance(identity, str) and identity == FILES:
        samples = _samples(source)
        if samples is None:
            raise ValueError(f'identity="files", and {name} lists no files as `samples`: pass a key, or ids.')
        ids = file_ids([path for path, _ in samples])
        labelled = (f"{label} {one}" for one, (_, label) in zip(ids, samples, strict=True))
        return [b"files", *(one.encode(errors="surrogatepass") for one in labelled)]
    if isinstance(identity, str):
        if not identity.strip():
            raise ValueError("identity is empty: name the data and their version, such as 'scans of 2026-11'.")
        return [b"key", identity.encode(errors="surrogatepass")]
    if isinstance(identity, bytes) or not hasattr(identity, "__len__"):
        raise TypeError(f'identity is a text, one id an example, "files" or a mapping of parts, not {identity!r}.')
    ids = identity.tolist() if hasattr(identity, "tolist") else list(identity)
    count = len(source[1]) if isinstance(source, tuple) and len(source) == 2 else len(source)
    if len(ids) != count:
        raise ValueError(f"identity has {len(ids)} ids for the {count} examples of {name}: give one an example.")
    if len(set(ids)) != len(ids):
        raise ValueError(f"identity gives some examples of {name} the same id: give each its own.")
    return [b"ids", *(repr(one).encode(errors="surrogatepass") for one in ids)]


def _samples(source: Any) -> list[Any] | None:
    """Return the files behind a dataset, or a subset of one, with their classes."""
    indices, base = getattr(source, "indices", None), getattr(source, "dataset", None)
    if indices is not None and base is not None:
        samples = _samples(base)
        return None if samples is None else [samples[int(index)] for index in indices]
    samples = getattr(source, "samples", None)
    good = isinstance(samples, list) and len(samples) > 0 and isinstance(samples[0], tuple) and len(samples[0]) == 2
    return samples if good else None
