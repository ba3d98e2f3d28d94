"""Hash the files of a release: SHA-256, unique names, never a digest of nothing.

What a gate releases is a file, and an audit sees a model in memory. Whoever holds the file can tell by its digest
whether a report or an attestation speaks of it. Standard library only: pytest always loads it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

_SHA256 = re.compile("[0-9a-f]{64}")
_OF_NOTHING = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class ReleaseFiles:
    """The files of a release: SHA-256 by name, and a sentence a problem."""

    digests: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, str]]:
        """List the files as JSON, in the order of their names."""
        return [{"name": name, "sha256": digest} for name, digest in sorted(self.digests.items())]


def is_digest(value: Any) -> TypeGuard[str]:
    """Tell whether a value is the SHA-256 of something, neither zeroed nor of nothing."""
    return isinstance(value, str) and bool(_SHA256.fullmatch(value)) and value.strip("0") != "" and value != _OF_NOTHING


def sha256(path: Path) -> str:
    """Hash a file.

    Raises:
        ValueError: the file is empty, or there is none.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path.name}")
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    if total.hexdigest() == _OF_NOTHING:
        raise ValueError(f"{path.name} is empty, and a digest of nothing names no release")
    return total.hexdigest()


def hash_files(files: Iterable[Any], root: Path) -> ReleaseFiles:
    """Hash files that a caller names.

    Args:
        files: paths; relative ones are below `root`.
        root: what names are relative to; a file that lies elsewhere is called by its last part.

    Raises:
        ValueError: a path that is no file, an empty file, or two files of one name.
        OSError: a file that cannot be read.
    """
    if isinstance(files, (str, bytes)):
        raise ValueError(f"files= takes a list of paths, not {files!r}.")
    digests: dict[str, str] = {}
    for file in files:
        path = root / Path(file)
        name = _name(path, root)
        if name in digests:
            raise ValueError(f"two release files are called {name}: subjects of an attestation need unique names.")
        digests[name] = sha256(path)
    return ReleaseFiles(digests)


def find_files(patterns: Sequence[str], root: Path) -> ReleaseFiles:
    """Hash the files that globs relative to `root` name; a problem is a sentence.

    A pattern that names no file is a problem, and so is a file that is empty or cannot be read.
    """
    digests: dict[str, str] = {}
    problems = []
    for pattern in patterns:
        if Path(pattern).is_absolute():
            problems.append(f"unlearn_release_files: {pattern!r} is absolute: write it relative to {root}")
            continue
        try:
            found = sorted(path for path in root.glob(pattern) if path.is_file())
            if not found:
                problems.append(f"unlearn_release_files: {pattern!r} names no file")
            digests |= {_name(path, root): sha256(path) for path in found}
        except (ValueError, NotImplementedError, IndexError) as error:
            problems.append(f"unlearn_release_files: {pattern!r}: {error}")
        except OSError as error:
            problems.append(f"unlearn_release_files: {pattern!r} cannot be read: {error.strerror or error}")
    return ReleaseFiles(digests, tuple(problems))


def merge(*found: ReleaseFiles) -> ReleaseFiles:
    """Join what several callers named; a file of two digests is a problem."""
    digests: dict[str, str] = {}
    problems = [problem for one in found for problem in one.problems]
    changed = set()
    for one in found:
        for name, digest in one.digests.items():
            if digests.setdefault(name, digest) != digest:
                changed.add(name)
    problems += [
        f"the release file {name} was changed while the tests ran: it has two digests" for name in sorted(changed)
    ]
    kept = {name: digest for name, digest in digests.items() if name not in changed}
    return ReleaseFiles(kept, tuple(dict.fromkeys(problems)))


def _name(path: Path, root: Path) -> str:
    """Name a file by its path below the root, or by its last part."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.name
