"""Gather tool, time, command and versions, without a path of this machine."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_unlearn.core.text import without_password

LIBRARIES = ("pytest", "numpy", "scipy", "scikit-learn", "torch", "hypothesis")


def version(distribution: str) -> str | None:
    """Look up an installed distribution's version."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def own_version() -> str:
    """Look up this package's version; a source tree on the path has none."""
    return version("pytest-unlearn") or "0+unknown"


def facts(arguments: Sequence[str], root: Path) -> dict[str, Any]:
    """Gather tool, creation time, command line and versions, importing nothing."""
    return {
        "tool": {"name": "pytest-unlearn", "version": own_version()},
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": ["pytest", *(relative(argument, root) for argument in arguments)],
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            **{name: found for name in LIBRARIES if (found := version(name))},
        },
        "gate": None,
    }


def relative(argument: str, root: Path) -> str:
    """Take the root directory and the folders of other paths out of an argument."""
    inside = without_password(argument).replace(f"{root}/", "").replace(str(root), ".")
    return re.sub(r"(?<![\w.])/(?:[^/\s=:]+/)+", ".../", inside)
