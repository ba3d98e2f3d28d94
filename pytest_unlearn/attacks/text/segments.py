"""Add up what belongs to a document, for ragged arrays of tokens.

Each document is added up by itself: its sum is the same, bit for bit, whatever documents stand beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.statistics.validation import is_number

ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996


def document_sums(values: FloatArray, offsets: IntArray) -> FloatArray:
    """Add up the tokens of each document: (T,) to (n,)."""
    return np.add.reduceat(values, offsets[:-1]) if len(offsets) > 1 else np.zeros(0)


def document_means(values: FloatArray, offsets: IntArray) -> FloatArray:
    """Average the tokens of each document: (T,) to (n,)."""
    return np.asarray(document_sums(values, offsets) / np.diff(offsets))


def mean_of_lowest(values: FloatArray, offsets: IntArray, share: float) -> FloatArray:
    """Average the lowest share of each document's tokens, one at least: (T,) to (n,).

    `share` lies in (0, 1]; of T tokens floor(share T) count. Raises ValueError for another share.
    """
    if not is_number(share) or not 0.0 < share <= 1.0:
        raise ValueError(f"share is {share!r}: it is above 0 and at most 1, such as 0.2.")
    lengths = np.diff(offsets)
    counted = np.maximum(1, np.floor(share * lengths + ROUNDING).astype(np.int64))
    document = np.repeat(np.arange(len(lengths)), lengths)
    ranked = values[np.lexsort((values, document))]
    place = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
    chosen = place < np.repeat(counted, lengths)
    return document_means(ranked[chosen], np.concatenate([[0], np.cumsum(counted)]))


def window_sums(values: FloatArray, offsets: IntArray, width: int) -> tuple[FloatArray, IntArray]:
    """Add up every `width` tokens in a row: (T,) to (windows,), and offsets.

    A document of fewer tokens is one window.
    """
    lengths = np.diff(offsets)
    widths = np.minimum(width, lengths)
    starts, windows = np.arange(len(values)), lengths - widths + 1
    own = np.repeat(widths, lengths)
    begins = starts - np.repeat(offsets[:-1], lengths) < np.repeat(windows, lengths)
    starts, own = starts[begins], own[begins]
    sums = np.zeros(len(starts))
    for step in range(width):
        inside = step < own
        sums[inside] += values[starts[inside] + step]
    return sums, np.concatenate([[0], np.cumsum(windows)])


def share_of_windows_above(values: FloatArray, offsets: IntArray, width: int) -> FloatArray:
    """Return the share of `width` tokens in a row whose sum is above 0: (T,) to (n,).

    A sum of 0 counts half. A document of fewer tokens is one window.
    """
    sums, windows = window_sums(values, offsets, width)
    return document_means((sums > 0.0) + 0.5 * (sums == 0.0), windows)


def same_tokens(one: TokenScores, other: TokenScores, what: str) -> None:
    """Check that two models were asked about the same documents.

    Raises:
        ValueError: documents of other lengths.
    """
    if not np.array_equal(one.offsets, other.offsets):
        raise ValueError(
            f"{what} has {len(other)} documents with {len(other.logprob)} tokens and the model {len(one)} with "
            f"{len(one.logprob)}, or they are cut otherwise: ask both about the same documents, with one tokenizer."
        )


def check_widths(widths: ArrayLike) -> list[int]:
    """Check the widths of windows: whole numbers of at least 1.

    Raises:
        ValueError: none, or another number.
    """
    given = np.asarray(widths)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or (given < 1).any():
        raise ValueError(f"widths are {widths!r}: they are whole numbers of tokens, such as (2, 4, 8, 16).")
    return [int(width) for width in given]
