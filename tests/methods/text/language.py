"""A causal language model of eight tokens, whose every number can be worked out."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

VOCABULARY = 8


class Bigram(nn.Module):
    """The next token depends on the last one alone: the logits are a row of a table."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Embedding(VOCABULARY, VOCABULARY, dtype=torch.float64)
        with torch.no_grad():
            self.table.weight.copy_(torch.randn(VOCABULARY, VOCABULARY, generator=generator, dtype=torch.float64))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.table(input_ids)
        return logits


def letters(text: str) -> list[int]:
    """A tokenizer of the letters a to h."""
    return [ord(letter) - ord("a") for letter in text]


def log_probability(model: nn.Module, ids: list[int], first: int = 1) -> float:
    """Of the tokens from `first` on, by the table."""
    law = model(torch.tensor([ids])).detach().log_softmax(-1)[0]
    return float(sum(law[place - 1, ids[place]] for place in range(first, len(ids))))


def loss(model: nn.Module, documents: list[str]) -> float:
    """The mean cross-entropy of a token of whole documents."""
    ids = [letters(document) for document in documents]
    return -sum(log_probability(model, one) for one in ids) / sum(len(one) - 1 for one in ids)


def table_gradient(model: Bigram, documents: list[str]) -> Tensor:
    """Of the mean cross-entropy: (p - 1{next}) for each pair of tokens, divided by how many there are."""
    pairs = [pair for one in map(letters, documents) for pair in pairwise(one)]
    gradient = torch.zeros(VOCABULARY, VOCABULARY, dtype=torch.float64)
    law = model.table.weight.detach().softmax(-1)
    for last, following in pairs:
        gradient[last] += (law[last] - torch.eye(VOCABULARY, dtype=torch.float64)[following]) / len(pairs)
    return gradient
