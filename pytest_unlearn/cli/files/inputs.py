"""Load the outputs that an audit.toml names, align them, refuse what deceives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pytest_unlearn.cli.files.config import SETS, FilesAudit
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.unseen import UnseenExamples
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs
from pytest_unlearn.models.output import as_logits
from pytest_unlearn.models.saved_alignment import examples_of
from pytest_unlearn.models.saved_files import SavedRows, check_columns, read_saved, some

ALIKE = 1e-6  # probabilities of one model, stored twice, differ by no more
ROUNDED = 4  # decimals: of answers that have no more, equal ones need not be about one example
SAVED = {part: name for name, part in SETS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesInputs:
    """The models and examples of an audit, aligned, and the files they are of."""

    released: SavedOutputs
    original: SavedOutputs | None
    retrained: tuple[SavedOutputs, ...]
    views: Mapping[str, View]
    files: tuple[dict[str, str], ...]


def load(audit: FilesAudit) -> FilesInputs:
    """Read every file once, align them, and check that they can be judged.

    Raises:
        ValueError: one sentence that names files, ids, and what to do.
    """
    read = {
        model: {
            SETS[part]: read_saved(path, name=audit.shown(path), columns=audit.columns, output_kind=audit.output_kind)
            for part, path in files.items()
        }
        for model, files in audit.models().items()
    }
    labels = {
        SETS[part]: read_saved(path, name=audit.shown(path), columns=audit.columns, outputs=False)
        for part, path in audit.labels.items()
    }
    everything = [one for files in (*read.values(), labels) for one in files.values()]
    check_columns(audit.columns, everything)
    _check_kinds([one for one in everything if one.outputs is not None])
    _check_same_file(read)
    models = {name: SavedOutputs.of_files(files) for name, files in read.items()}
    views = {}
    for part in SETS.values():
        files = [read[name][part] for name in read if part in read[name]]
        if part in read["released"]:
            known = [labels[part]] if part in labels else []
            examples = examples_of(part, [*known, *files], called=SAVED[part], train_size=audit.train_size)
            views[part] = View(part, examples, np.arange(len(examples), dtype=np.int64))
    rows = {
        part: {name: models[name].rows(view) for name in read if part in read[name]} for part, view in views.items()
    }
    _check_same_answers(rows["forget"], rows["controls"], read)
    for part in ("controls", "test"):
        if part in views:
            _check_apart(views["forget"], views[part], rows["forget"], rows[part])
    for part in ("forget", "controls"):
        _join_copies(views[part], rows[part])
    _check_classes(views["forget"], views["controls"], audit.match)
    named = {**read, **({"labels": labels} if labels else {})}
    return FilesInputs(
        released=models["released"],
        original=models.get("original"),
        retrained=tuple(model for name, model in models.items() if name.startswith("retrained")),
        views=views,
        files=tuple(
            {"of": name, "rows": SAVED[part], "name": one.name, "sha256": one.sha256}
            for name, files in named.items()
            for part, one in files.items()
        ),
    )


def _check_kinds(files: Sequence[SavedRows]) -> None:
    first: dict[bool, SavedRows] = {}
    for one in files:
        first.setdefault(one.kind in ("probabilities", "labels"), one)
    if len(first) > 1:
        raise ValueError(
            f"{first[True].name} holds probabilities and {first[False].name} {first[False].kind}, to judge by their "
            "values: what is on two scales cannot be compared. Save all on one, or say output_kind if they are."
        )


def _check_same_file(read: Mapping[str, Mapping[str, SavedRows]]) -> None:
    seen: dict[str, tuple[str, str, SavedRows]] = {}
    for name, files in read.items():
        for part, one in files.items():
            model, where, other = seen.setdefault(one.sha256, (name, part, one))
            if model != name:
                raise ValueError(
                    f"{other.name} and {one.name} hold the very same, given as the {model} and as the {name} model: "
                    "each model needs its own outputs."
                )
            if where != part and {where, part} != {"controls", "test"}:
                raise ValueError(
                    f"{one.name} is given as the {SAVED[where]} and as the {SAVED[part]} rows of the {name} model: "
                    "these are other examples."
                )


def _probabilities(rows: FloatArray, kind: str) -> FloatArray:
    logits = as_logits(rows, kind)
    return np.asarray(np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)))


def _check_same_answers(
    forget: Mapping[str, FloatArray], controls: Mapping[str, FloatArray], read: Mapping[str, Mapping[str, SavedRows]]
) -> None:
    """Raise ValueError where two models are one, by their answers to every row."""
    sides = (forget, controls)
    for one, other in combinations(forget, 2):
        if read[one]["forget"].kind == "labels":  # two models may well agree on every label
            continue
        kinds = read[one]["forget"].kind, read[other]["forget"].kind
        pairs = ((_probabilities(rows[one], kinds[0]), _probabilities(rows[other], kinds[1])) for rows in sides)
        if all(float(np.abs(ours - theirs).max()) <= ALIKE for ours, theirs in pairs):
            raise ValueError(
                f"the {one} and the {other} model have the same outputs on every row: {_what_now(one, other)}"
            )


def _what_now(one: str, other: str) -> str:
    if {one, other} == {"original", "released"}:
        return "nothing was unlearned, or one model was saved under two names."
    if "original" in (one, other):
        return "a retrained model never saw the rows to be forgotten, so one of them was saved under two names."
    if "released" in (one, other):
        return "a model cannot be judged by itself; leave that one out of retrained and give others."
    return "it counts once. Train under another seed or, if that changes nothing, on bootstraps of what is retained."


def _check_apart(forget: View, others: View, ours: Mapping[str, FloatArray], theirs: Mapping[str, FloatArray]) -> None:
    """Raise ValueError where an example that is to be forgotten stands on the other side too."""
    one, other = forget.examples, others.examples
    assert isinstance(one, UnseenExamples)
    assert isinstance(other, UnseenExamples)
    name = SAVED[others.name]
    if one.ids is not None and other.ids is not None:
        there = set(other.ids)
        shared = [each for each in one.ids if each in there]
        if shared:
            raise ValueError(
                f"{len(shared)} ids are among the forget rows and among the {name} rows: {some(shared)}. What was "
                "trained on cannot stand for what was not; if ids number the rows of each file, leave them out."
            )
    models = [model for model in ours if model in theirs]
    where = {key: k for k, key in reversed(list(enumerate(_keys(theirs, models)))) if key}
    twins = [(one.who(k), other.who(where[key])) for k, key in enumerate(_keys(ours, models)) if key in where]
    if twins:
        told = some([f"{a} is {b}" for a, b in twins])
        raise ValueError(
            f"{len(twins)} forget rows have the very outputs of {name} rows in every model ({told}): they are the same "
            "examples, and what was trained on cannot stand for what was not."
        )


def _join_copies(view: View, rows: Mapping[str, FloatArray]) -> None:
    """Make one example of rows that every model answers alike: copies are no independent evidence."""
    first: dict[bytes, int] = {}
    assert isinstance(view.examples, UnseenExamples)
    view.examples.join([first.setdefault(key, k) if key else k for k, key in enumerate(_keys(rows, list(rows)))])


def _keys(rows: Mapping[str, FloatArray], models: Sequence[str]) -> list[bytes]:
    """Return what tells each example from all others: the models' answers; nothing where they are too coarse."""
    beside = np.hstack([rows[model] for model in models])
    fine = (beside != np.round(beside, ROUNDED)).mean(axis=1) >= 0.5
    return [row.tobytes() if told else b"" for row, told in zip(beside, fine, strict=True)]


def _check_classes(forget: View, controls: View, match: str | None) -> None:
    missing = np.setdiff1d(forget.labels, controls.labels)
    if match is not None and len(missing):
        examples: Any = forget.examples
        names = [examples.classes[label] if examples.classes else str(label) for label in missing.tolist()]
        raise ValueError(
            f"no held_out row is of class {some(names)}, and forget rows are: add some, or say match = 'none' to "
            "compare across classes (which only the retrained models can justify)."
        )
