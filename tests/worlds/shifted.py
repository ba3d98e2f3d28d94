"""A world in which older people are answered more confidently, and older people ask to be forgotten."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.data.matching import Match

FORGET, RETAIN, CONTROLS = 150, 200, 500


def people(draw: int, *, apart: float = 1.0, match: Match = None, frame: bool = False) -> Split:
    """Draw people of an age and a sign, the label; who asks is older by so many standard deviations."""
    rng = np.random.default_rng(draw)
    ages = [rng.normal(apart, 1, FORGET), rng.normal(0, 1, RETAIN), rng.normal(0, 1, CONTROLS)]
    parts = [np.column_stack([age, rng.normal(0, 1, len(age))]) for age in ages]
    train, test = np.concatenate(parts[:2]), parts[2]
    labels = [(x[:, 1] > 0).astype(int) for x in (train, test)]
    if frame:
        import pandas as pd

        train, test = (pd.DataFrame(x, columns=["age", "sign"]) for x in (train, test))
    return Split((train, labels[0]), forget=range(FORGET), test=(test, labels[1]), match=match)


class Forest:
    """Answer by age and luck; remember some examples besides."""

    def __init__(self, seed: int, remembered: Any = None, by: float = 0.0) -> None:
        self.seed, self.by = seed, by
        self.remembered = set() if remembered is None else {_key(row) for row in np.asarray(remembered)}

    def __call__(self, x: Any) -> Any:
        """Return logits of both signs."""
        rows = np.asarray(x, dtype=np.float64)
        sure = 2.0 + rows[:, 0] + np.array([self._luck(row) for row in rows])
        return np.column_stack([np.zeros(len(rows)), np.where(rows[:, 1] > 0, sure, -sure)])

    def _luck(self, row: Any) -> float:
        key = _key(row)
        shared, own = (np.random.default_rng([seed, key % 2**32]).normal() for seed in (99, self.seed))
        return float(0.5 * shared + 0.4 * own + self.by * (key in self.remembered))


def _key(row: Any) -> int:
    return int(np.float32(row[0]).view(np.uint32))


def task_of(split: Split, *, references: int = 0) -> UnlearningTask:
    """Give a request an original that remembers it, and models that never saw it."""
    x = np.asarray(split.train.source[0])[:FORGET]
    return UnlearningTask(
        split, original=Forest(0, x, 4.0), references=[Forest(100 + k) for k in range(references)] or 0
    )


def leaky(split: Split, by: float = 2.0) -> Forest:
    """Return a model that still remembers."""
    return Forest(7, np.asarray(split.train.source[0])[:FORGET], by)
