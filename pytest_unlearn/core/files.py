"""Read and lock files where others may have put something else in their place.

A link may lead anywhere, and a FIFO lets its reader wait for ever: neither is opened.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

KINDS: dict[str, Callable[[int], bool]] = {
    "a link": stat.S_ISLNK,
    "a folder": stat.S_ISDIR,
    "a FIFO": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
}


def other_kind(mode: int) -> str:
    """Name what is no regular file, by its `st_mode`; a file has the empty name."""
    if stat.S_ISREG(mode):
        return ""
    return next((name for name, holds in KINDS.items() if holds(mode)), "a device")


def kind_in_place_of(path: Path) -> str:
    """Name what lies in the place of a file; nothing for a file, or nothing there."""
    try:
        return other_kind(path.lstat().st_mode)
    except FileNotFoundError:
        return ""


def read_file(path: Path) -> bytes:
    """Read a regular file, following no link and waiting for nobody.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: something else lies in its place; the sentence names it.
    """
    # Asked before it is opened, for a name that says what is wrong, and afterwards, for it may have been exchanged.
    kind = other_kind(path.lstat().st_mode)
    if not kind:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            kind = other_kind(os.fstat(file.fileno()).st_mode)
            if not kind:
                return file.read()
    raise ValueError(f"{path.name} is {kind}, not a file")


def acquire(path: Path, seconds: float) -> BaseFileLock | None:
    """Acquire the lock that a file stands for, or give up.

    Args:
        path: of the lock file, beside what it guards; its folder must be there.
        seconds: how long to wait, from 0.

    Returns:
        The lock, to be released; None if another process has held it all the time.

    Raises:
        OSError: something else lies in its place, or nothing can be written there.
        NotImplementedError: files cannot be locked there.
    """
    from filelock import FileLock, Timeout

    if kind := kind_in_place_of(path):
        raise OSError(f"{path} is {kind}, where a lock file belongs: remove it")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return None
    return lock


@contextlib.contextmanager
def alone(path: Path, seconds: float) -> Iterator[None]:
    """Keep other runs out for as long as the block runs.

    Args:
        path: of the lock file, which is gone afterwards; its folder must be there.
        seconds: how long to wait, from 0.

    Raises:
        TimeoutError: another run has held it all the time.
        OSError: something else lies in its place, or nothing can be written there.
    """
    try:
        lock = acquire(path, seconds)
    except NotImplementedError:  # a file system without locks
        yield
        return
    if lock is None:
        raise TimeoutError(f"another run has held {path} for {seconds:.0f} seconds: end it, and run this one again")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is ours: who waits opens it anew
        lock.release()
