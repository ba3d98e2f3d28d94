"""Put the settings of a new suite where pytest reads them, or show them."""

from __future__ import annotations

import configparser
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.cli.console import Unusable

SECTION = "[tool.pytest.ini_options]"
OWN_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
SECTIONS = {"tox.ini": "pytest", "setup.cfg": "tool:pytest"}
VALUES: dict[str, str] = {
    "unlearn_require": '["forgotten", "utility"]  # what has to be proven before --unlearn-gate releases',
    "unlearn_max_mia_auc": "0.6  # a perfect method passes it 98 times of 100 with these 300 digits; yours: see `plan`",
    "unlearn_max_drop": "0.02  # of accuracy",
}

VALUES_OF_TEXT: dict[str, str] = {
    "unlearn_require": '["text_forgotten", "text_utility"]  # what has to be proven before --unlearn-gate releases',
    "unlearn_max_mia_auc": "0.65  # a perfect method passes it 99 times of 100 with these 150; yours: see `plan`",
    "unlearn_max_drop": "0.1  # of the probability of a token; two trainings of so small a model differ by half",
}


@dataclass(frozen=True)
class Place:
    """Hold where settings go; `taken` where pytest is configured there already."""

    file: Path
    taken: bool = False


def find(root: Path) -> Place:
    """Find where the settings of a folder's pytest stand, or may stand.

    Raises:
        Unusable: a pyproject.toml that cannot be read.
    """
    for name in OWN_FILES:
        if (root / name).is_file():
            return Place(root / name, taken=True)
    pyproject = root / "pyproject.toml"
    if pyproject.is_file() and "pytest" in _toml(pyproject).get("tool", {}):
        return Place(pyproject, taken=True)
    for name, section in SECTIONS.items():
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        if (root / name).is_file() and parser.read(root / name, encoding="utf-8") and parser.has_section(section):
            return Place(root / name, taken=True)
    return Place(pyproject)


def text(folder: str, kind: str = "") -> str:
    """Write the settings of a suite in a folder, as they stand in a pyproject.toml."""
    values = VALUES_OF_TEXT if kind == "text" else VALUES
    lines = [f'pythonpath = ["{folder}"]  # where the suite finds unlearning_recipe.py; add those of your own modules']
    return "\n".join([SECTION, *lines, *(f"{name} = {value}" for name, value in values.items())]) + "\n"


def add(place: Place, settings: str) -> None:
    """Append settings to a pyproject.toml, or make one."""
    before = place.file.read_text(encoding="utf-8") if place.file.exists() else ""
    gap = "" if not before else ("\n" if before.endswith("\n") else "\n\n")
    place.file.write_text(before + gap + settings, encoding="utf-8")


def _toml(path: Path) -> dict[str, Any]:
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest brings tomli
    try:
        found: dict[str, Any] = reader.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Unusable(f"{path} cannot be read ({error}): nothing was written") from None
    return found
