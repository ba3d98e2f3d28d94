"""Mislabelled canaries: random examples under random wrong labels, which a model can only have learned by heart."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.canaries.pairs import pairs_within, plant_pairs
from pytest_unlearn.canaries.planted import Change
from pytest_unlearn.evidence import IntArray
from pytest_unlearn.examples import Examples


def plant_mislabelled(examples: Examples, candidates: IntArray, count: int, rng: np.random.Generator) -> Change:
    """`count` pairs within a class, each with a wrong label drawn uniformly from the other classes."""
    known = np.unique(examples.labels)
    if len(known) < 2:
        raise ValueError("mislabelled canaries need two classes or more: with one there is no wrong label.")
    pairs = rng.permutation(pairs_within(examples, candidates, rng))[:count]
    if len(pairs) < count:
        raise ValueError(
            f"count={count} mislabelled canaries need {2 * count} distinct training examples, two of a class each (one "
            f"is held out); there are {len(pairs)} such pairs."
        )
    own = np.searchsorted(known, examples.labels[pairs[:, 0]])
    wrong = (own + rng.integers(1, len(known), size=count)) % len(known)
    return plant_pairs(examples, pairs, known[wrong], rng)
