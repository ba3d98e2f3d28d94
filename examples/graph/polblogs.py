"""Read the political blogs of 2004 and the links between them, from the file in Debian's package of graph-tool.

Adamic and Glance 2005, "The political blogosphere and the 2004 U.S. election". The package is fetched and one file
taken out of it; it is not installed, and nothing of it is committed.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "python3-graph-tool"
INSIDE = "usr/lib/python3/dist-packages/graph_tool/collection/polblogs.gt.gz"
COPY = Path(__file__).parents[2] / ".unlearn/data/polblogs.gt.gz"
MAGIC = b"\xe2\x9b\xbe gt"
SIDE = "value"  # the vertices' property: 0 is left or liberal, 1 is right or conservative
NUMBERS = {0: "u1", 1: "i2", 2: "i4", 3: "i8", 4: "f8"}  # kinds of values in the format, by their code
TEXT = 6


@dataclass(frozen=True, eq=False)
class Blogs:
    """Hold blogs that link or are linked to, without direction.

    Attributes:
        links: shape (2, links), each pair of blogs once, the lower number first.
        sides: shape (blogs,), 0 or 1.
    """

    links: np.ndarray[Any, np.dtype[np.int64]]
    sides: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.sides)

    @property
    def degrees(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Count the links of each blog."""
        return np.bincount(self.links.ravel(), minlength=len(self))


@cache
def polblogs() -> Blogs:
    """Read the blogs that have a link: 1,224 of 1,490, with 16,715 links."""
    return read(COPY if COPY.exists() else _fetch())


def read(path: Path) -> Blogs:
    """Read a graph in graph-tool's binary format, dropping directions, doubles, loops and blogs without a link."""
    sides, pairs = _Reader(gzip.decompress(path.read_bytes())).graph(SIDE)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    linked = np.unique(pairs)
    return Blogs(links=np.searchsorted(linked, pairs.T), sides=sides[linked].astype(np.int64))


class _Reader:
    """Read graph-tool's format from its start: https://graph-tool.skewed.de/static/doc/gt_format.html."""

    def __init__(self, content: bytes) -> None:
        if content[: len(MAGIC)] != MAGIC:
            raise ValueError("this is not a graph in graph-tool's binary format.")
        self.content, self.at = content, len(MAGIC) + 2  # behind it: the version, and the order of bytes
        self.order = ">" if content[len(MAGIC) + 1] else "<"

    def graph(self, wanted: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return a property of the vertices and the (from, to) pairs."""
        self.text()  # a comment
        self.numbers("u1", 1)  # whether links have a direction
        count = self.number("u8")
        size = next(kind for kind in ("u1", "u2", "u4", "u8") if count <= np.iinfo(kind).max)
        ahead = [self.numbers(size, self.number("u8")) for _ in range(count)]
        pairs = np.stack([np.repeat(np.arange(count), [len(each) for each in ahead]), np.concatenate(ahead)], axis=1)
        for _ in range(self.number("u8")):
            owner, name = self.number("u1"), self.text()
            values = self.values((1, count, len(pairs))[owner])
            if owner == 1 and name == wanted:
                return np.asarray(values), pairs.astype(np.int64)
        raise ValueError(f"the graph's vertices have no property {wanted!r}.")

    def values(self, count: int) -> Any:
        kind = self.number("u1")
        if kind in NUMBERS:
            return self.numbers(NUMBERS[kind], count)
        if kind == TEXT:
            return [self.text() for _ in range(count)]
        if kind - 7 in NUMBERS:  # a list of numbers for each
            return [self.numbers(NUMBERS[kind - 7], self.number("u8")) for _ in range(count)]
        raise ValueError(f"properties of kind {kind} are not read here.")

    def number(self, kind: str) -> int:
        return int(self.numbers(kind, 1)[0])

    def numbers(self, kind: str, count: int) -> np.ndarray[Any, Any]:
        found = np.frombuffer(self.content, dtype=self.order + kind, count=count, offset=self.at)
        self.at += found.nbytes
        return found

    def text(self) -> str:
        length = self.number("u8")
        self.at += length
        return self.content[self.at - length : self.at].decode("utf-8", "replace")


def _fetch() -> Path:
    """Take the one file out of Debian's package, 45 MB to fetch, and keep it."""
    by_hand = f"`apt-get download {PACKAGE}`, `dpkg-deb -x {PACKAGE}_*.deb .`, and copy {INSIDE} to {COPY}"
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise FileNotFoundError(f"the graph is in a package of Debian, which is not here; on a Debian: {by_hand}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["apt-get", "download", "-qq", PACKAGE], cwd=folder, check=True, capture_output=True)
            subprocess.run(["dpkg-deb", "-x", next(Path(folder).glob("*.deb")), folder], check=True)
        except (subprocess.CalledProcessError, StopIteration) as error:
            raise FileNotFoundError(f"the package could not be fetched: {by_hand}.") from error
        COPY.parent.mkdir(parents=True, exist_ok=True)
        part = COPY.with_suffix(f".{os.getpid()}")  # others may be fetching it as well
        shutil.copyfile(Path(folder) / INSIDE, part)
        part.replace(COPY)
    return COPY
