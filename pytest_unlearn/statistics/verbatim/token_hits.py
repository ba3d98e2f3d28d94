"""Compute how much of a text greedy decoding gives back.

A token is a hit where it is the model's most probable one after the true text before it; as long as all are hits,
greedy decoding says the text. Easy text has hits in models that never saw it: none of these numbers means anything but
as the difference to retrained models (`clustered_difference`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray


def extraction_strength(hit: ArrayLike, offsets: ArrayLike) -> FloatArray:
    """Compute 1 - min{k : greedy decoding predicts all of x_{>k}} / T: (n,).

    Args:
        hit: whether each token is the most probable one, (T,) bool, document after document.
        offsets: where documents begin, (n + 1,), from 0 to T, rising.

    Returns:
        The share of each document that the rest of it brings back: 0 where the last token is wrong, 1 where all are
        right, both exactly. k runs to T, where nothing is left to predict. (Public code stops at T - 1, so that a model
        with no token right scores 1/T: 1 for an answer of one token.)

    Raises:
        ValueError: arrays that do not fit.

    Source: Carlini et al. 2021 (arXiv 2012.07805); as a metric of unlearning, open-unlearning (arXiv 2506.12618).
    """
    place, hits, starts, lengths = _documents(hit, offsets)
    last_miss = np.maximum.reduceat(np.where(hits, -1, place), starts)
    return np.asarray((lengths - 1 - last_miss) / lengths)


def exact_memorisation(hit: ArrayLike, offsets: ArrayLike) -> FloatArray:
    """Compute the share of each document's tokens that are hits: (n,).

    Arguments and errors as in `extraction_strength`. High on easy text for models that never saw it. Source: Tirumala
    et al. 2022, "Memorization without overfitting" (arXiv 2205.10770).
    """
    _, hits, starts, lengths = _documents(hit, offsets)
    return np.asarray(np.add.reduceat(hits.astype(np.float64), starts) / lengths)


def longest_prefix(hit: ArrayLike, offsets: ArrayLike) -> IntArray:
    """Count the tokens from each document's start that greedy decoding gives: (n,).

    What comes back word for word after the prompt. Arguments and errors as in `extraction_strength`. Source: Carlini et
    al. 2023, "Quantifying memorization across neural language models" (arXiv 2202.07646).
    """
    place, hits, starts, lengths = _documents(hit, offsets)
    first_miss = np.minimum.reduceat(np.where(hits, np.repeat(lengths, lengths), place), starts)
    return np.asarray(first_miss, dtype=np.int64)


def longest_run(hit: ArrayLike, offsets: ArrayLike) -> IntArray:
    """Count the most tokens in a row that greedy decoding gives: (n,).

    From any place of the document, after the true text before it. Arguments and errors as in `extraction_strength`.
    """
    place, hits, starts, _ = _documents(hit, offsets)
    index = np.arange(len(hits))
    # the last place before a token's run: a miss, or what is before its document
    before = np.where(hits, np.where(place == 0, index - 1, -1), index)
    return np.asarray(np.maximum.reduceat(index - np.maximum.accumulate(before), starts), dtype=np.int64)


def _documents(hit: ArrayLike, offsets: ArrayLike) -> tuple[IntArray, NDArray[np.bool_], IntArray, IntArray]:
    """Return each token's place in its document, the hits, and the documents' starts and lengths."""
    hits, bounds = np.asarray(hit), np.asarray(offsets)
    if hits.ndim != 1 or hits.dtype != np.bool_:
        raise ValueError("hit must be one row of booleans: pass `prediction == token`.")
    if bounds.ndim != 1 or bounds.dtype.kind not in "iu" or bounds.size < 2:
        raise ValueError("offsets must be whole numbers, where documents begin and the last one ends.")
    starts, ends = bounds[:-1].astype(np.int64), bounds[1:].astype(np.int64)
    lengths = np.asarray(ends - starts, dtype=np.int64)
    if bounds[0] != 0 or bounds[-1] != len(hits) or (lengths < 1).any():
        raise ValueError(f"offsets must rise from 0 to {len(hits)}, the number of tokens: no document is empty.")
    place = np.arange(len(hits), dtype=np.int64)
    place -= np.repeat(starts, lengths)
    return place, hits, starts, lengths
