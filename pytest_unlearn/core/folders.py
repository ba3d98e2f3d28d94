"""Folders that a cache lies in: a directory, or a URL of an object store.

Whoever can write there may have put anything in the place of a file: nothing but files is read.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from pytest_unlearn.core.files import acquire, kind_in_place_of, read_file

if TYPE_CHECKING:
    from filelock import BaseFileLock

Place = str | Path
"""Where a cache lies: the path of a folder, or a URL as fsspec takes it."""

OWN_FOLDER = ".unlearn"  # what this package makes in a project, and git ignores
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOST_SLASH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_LOCAL = ("file", "local")


class Folder(Protocol):
    """Hold files by name."""

    @property
    def shared(self) -> bool:
        """Whether other processes find the same files there, on whatever machine they are."""

    @property
    def alone(self) -> bool:
        """Whether who holds a lock there is the only one who writes."""

    @property
    def place(self) -> Place:
        """What `folder_of` makes this folder from."""

    def below(self, name: str) -> Folder:
        """Return a folder in this one."""

    def prepare(self) -> None:
        """Make the folder, if it has to be made; OSError where that cannot be."""

    def read(self, name: str) -> bytes:
        """Read a file; FileNotFoundError, or ValueError for something else in its place."""

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Write a file so that others find it whole or not at all; OSError.

        Args:
            name: of the file.
            data: what it is to hold.
            durable: whether it has to be there after a power cut as well.
        """

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; OSError where that cannot be."""

    def names(self) -> list[str]:
        """List what lies in the folder, in order; nothing where there is none."""

    def holds(self, name: str) -> bool:
        """Tell whether anything of this name is there."""

    def kind(self, name: str) -> str:
        """Name what lies in the place of a file; empty for a file, or nothing."""

    def size(self, name: str) -> int:
        """Count the bytes of a file; OSError where there is none."""

    def changed(self, name: str) -> float:
        """Say when a file was written or noted as used, in seconds since 1970."""

    def note_use(self, name: str) -> None:
        """Note that a file was used; OSError where nothing can be noted."""

    def payload(self, stem: str, digest: str, ending: str) -> str:
        """Name the file of data that a note of the name `stem` speaks of.

        Args:
            stem: of the note.
            digest: of the data.
            ending: of the name.
        """

    def lock(self, name: str, seconds: float) -> BaseFileLock | None:
        """Acquire a lock of this name; see `acquire`."""


@dataclass(frozen=True)
class LocalFolder:
    """A directory of this machine.

    Attributes:
        path: the directory, which is made when the first file is written.
    """

    path: Path
    shared = alone = True

    def __str__(self) -> str:
        return str(self.path)

    @property
    def place(self) -> Place:
        """The path."""
        return self.path

    def below(self, name: str) -> LocalFolder:
        """Return a folder in this one."""
        return LocalFolder(self.path / name)

    def prepare(self) -> None:
        """Make the directory, and have git ignore what this package makes."""
        self.path.mkdir(parents=True, exist_ok=True)
        for parent in (self.path.parent, self.path.parent.parent):
            if parent.name == OWN_FOLDER and not os.path.lexists(parent / ".gitignore"):
                (parent / ".gitignore").write_text("*\n")

    def read(self, name: str) -> bytes:
        """Read a regular file, following no link."""
        return read_file(self.path / name)

    def write(self, name: str, data: bytes, *, durable: bool = False) -> None:
        """Write a file beside its place, and move it there."""
        prefix = f".{name.partition('.')[0]}."
        descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=self.path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        """Remove a file or a link."""
        (self.path / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """List what lies in the directory."""
        return sorted(path.name for path in self.path.glob("*"))

    def holds(self, name: str) -> bool:
        """Tell whether anything of this name is there, broken links included."""
        return os.path.lexists(self.path / name)

    def kind(self, name: str) -> str:
        """Name what lies in the place of a file."""
        return kind_in_place_of(self.path / name)

    def size(self, name: str) -> int:
        """Count the bytes of a file, or of the link in its place."""
        return (self.path / name).lstat().st_size

    def changed(self, name: str) -> float:
        """Return the time of the last change."""
        return (self.path / name).stat().st_mtime

    def note_use(self, name: str) -> None:
        """Set the time of the last change to now."""
        os.utime(self.path / name)

    def payload(self, stem: str, digest: str, ending: str) -> str:  # noqa: ARG002
        """Name it as the note: a lock keeps two writers apart."""
        return f"{stem}.{ending}"

    def lock(self, name: str, seconds: float) -> BaseFileLock | None:
        """Acquire a lock file in the directory."""
        return acquire(self.path / name, seconds)


def is_url(place: Place) -> bool:
    """Tell whether a place is a URL."""
    return isinstance(place, str) and bool(_URL.match(place))


def folder_of(place: Place) -> Folder:
    """Return the folder of a path or a URL; nothing is opened or made.

    Raises:
        ValueError: a URL that no installed package can open, or one that was made a path.
    """
    if not is_url(place):
        if "::" in str(place) and "://" in str(place):
            raise ValueError("a chain of file systems is no place for a cache: pass the URL of the store itself.")
        if _LOST_SLASH.match(str(place)) and isinstance(place, Path):
            raise ValueError(f"{str(place)!r} was a URL before it was made a path: pass it as text.")
        return LocalFolder(Path(place))
    url = str(place)
    if urlsplit(url).scheme in _LOCAL:
        return LocalFolder(Path(unquote(urlsplit(url).path)))
    from pytest_unlearn.core.remote_folder import remote_folder

    return remote_folder(url)
