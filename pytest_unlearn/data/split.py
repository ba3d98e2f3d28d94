"""Hold the data, the deletion request and the never-trained controls, checked."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.recorder import current_place
from pytest_unlearn.core.text import some
from pytest_unlearn.data.class_names import together
from pytest_unlearn.data.dataset import Examples, check_alike, to_numpy
from pytest_unlearn.data.identity import DataMemory, memories
from pytest_unlearn.data.matching import Match, read_match
from pytest_unlearn.data.persons import ids_of, rows_of_ids, rows_of_index, unsaid_persons
from pytest_unlearn.data.request import forget_indices
from pytest_unlearn.data.row_digests import first_in

CHECKED = 64  # examples of the request, and controls, that are compared at once with what was remembered of them


class Split:
    """Hold what was trained on, what must go, and what was never trained on.

    Args:
        train: everything the original model saw: a map-style dataset of `(x, y)` or a pair `(X, y)`: X an array, a
            DataFrame of pandas or polars (which models get as such), a sparse matrix or texts; y labels, or the name of
            the frame's column that holds them. Items may be `(x, y, ...)`, of which the rest is ignored, or mappings
            and named tuples with fields of known names. Labels are text, or whole numbers of any type and of shape
            (examples,) or (examples, 1), or one-hot rows.
        forget: the deletion request: indices into train, a boolean mask over it, a `torch.utils.data.Subset` of it, or
            ids in one of its columns, `{"customer_id": [17, 23]}`, which are then the groups as well.
        test: examples no model was trained on, for utility and, by default, as controls.
        controls: never-trained examples from the law of the forget set, if the test set is not that.
        groups: one id an example of train, the unit of deletion (a person), or the name of the frame's column that
            holds them: intervals cluster by it. A column is looked for in the controls as well.
        match: "class" compares forget examples with controls of their own class; None compares all with all. For a
            forget set of another law than the controls': "propensity" compares examples that a classifier of inputs and
            labels finds equally likely to be asked for; a column of the frame, or a callable `(X, y) -> values` with
            one number or row of numbers an example, those of alike values. `("class", "propensity")` is both. Values
            must be known without the audited models. What has no comparable control is left out, and counted.
        control_groups: one id an example of controls (of test, where there are none), or a column, with the same id
            for a person as in groups: intervals cluster the controls as well, and a person on both sides is one unit.
        identity: what stands for the data, so that only the first process reads all of them: a text that names them
            and their version; one id an example of train; "files", for datasets that list theirs as `samples`, pairs
            of path and class (path, size and time of change then stand for an item); or a mapping of "train", "test"
            and "controls" to these. Whatever is read later is compared with what was read first.
        cache_dir: where digests and labels are remembered under it, a folder or a URL as fsspec takes it; the setting
            `cache` by default.

    Raises:
        ValueError: indices out of range or repeated, nothing to forget or to retain, a test or control example that
            is an exact copy of a training example, a forget class without controls, groups that are not one id for
            each example.
    """

    kind = "examples"

    def __init__(
        self,
        train: Any,
        forget: Iterable[int] | Any,
        test: Any,
        controls: Any = None,
        groups: Any = None,
        match: Match = "class",
        *,
        control_groups: Any = None,
        identity: Any = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        given = {"train": train, "test": test} | ({} if controls is None else {"controls": controls})
        known = memories(identity, given, cache_dir)
        parts = {name: _examples(source, name, known.get(name)) for name, source in given.items()}
        self.train, self.test, self.held_out = parts["train"], parts["test"], parts.get("controls", parts["test"])
        self._name_classes()
        for part in (self.test, self.held_out):
            check_comparable(part, self.train)
        self.match = match
        self.matching = read_match(match)
        self.matching.check_columns((self.train, self.held_out))
        if isinstance(forget, Mapping) and self.train.frame is not None:
            forget, asked_by = rows_of_ids(forget, self.train.frame)
            groups = asked_by if groups is None else groups
        self.forget_indices = forget_indices(rows_of_index(forget, self.train.index), self.train)
        kept = np.ones(len(self.train), dtype=bool)
        kept[self.forget_indices] = False
        self.retain_indices: IntArray = np.flatnonzero(kept).astype(np.int64)
        if len(self.retain_indices) == 0:
            raise ValueError("forget covers all of train: nothing is retained, so there is no model left to audit.")
        self.groups, self.control_groups = self._whose(groups, control_groups)
        self._check_torn()
        self._check_overlap()
        self.control_indices = self._controls()
        for part, asked in ((self.train, self.forget_indices), (self.held_out, self.control_indices)):
            part.check_remembered(asked[np.unique(np.linspace(0, len(asked) - 1, CHECKED).astype(int))])
        self.defined_in = current_place()

    def __repr__(self) -> str:
        counts = f"forget {len(self.forget_indices)} of {len(self.train)}, {len(self.control_indices)} controls"
        return f"<Split: {counts}, {len(self.test)} test>"

    @property
    def classes(self) -> IntArray:
        """List every label that occurs, in order."""
        parts = {id(part): part.labels for part in (self.train, self.test, self.held_out)}
        return np.unique(np.concatenate(list(parts.values())))

    @cached_property
    def digest(self) -> str:
        """Digest the whole comparison: data, request and controls, in order."""
        state = hashlib.sha256(b"".join(p.digests().tobytes() for p in (self.train, self.test, self.held_out)))
        state.update(self.forget_indices.tobytes() + self.control_indices.tobytes() + str(self.matching.name).encode())
        return state.hexdigest()

    def with_forget(self, forget: Iterable[int] | Any, *, controls: Any = None, control_groups: Any = None) -> Split:
        """Return the same data under another request, with other controls if given."""
        if controls is None:
            controls, control_groups = (None if self.held_out is self.test else self.held_out), self.control_groups
        parts = (self.train, forget, self.test, controls, self.groups, self.match)
        return Split(*parts, control_groups=control_groups)

    def _name_classes(self) -> None:
        """Give classes the same numbers in all parts, whose inputs have to be of one form."""
        parts = (self.train, self.test, self.held_out)
        for part in parts[1:]:
            check_alike(self.train, part)
        names = together({part.name: part.names for part in parts})
        self.train, self.test, held_out = (part.like(self.train, names) for part in parts)
        self.held_out = self.test if self.held_out is parts[1] else held_out

    def _whose(self, groups: Any, control_groups: Any) -> list[IntArray | None]:
        """Give numbers to the persons of train, and of the controls where they are known."""
        if isinstance(groups, str) and control_groups is None and self.held_out.frame is not None:
            control_groups = groups
        self.group_column = groups if isinstance(groups, str) else None
        ours = ids_of(groups, self.train.frame, "groups", "train")
        theirs = ids_of(control_groups, self.held_out.frame, "control_groups", self.held_out.name)
        return _numbered(
            _ids(ours, "groups", len(self.train), "training examples"),
            _ids(theirs, "control_groups", len(self.held_out), f"examples of {self.held_out.name}"),
        )

    unsaid_persons: str = ""  # which column may say whose rows are whose, where groups are not given

    def _check_torn(self) -> None:
        if self.groups is None:
            if self.train.frame is not None:
                self.unsaid_persons = unsaid_persons(self.train.frame, self.forget_indices)
            if self.unsaid_persons:
                warnings.warn(self.unsaid_persons, stacklevel=3)
            return
        torn = np.intersect1d(self.groups[self.forget_indices], self.groups[self.retain_indices])
        if len(torn):
            warnings.warn(
                f"{len(torn)} groups are partly forgotten and partly retained: a retrained model still knows them.",
                stacklevel=3,
            )

    def _check_overlap(self) -> None:
        contents = self.train.contents
        forgotten = contents[self.forget_indices]
        for part in (self.held_out, self.test) if self.held_out is not self.test else (self.test,):
            where = first_in(part.contents, contents)
            shared = np.flatnonzero(where >= 0)
            if len(shared):
                of = "the forget set" if (first_in(part.contents[shared], forgotten) >= 0).any() else "train"
                raise ValueError(
                    f"{part.name} overlaps train: {len(shared)} examples are exact copies of trained ones, some in "
                    f"{of} ({some(f'{part.name}[{i}] = train[{where[i]}]' for i in shared)}). Remove them from "
                    f"{part.name}: an example that was trained on cannot stand for one that was not."
                )
        twins = self.retain_indices[first_in(contents[self.retain_indices], forgotten) >= 0].tolist()
        if twins:
            warnings.warn(
                f"{len(twins)} retained examples are exact copies of forget examples (train indices {some(twins)}): a "
                "retrained model still knows them. Add them to the request if they belong to it.",
                stacklevel=3,
            )

    def _controls(self) -> IntArray:
        everything = self.held_out.without_repeats(np.arange(len(self.held_out), dtype=np.int64))
        if not self.matching.by_class:
            return everything
        wanted = np.unique(self.train.labels[self.forget_indices])
        missing = np.setdiff1d(wanted, self.held_out.labels)
        if len(missing):
            raise ValueError(
                f"no control for class {some(map(self.train.name_of, missing))} of the forget set in "
                f"{self.held_out.name}: pass controls= with never-trained examples of that class, or match=None to "
                "compare across classes (which only the negative control can justify)."
            )
        return everything[np.isin(self.held_out.labels[everything], wanted)]


def reserve_controls(n: int, *, size: int | float, seed: int) -> tuple[IntArray, IntArray]:
    """Draw which of n candidates to hold out as controls, *before* training.

    A randomised hold-out makes the comparison exact: had the coin fallen otherwise, a control would be a member.

    Args:
        n: number of candidate examples.
        size: how many to hold out, or their share of n, between 0 and 1.
        seed: of the draw.

    Returns:
        (kept, controls): sorted index arrays that partition range(n).
    """
    n, seed = whole_number(n, "n", 1), whole_number(seed, "seed", 0)
    if size is None or isinstance(size, (bool, str)) or not np.isfinite(size):
        raise ValueError(f"size is a number of examples or a share of them between 0 and 1, not {size!r}.")
    count = round(size * n) if isinstance(size, (float, np.floating)) else whole_number(size, "size", size)
    if not 0 < count < n:
        raise ValueError(f"size must leave something to keep and something to hold out of {n} examples; got {size}.")
    order = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return np.sort(order[count:]), np.sort(order[:count])


def check_comparable(part: Examples, train: Examples) -> None:
    """Refuse examples that no model of these training examples could be asked about.

    Raises:
        ValueError: they are of another shape, or of other classes alone.
    """
    check_shape(part, train)
    if not np.isin(part.labels, train.labels).any():
        raise ValueError(
            f"no label of {part.name} occurs in {train.name} ({some(map(part.name_of, np.unique(part.labels)))} and "
            f"{some(map(train.name_of, np.unique(train.labels)))}): number the classes of both in the same way."
        )


def check_shape(part: Examples, train: Examples) -> None:
    """Refuse inputs of another shape than the trained ones; ValueError."""
    if None not in (part.shape, train.shape) and part.shape != train.shape:
        raise ValueError(
            f"the examples of {part.name} have shape {part.shape}, and those of {train.name} {train.shape}: prepare "
            "both in the same way, so that one model can be asked about them."
        )


def _examples(source: Any, name: str, memory: DataMemory | None) -> Examples:
    return source if isinstance(source, Examples) else Examples(source, name, memory)


def _ids(groups: Any, name: str, n: int, of: str) -> Any:
    if groups is None:
        return None
    ids = np.asarray(to_numpy(groups))
    if ids.shape != (n,):
        raise ValueError(f"{name} needs one id for each of the {n} {of}; got shape {ids.shape}.")
    missing = np.flatnonzero([value is None or value != value for value in ids.tolist()])
    if len(missing):
        raise ValueError(
            f"{name} has no id at {len(missing)} positions, the first {missing[0]}: give each of the {of} the id of "
            "its unit, and one of its own to an example that belongs to nobody else."
        )
    return ids


def _numbered(*ids: Any) -> list[IntArray | None]:
    """Renumber ids from 0, all together: one that occurs in several keeps one number."""
    given = [part for part in ids if part is not None]
    if not given:
        return [None for _ in ids]
    everyone = np.concatenate(given)
    if everyone.dtype == object:  # ids of several types have no order
        everyone = np.array([str(one) for one in everyone.tolist()])
    numbers = np.unique(everyone, return_inverse=True)[1].reshape(-1).astype(np.int64)
    parts = iter(np.split(numbers, np.cumsum([len(part) for part in given])[:-1]))
    return [None if part is None else next(parts) for part in ids]
