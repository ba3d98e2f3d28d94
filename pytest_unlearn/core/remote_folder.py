"""A folder of an object store, or of whatever else fsspec opens by a URL.

An object is written whole or not at all, but two of them are not written at once, and nothing there can be locked. So a
payload is named by its digest: a note always finds the payload that it was written for, whoever wrote another since.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_unlearn.core.files import acquire
from pytest_unlearn.core.text import without_password

if TYPE_CHECKING:
    from filelock import BaseFileLock

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
ENOUGH = 16  # hexadecimal digits of a payload's digest in its name
NOTED_AFTER = 24 * 60 * 60.0  # seconds after which a use is noted: a note is an object that is written once more
_PRIVATE = ("memory",)  # of one process
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")  # as file systems call the time of a change


@dataclass(frozen=True)
class RemoteFolder:
    """A folder behind a URL.

    Attributes:
        url: as fsspec takes it, without a slash at the end.
    """

    url: str
    alone = False

    def __str__(self) -> str:
        return shown(self.url)

    @property
    def shared(self) -> bool:
        """Whether it is no process's own memory."""
        return urlsplit(self.url).scheme not in _PRIVATE

    @property
    def place(self) -> str:
        """The URL."""
        return self.url

    def below(self, name: str) -> RemoteFolder:
        """Return a folder in this one."""
        return RemoteFolder(f"{self.url}/{name}")

    def prepare(self) -> None:
        """Make the folder where there are folders; an object needs none."""
        with self._reached() as (files, path):
            if not files.exists(path):
                files.makedirs(path, exist_ok=True)

    def read(self, name: str) -> bytes:
        """Read an object."""
        with self._reached(name) as (files, path):
            found: bytes = files.cat_file(path)
            return found

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:  # noqa: ARG002
        """Write an object; it lasts as long as the store says."""
        with self._reached(name) as (files, path):
            files.pipe_file(path, data)

    def remove(self, name: str) -> None:
        """Remove an object."""
        with self._reached(name) as (files, path):
            try:
                files.rm_file(path)
            except FileNotFoundError:
                return

    def names(self) -> list[str]:
        """List what lies in the folder itself."""
        with self._reached() as (files, path):
            try:
                found = files.ls(path, detail=False, refresh=True)
            except FileNotFoundError:
                return []
            return sorted({str(one).rstrip("/").rpartition("/")[2] for one in found} - {""})

    def holds(self, name: str) -> bool:
        """Tell whether there is such an object."""
        with self._reached(name) as (files, path):
            return bool(files.exists(path))

    def kind(self, name: str) -> str:
        """Name what lies in the place of an object."""
        try:
            with self._reached(name) as (files, path):
                return "a folder" if files.info(path, refresh=True).get("type") == "directory" else ""
        except FileNotFoundError:
            return ""

    def size(self, name: str) -> int:
        """Count the bytes of an object."""
        with self._reached(name) as (files, path):
            return int(files.info(path, refresh=True).get("size") or 0)

    def changed(self, name: str) -> float:
        """Return the time at which an object was written; 0 where the store does not say."""
        with self._reached(name) as (files, path):
            return _seconds(files.info(path, refresh=True))

    def note_use(self, name: str) -> None:
        """Write a note again, once a day."""
        if time.time() - self.changed(name) > NOTED_AFTER:
            self.write(name, self.read(name))

    def payload(self, stem: str, digest: str, ending: str) -> str:
        """Name it by its digest: no other writer's can take its place."""
        return f"{stem}.{digest[:ENOUGH]}.{ending}"

    def lock(self, name: str, seconds: float) -> BaseFileLock | None:
        """Keep other processes of this machine out; those of others are not kept out."""
        mine = hashlib.sha256(f"{self.url}/{name}".encode()).hexdigest()
        return acquire(_own_directory() / f"{mine}.lock", seconds)

    @contextmanager
    def _reached(self, name: str = "") -> Iterator[tuple[Any, str]]:
        """Open the file system; whatever it raises becomes an OSError."""
        try:
            files, path = _file_system(self.url)
            yield files, f"{path.rstrip('/')}/{name}" if name else path
        except OSError:
            raise
        except Exception as error:  # of the client behind it: no credentials, no connection, no package
            raise OSError(f"{self} cannot be reached: {' '.join(str(error).split())[:200]}") from error


def remote_folder(url: str) -> RemoteFolder:
    """Return the folder behind a URL, of which nothing is opened yet.

    Raises:
        ValueError: no installed package can open it, or nobody knows its kind.
    """
    scheme, told = urlsplit(url).scheme, shown(url)
    package = PACKAGES.get(scheme, "fsspec")
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise ValueError(f"the cache {told} needs `pip install {package}` ({error}).") from error
    except ValueError as error:
        raise ValueError(f"the cache {told} is of no kind that fsspec knows ({error}).") from error
    return RemoteFolder(url.rstrip("/"))


def shown(url: str) -> str:
    """Leave out of a URL what may be a secret: user, password and query."""
    parts = urlsplit(without_password(url))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec

    # What is listed has to be what is there now: other processes write as well.
    files, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return files, str(path)


def _seconds(info: Mapping[str, Any]) -> float:
    """Read the time of a change, which file systems tell in several ways."""
    found = next((info[name] for name in _TIMES if info.get(name) is not None), 0.0)
    if isinstance(found, str):
        found = datetime.datetime.fromisoformat(found.replace("Z", "+00:00"))
    return found.timestamp() if isinstance(found, datetime.datetime) else float(found)


def _own_directory() -> Path:
    """Return a directory for locks that nobody but this user can write; OSError where there is none."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    path = Path(tempfile.gettempdir()) / f"pytest-unlearn-{user}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != user):
        raise OSError(f"{path} belongs to somebody else: nothing is locked")
    return path
