"""Ways to run less than everything that leave no trace among the deselected tests, a sentence each."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import Path

import pytest

WORDS = (b"pytest_unlearn", b"unlearned_model", b"mark.unlearn")
FLAGS = {
    "lf": "--last-failed was given",  # skips whole files before they are collected
    "setuponly": "--setup-only or --setup-plan was given, so that no test was called",
    "ignore_glob": "--ignore-glob was given",
}
SELECTING = ("testpaths", "norecursedirs", "python_files", "python_classes", "python_functions")


def narrowed(config: pytest.Config) -> list[str]:
    """What on the command line may have kept audits from being collected or run."""
    reasons = [reason for option, reason in FLAGS.items() if config.getoption(option, None)]
    if any("::" in str(argument) for argument in config.args):
        reasons.append("node ids were given")
    given = {str(text).partition("=")[0].strip() for text in config.getoption("override_ini", None) or ()}
    reasons += [f"-o {name} was given" for name in SELECTING if name in given]
    ignored = [_absolute(config, path) for path in config.getoption("ignore", None) or ()]
    return reasons + [f"--ignore left out {shown(config, path)}" for path in ignored if _missed(config, path)]


def speaks_of_audits(path: Path) -> bool:
    """Whether a file names this package, its marker or the model it judges."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return any(word in text for word in WORDS)


def shown(config: pytest.Config, path: Path) -> str:
    """A path as a report may show it: relative to the root directory, or its name alone."""
    return path.relative_to(config.rootpath).as_posix() if config.rootpath in path.parents else path.name


def _missed(config: pytest.Config, ignored: Path) -> bool:
    """Whether an ignored path lies where tests are looked for and holds a test file that speaks of audits."""
    places = [_absolute(config, str(argument)) for argument in config.args]
    apart = not any(place == ignored or place in ignored.parents or ignored in place.parents for place in places)
    if apart and not config.getoption("pyargs", False):
        return False
    return any(speaks_of_audits(path) for path in _tests(config, ignored))


def _tests(config: pytest.Config, path: Path) -> Iterator[Path]:
    """The test files that would have been collected from here."""
    if path.is_file():
        yield path
    elif path.is_dir() and not _never_entered(config, path):
        for child in sorted(path.iterdir()):
            if child.is_dir() or any(fnmatch.fnmatch(child.name, glob) for glob in config.getini("python_files")):
                yield from _tests(config, child)


def _never_entered(config: pytest.Config, directory: Path) -> bool:
    hidden = any(fnmatch.fnmatch(directory.name, glob) for glob in config.getini("norecursedirs"))
    return hidden or directory.is_symlink() or (directory / "pyvenv.cfg").is_file()


def _absolute(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve()
