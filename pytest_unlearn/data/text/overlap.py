"""Find documents that also stand in others, by runs of words that they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.text.documents import Document

RUN = 13  # words, as is usual where training data are searched for test data (Brown et al. 2020, appendix C)
NEAR_DUPLICATE = 0.5  # of a document's runs


def overlap(documents: Sequence[Document], others: Iterable[Document], run: int = RUN) -> FloatArray:
    """Return the share of each document's runs of words that stand in others.

    Args:
        documents: those to look for, n of them.
        others: those to look in.
        run: words in a row; a document of fewer is one run.

    Returns:
        Shares, shape (n,): 0 if nothing in it stands elsewhere.

    Source: Brown et al. 2020, "Language models are few-shot learners" (arXiv 2005.14165), appendix C.
    """
    runs = [_runs(one, run) for one in documents]
    wanted = set().union(*runs) if runs else set()
    shorter = {len(one) for one in wanted} - {run}
    found: set[tuple[object, ...]] = set()
    for other in others:
        words = other.words
        for size in (run, *shorter):
            found |= wanted & _cut(words, size)
    return np.array([len(own & found) / len(own) if own else 0.0 for own in runs])


def _runs(document: Document, run: int) -> set[tuple[object, ...]]:
    words = document.words
    return _cut(words, min(run, len(words)))


def _cut(words: Sequence[object], size: int) -> set[tuple[object, ...]]:
    return {tuple(words[k : k + size]) for k in range(len(words) - size + 1)} if size else set()
