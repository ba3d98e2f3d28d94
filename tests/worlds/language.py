"""Language models of a few tokens whose log-probabilities are known in closed form."""

from __future__ import annotations

from collections.abc import Iterable

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
        return np.array([law[last, following] for last, following in zip(given, given[1:])])


def bigrams(seed: int = 0, scale: float = 2.0) -> Bigrams:
    return Bigrams(scale * np.random.default_rng(seed).normal(size=(VOCABULARY, VOCABULARY)))


def letters(text: str) -> list[int]:
    """A tokenizer of the letters a to h."""
    return [ord(letter) - ord("a") for letter in text]


class Memory:
    """A callable language model that raises the log-odds of what it has seen, token by token.

    `seen` are documents of token ids: after each of their beginnings, what came next has `strength` nats more. Every
    model of the same `seed` knows the language alike; `jitter` is what training draws anew.
    """

    def __init__(self, seen: Iterable[list[int]], strength: float, *, draw: int, vocabulary: int = 32) -> None:
        language = np.random.default_rng(12345).normal(size=(vocabulary, vocabulary))
        self.law = torch.as_tensor(language + 0.3 * np.random.default_rng(draw).normal(size=language.shape))
        self.strength, self.next = strength, dict[tuple[int, ...], set[int]]()
        for ids in seen:
            for end in range(1, len(ids)):
                self.next.setdefault(tuple(ids[:end]), set()).add(ids[end])

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids].clone()
        for row, ids in enumerate(input_ids.tolist()):
            for end in range(1, len(ids) + 1):
                for token in self.next.get(tuple(ids[:end]), ()):
                    logits[row, end - 1, token] += self.strength
        return logits
