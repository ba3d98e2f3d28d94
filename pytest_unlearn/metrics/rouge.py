"""Compute ROUGE-L: the longest common subsequence of words of two texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pytest_unlearn.core.evidence import FloatArray

Rouge = Literal["recall", "precision", "F"]
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Split a text into lower-case words of letters and digits, of any script.

    As the rouge-score package does without a stemmer, which however drops every letter but a to z.
    """
    return _WORD.findall(text.lower())


def common_subsequence(one: Sequence[object], other: Sequence[object]) -> int:
    """Return the length of the longest common subsequence.

    By bits: a word of `one` is a bit, and each of `other` one step. Source: Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited".
    """
    places: dict[object, int] = {}
    for place, item in enumerate(one):
        places[item] = places.get(item, 0) | 1 << place
    everything = (1 << len(one)) - 1
    unmatched = everything
    for item in other:
        matched = unmatched & places.get(item, 0)
        unmatched = (unmatched + matched | unmatched - matched) & everything
    return len(one) - unmatched.bit_count()


def rouge_l(references: Sequence[str], generated: Sequence[str], kind: Rouge = "recall") -> FloatArray:
    """Compute ROUGE-L of each generated text: (n,), from 0 to 1.

    Args:
        references: the true texts, n, each of one word at least.
        generated: what the model said instead, n.
        kind: the common subsequence's share of the true text ("recall"), of the generated one ("precision"), or the
            harmonic mean of both ("F").

    Returns:
        Shares. Under perfect unlearning those of retrained models, which are not 0: texts share words.

    Raises:
        ValueError: other numbers of texts, a true text without a word, another kind.

    Source: Lin 2004, "ROUGE: a package for automatic evaluation of summaries".
    """
    if kind not in ("recall", "precision", "F"):
        raise ValueError(f'kind is {kind!r}: it is "recall", "precision" or "F".')
    if isinstance(references, str) or isinstance(generated, str) or len(references) != len(generated) or not generated:
        raise ValueError("references and generated are lists of as many texts, one at least.")
    values = np.zeros(len(generated))
    for row, (truth, said) in enumerate(zip(map(words, references), map(words, generated), strict=True)):
        if not truth:
            raise ValueError(f"references[{row}] has no word: leave it out.")
        common = common_subsequence(truth, said)
        sizes = {"recall": len(truth), "precision": len(said), "F": (len(truth) + len(said)) / 2}
        values[row] = common / sizes[kind] if common else 0.0
    return values
