"""TextSplit: the documents a language model saw, those that must go, and others."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.text import some
from pytest_unlearn.data.split import Split
from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.overlap import NEAR_DUPLICATE, RUN, overlap
from pytest_unlearn.data.view import View

MOST_RETAINED = 200  # retained documents that models are asked about beside the request


class TextSplit(Split):
    """Hold what a language model was trained on, what must go, and what it never saw.

    Args:
        documents: everything the original model saw, or was fine-tuned on: a list of strings, of mappings with
            `prompt` and `completion` (the completion alone is scored), of chats (`messages`, of which the last is
            scored), or of token ids; or a `datasets.Dataset` of such rows.
        forget: the deletion request: indices into documents, or a boolean mask over them.
        test: documents no model was trained on, for utility and, by default, as controls. They have to be
            exchangeable with the request: hold them out at random, before training (`reserve_controls`).
        controls: other documents to compare the request with.
        groups: one id a document, the unit of deletion, such as its author: intervals cluster by it.
        control_groups: one id a control, with the same id for a person as in groups.

    Raises:
        TypeError: something that is no document.
        ValueError: as `Split`: nothing to forget or to retain, a control that was trained on, and others.
    """

    kind = "text"

    def __init__(
        self,
        documents: Any,
        forget: Iterable[int] | Any,
        test: Any,
        controls: Any = None,
        groups: Any = None,
        *,
        control_groups: Any = None,
    ) -> None:
        super().__init__(
            _documents(documents, "train"),
            forget,
            _documents(test, "test"),
            None if controls is None else _documents(controls, "controls"),
            groups,
            None,
            control_groups=control_groups,
        )
        near = np.flatnonzero(self.overlaps >= NEAR_DUPLICATE)
        if len(near):
            named = some(f"train[{self.forget_indices[k]}] {self.overlaps[k]:.0%}" for k in near)
            warnings.warn(
                f"{len(near)} documents of the request stand in retained ones as well (share of their runs of {RUN} "
                f"words: {named}): a retrained model still knows them. Add the others to the request, or take these "
                "out of it.",
                stacklevel=2,
            )

    @cached_property
    def overlaps(self) -> FloatArray:
        """How much of each forget document stands in retain as well, shape (forget,).

        The share of its runs of 13 words.
        """
        documents = self._train.documents
        kept = (documents[k] for k in self.retain_indices if self._train.contents[k] not in self._forgotten)
        return overlap([documents[k] for k in self.forget_indices], kept)

    def with_forget(
        self, forget: Iterable[int] | Any, *, controls: Any = None, control_groups: Any = None
    ) -> TextSplit:
        """Return the same documents under another request, with other controls if given."""
        if controls is None:
            controls, control_groups = (None if self.held_out is self.test else self.held_out), self.control_groups
        return TextSplit(self.train, forget, self.test, controls, self.groups, control_groups=control_groups)

    @property
    def _train(self) -> Documents:
        assert isinstance(self.train, Documents)
        return self.train

    @cached_property
    def _forgotten(self) -> set[bytes]:
        """The digests of the request: exact copies were named already."""
        return set(self.train.contents[self.forget_indices].tolist())


def document_view(given: Any, name: str) -> View:
    """Return documents as a view: as it is, behind a loader, or of a list.

    Raises:
        TypeError: no documents, or a view of something else.
    """
    dataset = getattr(given, "dataset", None)
    if isinstance(dataset, View):
        given = dataset
    if isinstance(given, View):
        if not isinstance(given.examples, Documents):
            raise TypeError(f"{name} is a view of labelled examples: build the task of a TextSplit for documents.")
        return given
    if hasattr(given, "forget_indices") or isinstance(getattr(given, "forget", None), View):
        raise TypeError(f"{name} is a {type(given).__name__}: pass a view of the task, such as task.forget.")
    documents = _documents(given, name)
    return View(name, documents, np.arange(len(documents), dtype=np.int64))


def some_of(view: View, most: int) -> View:
    """Show at most so many documents of a view, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(view) - 1, min(most, len(view))).astype(np.int64))
    return View("retained", view.examples, view.indices[chosen], view.task)


def _documents(source: Any, name: str) -> Documents:
    return source if isinstance(source, Documents) else Documents(source, name)
