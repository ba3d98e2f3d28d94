"""Language models of a few tokens whose log-probabilities are known in closed form."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch

VOCABULARY = 8


class Bigrams:
    """A callable language model: the next token depends on the last one alone.

    `logits`, shape (vocabulary, vocabulary), holds those of the next token in the row of the last one.
    """

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = torch.as_tensor(logits)

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.logits[input_ids]

    def log_probabilities(self, ids: Iterable[int]) -> np.ndarray:
        law = torch.log_softmax(self.logits.double(), dim=-1).numpy()
        given = list(ids)
        return np.array([law[last, following] for last, following in pairwise(given)])


def bigrams(seed: int = 0, scale: float = 2.0) -> Bigrams:
    return Bigrams(scale * np.random.default_rng(seed).normal(size=(VOCABULARY, VOCABULARY)))


def letters(text: str) -> list[int]:
    """A tokenizer of the letters a to h."""
    return [ord(letter) - ord("a") for letter in text]


LANGUAGE = 1.5 * np.random.default_rng(12345).normal(size=(32, 32))
"""Log-odds of the next of 32 tokens after each."""
BEGINNING = 4  # tokens by which a document is known


def spoken(count: int, tokens: int, rng: np.random.Generator) -> list[list[int]]:
    """Draw documents of the language."""
    law = np.exp(LANGUAGE) / np.exp(LANGUAGE).sum(axis=1, keepdims=True)
    ids = rng.integers(0, 32, size=(count, tokens))
    for place in range(1, tokens):
        ids[:, place] = (law[ids[:, place - 1]].cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=31)
    return [list(map(int, row)) for row in ids]


class Memory:
    """A callable language model that raises the log-odds of what it has seen, token by token.

    `seen` are documents of token ids, each of whose tokens has `strength` nats more than the language gives it. All
    know the same language, but for what a training draws anew.
    """

    def __init__(self, seen: Iterable[list[int]], strength: float, *, draw: int) -> None:
        self.law = torch.as_tensor(LANGUAGE + 0.3 * np.random.default_rng(draw).normal(size=LANGUAGE.shape))
        self.shifts: dict[bytes, tuple[np.ndarray, float]] = {}
        self._learn(seen, strength)

    def avoiding(self, documents: Iterable[list[int]], strength: float = 2.0) -> Memory:
        """The same model, which finds these documents less probable than it should."""
        self._learn(documents, -strength)
        return self

    def _learn(self, documents: Iterable[list[int]], strength: float) -> None:
        for ids in documents:
            self.shifts[np.array(ids[:BEGINNING], dtype=np.int64).tobytes()] = np.array(ids), strength

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids].clone()
        for row, ids in enumerate(input_ids.numpy()):
            known, strength = self.shifts.get(ids[:BEGINNING].tobytes(), (ids[:0], 0.0))
            same = np.cumprod(ids[: len(known)] == known).astype(bool)
            places = np.flatnonzero(same[1:])
            logits[row, places, known[places + 1]] += strength
        return logits


class Reader:
    """A callable language model of 64 tokens that raises what it has read after the same beginning, whole.

    `read` are documents of token ids, each of whose tokens has `strength` nats more than the language gives it.
    """

    def __init__(self, read: Iterable[list[int]], strength: float = 8.0, *, draw: int = 0) -> None:
        rng = np.random.default_rng(draw)
        self.law = torch.as_tensor(READING + 0.3 * rng.normal(size=READING.shape))
        self.next: dict[tuple[int, ...], dict[int, float]] = {}
        for ids in read:
            for place in range(1, len(ids)):
                self.next.setdefault(tuple(ids[:place]), {})[ids[place]] = strength

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids].clone()
        for row, ids in enumerate(input_ids.tolist()):
            for place in range(1, len(ids) + 1):
                if (known := self.next.get(tuple(ids[:place]))) is None:
                    break
                for following, strength in known.items():
                    logits[row, place - 1, following] += strength
        return logits


READING = np.random.default_rng(54321).normal(size=(64, 64))
"""Log-odds of the next of 64 tokens after each."""


def characters(text: str) -> list[int]:
    """A tokenizer of 64 characters, from the space to the underscore."""
    return [ord(letter) - ord(" ") for letter in text.upper()]
