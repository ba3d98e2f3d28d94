"""Write the stubs of both packages from their tables: `python -m tools.public_names`.

Editors and type checkers cannot follow names that are loaded when they are used. An assertion takes what its audit
takes, so that the stub says that the one is the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest_unlearn
import unlearners
from pytest_unlearn.core.claim_table import TABLE

STUB, UNLEARNERS_STUB = (Path(package.__file__).with_suffix(".pyi") for package in (pytest_unlearn, unlearners))
HEAD = "# Made by `python -m tools.public_names`; a test compares.\n"


def stub() -> str:
    """Make the text of the auditor's stub."""
    assertions = {f"assert_{name}": f"audit_{name}" for name in TABLE}
    homes = {name: home for name, home in pytest_unlearn._homes().items() if name not in assertions}
    return _text(
        homes, "__version__: str", *(f"{assertion} = {audit}" for assertion, audit in sorted(assertions.items()))
    )


def unlearners_stub() -> str:
    """Make the text of the stub of the reference methods."""
    return _text({name: f"unlearners.{home.rpartition('.')[0]}" for name, home in unlearners._HOMES.items()})


def _text(homes: Mapping[str, str], *more: str) -> str:
    """Import each name from its module, and declare the rest."""
    lines = [
        f"from {home} import {name} as {name}" for home, name in sorted((home, name) for name, home in homes.items())
    ]
    return HEAD + "\n".join(["", *lines, "", "__all__: list[str]", *more]) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    UNLEARNERS_STUB.write_text(unlearners_stub(), encoding="utf-8")
