"""Documents of token ids, and callable language models that remember some of them, at no cost of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn import TextSplit, UnlearningTask
from tests.worlds.language import Memory, spoken

TOKENS = 24
STRENGTH = 1.0  # nats that a token gains where it was seen


class World:
    """A request of `forget` documents among `forget + retain`, with `controls`, and models of them."""

    def __init__(self, seed: int = 0, forget: int = 150, retain: int = 150, controls: int = 300) -> None:
        rng = np.random.default_rng(seed)
        ids = spoken(forget + retain + controls, TOKENS, rng)
        self.train, self.held_out = ids[: forget + retain], ids[forget + retain :]
        self.request, self.retain = self.train[:forget], self.train[forget:]
        self.references = [self.retrained(1000 + k) for k in range(4)]
        self.original = self.trained(0)

    def trained(self, draw: int, strength: float = STRENGTH) -> Memory:
        return Memory(self.train, strength, draw=draw)

    def retrained(self, draw: int) -> Memory:
        return Memory(self.retain, STRENGTH, draw=draw)

    def task(self, **settings: Any) -> UnlearningTask:
        split = TextSplit(self.train, forget=range(len(self.request)), test=self.held_out, **settings)
        return UnlearningTask(split, original=self.original, references=self.references)
