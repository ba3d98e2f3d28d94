"""Read an audit.toml: which files hold whose outputs, and what is asked of them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pytest_unlearn.cli.console import Unusable
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.identity import DECLARED, FACTS
from pytest_unlearn.core.text import printable
from pytest_unlearn.models.file_formats import READERS
from pytest_unlearn.models.output import OutputKind
from pytest_unlearn.models.saved_files import FileColumns

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SETS = {"forget": "forget", "held_out": "controls", "test": "test"}
"""The sets of an audit.toml, and what views of them are called."""
CLAIMS = tuple(name for name, spec in TABLE.items() if spec.by_outputs)
"""What can be judged by outputs alone."""
DEFAULT = tuple(name for name in CLAIMS if (step := TABLE[name].steps.get("quick")) and step.required)
"""What has to be proven where nothing else is said: what the quick policy requires."""
LIMITS = {TABLE[name].limit.setting: name for name in CLAIMS}
RULES = ("confidence", "max_share_left", "require_controls")
KINDS = ("logits", "probabilities", "log-probabilities")
KEYS = ("released", "original", "retrained", "labels", "columns", "output_kind", "match", "train_size", *RULES,
        "require", "limits", "release_files", "report", *FACTS, *DECLARED)  # fmt: skip
REPORT = ".unlearn/report"
# What else people call it.
MEANT = {
    "model": "released", "unlearned": "released", "references": "retrained", "reference": "retrained",
    "controls": "held_out", "nonmembers": "held_out", "holdout": "held_out", "baseline": "original",
    "threshold": "limits", "limit": "limits", "claims": "require", "gate": "require", "report_dir": "report",
    "files": "release_files", "kind": "output_kind", "outputs": "columns", "policy": "require",
}  # fmt: skip
Files = Mapping[str, Path]
"""Paths by set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesAudit:
    """What an audit.toml says; paths are absolute, and `file` is its own.

    `rules` are settings of audits, `require` the claims that have to be proven, `facts` say whose run it is.
    """

    file: Path
    released: Files
    original: Files | None
    retrained: tuple[Files, ...]
    labels: Files = field(default_factory=dict)
    columns: FileColumns = field(default_factory=FileColumns)
    output_kind: OutputKind | None = None
    match: str | None = "class"
    train_size: int | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    require: tuple[str, ...] = DEFAULT
    release_files: tuple[str, ...] = ()
    report: Path = Path(REPORT)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """What relative paths are relative to."""
        return self.file.parent

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that are judged: those required, and those that a limit is given for."""
        asked = {*self.require, *(LIMITS[name] for name in self.rules if name in LIMITS)}
        return tuple(name for name in CLAIMS if name in asked)

    @property
    def require_controls(self) -> bool:
        """Whether a missing control withholds PASS."""
        return bool(self.rules.get("require_controls", settings.TABLE["require_controls"].default))

    def models(self) -> dict[str, Files]:
        """Return the files of each model by its name, references numbered as in reports."""
        named = {f"retrained {k}": files for k, files in enumerate(self.retrained)}
        return {**({"original": self.original} if self.original else {}), **named, "released": self.released}

    def shown(self, path: Path) -> str:
        """Write a path as a report names it: relative to the audit.toml if below it."""
        return printable(path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name)


def read(path: Path) -> FilesAudit:
    """Read an audit.toml.

    Raises:
        Unusable: it cannot be read, or says what an audit cannot do; one sentence.
    """
    path = path.absolute()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Unusable(f"there is no file {path.name} in {path.parent}") from None
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{path.name} is no TOML: {error}") from None
    try:
        return _audit(path, given)
    except ValueError as error:
        raise Unusable(f"{path.name}: {error}") from None


def _audit(path: Path, given: Mapping[str, Any]) -> FilesAudit:
    _check_keys(given, KEYS, "")
    root = path.parent
    retrained = _references(given.get("retrained"), root)
    rules = _rules(given)
    original = None if "original" not in given else _sets("original", given["original"], root)
    if original is None and rules.get("require_controls") is not False:
        raise ValueError(
            "original is missing: name the outputs of the model that was trained on everything, or nothing shows that "
            "an attack works here (require_controls = false does without it, and the report says so)."
        )
    if "released" not in given:
        raise ValueError("released is missing: name the outputs of the model that is to be released.")
    released, require = _sets("released", given["released"], root), _claims(given.get("require", DEFAULT))
    beside = [("original", original)] if original is not None else []
    if original is None or any(TABLE[name].by_outputs == "retrained" for name in require):
        beside += [(f"retrained {k}", files) for k, files in enumerate(retrained)]
    for name, files in beside:
        if "test" in released and "test" not in files:
            raise ValueError(f"released names outputs on test rows, and {name} does not: add them, or take these away.")
    return FilesAudit(
        file=path,
        released=released,
        original=original,
        retrained=retrained,
        labels={} if "labels" not in given else _sets("labels", given["labels"], root, needs=()),
        columns=FileColumns.of(_table("columns", given.get("columns", {}))),
        output_kind=cast("OutputKind | None", _one_of("output_kind", given.get("output_kind"), KINDS)),
        match=None if _one_of("match", given.get("match", "class"), ("class", "none")) == "none" else "class",
        train_size=_size(given.get("train_size")),
        rules=rules,
        require=require,
        release_files=_texts("release_files", given.get("release_files", ())),
        facts={
            name: settings.TABLE[name].parse(_text(name, given[name])) for name in (*FACTS, *DECLARED) if name in given
        },
        report=root / _text("report", given.get("report", REPORT)),
    )


def _check_keys(given: Mapping[str, Any], known: Iterable[str], table: str) -> None:
    """Raise ValueError for a key that nobody knows, with the nearest that is known."""
    where = f" in {table}" if table else ""
    known = tuple(known)
    for key in given:
        if key in known:
            continue
        meant = MEANT.get(key, "")
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        if table and key in KEYS:
            hint = f"it belongs at the top of the file, above the first [table]: write it before [{table}]"
        elif key in LIMITS and not table:
            hint = "it belongs in the table [limits]"
        elif meant in known:
            hint = f"what you mean is called {meant}"
        elif near:
            hint = f"the nearest is {near[0]}"
        else:
            hint = f"there are {', '.join(known)}"
        raise ValueError(f"{printable(key)} is no key{where}; {hint}.")


def _references(given: Any, root: Path) -> tuple[Files, ...]:
    listed = given if isinstance(given, list) else [] if given is None else [given]
    found: list[Any] = []
    for one in listed:
        if isinstance(one, str) and "*" in one:
            folders = sorted(path for path in root.glob(one) if path.is_dir())
            if not folders:
                raise ValueError(f"retrained = {one!r} names no folder.")
            found += [str(folder.relative_to(root)) for folder in folders]
        else:
            found.append(one)
    if not found:
        raise ValueError(
            "retrained is missing: name the outputs of at least one model, better two, trained as the original was but "
            "without the rows to be forgotten. Only a test that has the inputs can do without any."
        )
    return tuple(_sets(f"retrained {k}", one, root) for k, one in enumerate(found))


def _sets(name: str, given: Any, root: Path, needs: Iterable[str] = ("forget", "held_out")) -> Files:
    """Find the files of a model: named one by one, or lying in a folder under the names of the sets."""
    if isinstance(given, str):
        found = _in_folder(name, root / _text(name, given), given)
    elif isinstance(given, Mapping):
        _check_keys(given, SETS, name)
        found = {part: root / _text(f"{part} of {name}", value) for part, value in given.items()}
    else:
        raise ValueError(f"{name} is a folder, or names a file for forget and for held_out; not {given!r}.")
    for part in needs:
        if part not in found:
            raise ValueError(
                f"{name} names no outputs on the {part} rows: "
                + (
                    "those that are to be forgotten."
                    if part == "forget"
                    else "examples like those to be forgotten, on which no model was trained."
                )
            )
    return found


def _in_folder(name: str, folder: Path, given: str) -> dict[str, Path]:
    if folder.is_file():
        raise ValueError(
            f"{name} = {given!r} is one file, and there are two sets: write {name} = {{forget = ..., held_out = ...}}, "
            "or name a folder that holds forget.npz and held_out.npz."
        )
    if not folder.is_dir():
        raise ValueError(f"{name} = {given!r}: there is no such folder.")
    found: dict[str, Path] = {}
    for part in SETS:
        there = sorted(path for path in folder.glob(f"{part}.*") if path.suffix.lower() in READERS)
        if len(there) > 1:
            raise ValueError(f"{given} holds {' and '.join(path.name for path in there)}: keep one file a set.")
        if there:
            found[part] = there[0]
    if not found:
        raise ValueError(f"{given} holds no file forget, held_out or test (.npz, .npy, .csv or .parquet).")
    return found


def _rules(given: Mapping[str, Any]) -> dict[str, Any]:
    limits = _table("limits", given.get("limits", {}))
    _check_keys(limits, LIMITS, "limits")
    chosen = {**limits, **{name: given[name] for name in RULES if name in given}}
    for name, value in chosen.items():
        if settings.TABLE[name].kind is not bool and not (isinstance(value, (int, float)) and type(value) is not bool):
            raise ValueError(f"{name} is a number, not {value!r}.")
        if settings.TABLE[name].kind is bool and not isinstance(value, bool):
            raise ValueError(f"{name} is true or false, not {value!r}.")
    return {name: settings.TABLE[name].parse(value) for name, value in chosen.items()}


def _claims(given: Any) -> tuple[str, ...]:
    names = _texts("require", given)
    for name in names:
        if name not in CLAIMS:
            why = "takes models that can be asked, or trained" if name in TABLE else "is no claim"
            near = difflib.get_close_matches(name, CLAIMS, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise ValueError(f"require: {name} {why}; by files can be judged {', '.join(CLAIMS)}{hint}.")
    if not names:
        raise ValueError("require names no claim, so that nothing would be proven.")
    return tuple(dict.fromkeys(names))


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is a table: write [{name}] with its keys below, not {name} = {given!r}.")
    return given


def _texts(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, (list, tuple)):
        raise ValueError(f'{name} is a list: write {name} = ["..."], not {given!r}.')
    return tuple(_text(name, one) for one in given)


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise ValueError(f"{name} is a name in quotes, not {given!r}.")
    return given


def _one_of(name: str, given: Any, allowed: tuple[str, ...]) -> str | None:
    if given is not None and given not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, not {given!r}.")
    return given if given is None else str(given)


def _size(given: Any) -> int | None:
    if given is not None and (type(given) is not int or given < 1):
        raise ValueError(f"train_size is how many examples the original was trained on, not {given!r}.")
    return given if given is None else int(given)
