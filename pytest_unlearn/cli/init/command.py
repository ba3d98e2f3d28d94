"""`init`: write a conftest.py, a recipe, tests and settings that run at once."""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_unlearn.cli.console import FINE, Unusable, say
from pytest_unlearn.cli.init import settings

KINDS = {
    "torch": "a torch network",
    "sklearn": "a scikit-learn classifier",
    "text": "a language model",
    "files": "nothing but files of what models answered",
}
TESTS = ("conftest.py", "unlearning_recipe.py", "test_release.py")
SUITES = {
    "torch": TESTS,
    "sklearn": TESTS,
    "text": (*TESTS, "docstrings.py"),
    "files": ("audit.toml", "make_outputs.py"),
}
NEXT = """
Try it:
  python -m pytest {folder} --unlearn-gate    # passes: the model was retrained without {without}
Then make it yours: the recipe in {recipe}, data and method in {conftest}.
See it block: let `unlearned_model(original_model)` in {conftest} return `original_model`, which knows the request."""

NEXT_FOR_FILES = """
Try it:
  python {make}    # trains six forests on digits, and writes what they answer
  python -m pytest_unlearn files {audit}    # releases: the model was retrained without the 300 digits
Then write your own files in their place, and name them in {audit}.
See it block: let {make} train `released` on everything, as the original was."""


def add(commands: Any) -> None:
    """Add `init` to the command line."""
    command = commands.add_parser(
        "init",
        help="write a suite that runs at once, to be replaced by your own data and model",
        description="Write conftest.py, unlearning_recipe.py and test_release.py into a folder, and settings into "
        "pyproject.toml: an audit of a release on scikit-learn's digits, or of a small language model on docstrings, "
        "that runs at once and is easy to replace. "
        "Nothing is ever overwritten; where pytest is configured already, the settings are printed instead. With "
        "--files: audit.toml and a script that makes the files it names.",
        epilog="Exit status: 0 written; 2 something is in the way, and nothing was written.",
        allow_abbrev=False,
    )
    kinds = command.add_mutually_exclusive_group()
    for kind, about in KINDS.items():
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=f"for {about}")
    command.add_argument("folder", type=Path, nargs="?", default=Path(), help="where (default: here)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the suite of a kind, or say what is in the way."""
    kind, folder = options.kind or ask(), options.folder
    files = suite(kind)
    root = Path() if folder.absolute().is_relative_to(Path().absolute()) else folder
    if folder.exists() and not folder.is_dir():
        raise Unusable(f"{folder} is a file: name a folder")
    in_the_way = [name for name in files if (folder / name).exists()]
    if in_the_way:
        verb = "is" if len(in_the_way) == 1 else "are"
        raise Unusable(
            f"{', '.join(in_the_way)} {verb} in {where(folder)} already, and nothing was written: name another folder"
        )
    place = settings.find(root) if kind != "files" else None
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(text)
    say(f"wrote {', '.join(str(folder / name) for name in files)}")
    if place is None:
        print(NEXT_FOR_FILES.format(make=folder / "make_outputs.py", audit=folder / "audit.toml"))
        return FINE
    inside = folder.absolute().relative_to(root.absolute()).as_posix()
    if place.taken:
        say(f"{place.file} configures pytest already; add this to it (as a pyproject.toml would have it):")
        print(settings.text(inside, kind))
    else:
        settings.add(place, settings.text(inside, kind))
        say(f"wrote settings to {place.file}")
    without = "the 150 docstrings" if kind == "text" else "the 300 digits"
    named = {"recipe": folder / "unlearning_recipe.py", "conftest": folder / "conftest.py"}
    print(NEXT.format(folder=folder, without=without, **named))
    return FINE


def suite(kind: str) -> dict[str, str]:
    """Read the files of a kind of suite, by name."""
    templates = resources.files(__package__) / "templates"
    found = ((name, (templates / kind / f"{name}.txt", templates / f"{name}.txt")) for name in SUITES[kind])
    return {
        name: next(place for place in places if place.is_file()).read_text(encoding="utf-8") for name, places in found
    }


def ask() -> str:
    """Ask for the kind of model, where somebody can answer.

    Raises:
        Unusable: nobody can, or the answer is no kind.
    """
    choices = ", ".join(f"--{kind}" for kind in KINDS)
    if not sys.stdin.isatty():
        raise Unusable(f"say which kind of model it is about: {choices}")
    for number, about in enumerate(KINDS.values(), start=1):
        print(f"  {number}  {about}")
    answer = input("What is audited? ").strip().lower()
    kinds = {**{str(number): kind for number, kind in enumerate(KINDS, start=1)}, **{kind: kind for kind in KINDS}}
    if answer not in kinds:
        raise Unusable(f"{answer!r} is none of these: answer with a number, or call it with {choices}")
    return kinds[answer]


def where(folder: Path) -> str:
    """Name a folder."""
    return "this folder" if folder == Path() else str(folder)
