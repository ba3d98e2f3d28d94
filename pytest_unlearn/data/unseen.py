"""Examples of which only files tell: labels, ids and groups, and no inputs."""

from __future__ import annotations

import hashlib
from typing import Any, NoReturn

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.data.content import DIGEST_SIZE
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.row_digests import digest_array
from pytest_unlearn.data.view import View

NO_INPUTS = (
    "only files of outputs were given, and no inputs to ask a model about: this takes a Split of the data themselves, "
    "and models that can be asked"
)


class NoInputsError(ValueError):
    """Raised for the inputs of examples of which only files tell."""


class UnseenExamples(Examples):
    """Hold labels, ids and groups of examples in the order of their file.

    Args:
        name: what the set is called, such as "forget".
        labels: columns of the outputs, int64, shape (examples,).
        ids: a text an example, each once, or None.
        groups: a text an example, the unit of deletion, or None.
        file: what to call the file that the order is of.
        classes: what the columns of the outputs stand for, empty where they have no names.
        width: how many columns the outputs have.
        like: what tells examples apart that have no ids, such as the outputs of a model, shape (examples, ...).
        train_size: how many examples were trained on, if that is known.
        by_ids: whether outputs are brought into this order by ids; else they have none, and lie in it.
    """

    def __init__(
        self,
        name: str,
        labels: IntArray,
        ids: tuple[str, ...] | None = None,
        groups: tuple[str, ...] | None = None,
        *,
        file: str,
        classes: tuple[str, ...] = (),
        width: int,
        like: Any,
        train_size: int | None = None,
        by_ids: bool = False,
    ) -> None:
        self.name, self.labels, self.ids, self.groups = name, labels, ids, groups
        self.file, self.classes, self.width, self.train_size, self.by_ids = file, classes, width, train_size, by_ids
        self.source, self.shape, self.names, self._arrays = None, None, None, None
        self.remembered, self._kept = False, None
        if ids is not None:
            contents = [_digest(b"id", one.encode(errors="surrogatepass")) for one in ids]
        else:
            contents = [
                _digest(b"row", f"{name} {k}".encode(), np.ascontiguousarray(row).tobytes())
                for k, row in enumerate(like)
            ]
        self.contents = self.exact = digest_array(contents)

    def join(self, first: list[int]) -> None:
        """Take rows for copies of others: of each, the first that is the same."""
        self.contents = self.contents[first]

    def who(self, row: int) -> str:
        """Name an example: by its id, or by its row."""
        return named(self.ids, row)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> NoReturn:
        raise NoInputsError(f"{NO_INPUTS}.")

    def inputs(self, indices: IntArray, *, keep: bool = False) -> NoReturn:  # noqa: ARG002 - as of examples that have some
        """Raise NoInputsError: there are none."""
        raise NoInputsError(f"{NO_INPUTS}.")


def named(ids: tuple[str, ...] | None, row: int) -> str:
    """Name an example of a file: by its id, or by its row."""
    return f"row {row} (counted from 0)" if ids is None else f"id {printable(shortened(ids[row], 80))}"


def groups_of(forget: View, controls: View) -> tuple[IntArray | None, IntArray | None]:
    """Return the groups that files name, numbered for both sets together."""
    texts = [
        [groups[i] for i in view.indices]
        if isinstance(view.examples, UnseenExamples) and (groups := view.examples.groups) is not None
        else None
        for view in (forget, controls)
    ]
    numbers = {text: k for k, text in enumerate(dict.fromkeys(text for part in texts if part for text in part))}
    found = [None if part is None else np.array([numbers[text] for text in part], dtype=np.int64) for part in texts]
    return found[0], found[1]


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\0".join(parts), digest_size=DIGEST_SIZE).digest()
