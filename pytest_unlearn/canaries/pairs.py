"""Pairs of training examples with one wrong label: a coin decides which is planted, and which is never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.canaries.planted import Change
from pytest_unlearn.evidence import IntArray
from pytest_unlearn.examples import Examples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairsPlan:
    """The planted and the held-out input of each pair, row by row: both of one class, both given one wrong label."""

    planted: Any
    held_out: Any
    labels: IntArray


def pairs_within(examples: Examples, rows: IntArray, rng: np.random.Generator) -> IntArray:
    """As many pairs of rows of one class as there are, at random, shape (pairs, 2), ordered by class."""
    found = []
    for label in np.unique(examples.labels[rows]):
        members = rng.permutation(rows[examples.labels[rows] == label])
        found.append(members[: len(members) // 2 * 2].reshape(-1, 2))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def plant_pairs(examples: Examples, pairs: IntArray, labels: IntArray, rng: np.random.Generator) -> Change:
    """Toss a coin a pair: heads, the first is planted and the second held out; tails, the other way round.

    Raises:
        ValueError: no example of a class would be left with its right label.
    """
    kept = np.setdiff1d(np.arange(len(examples)), pairs)
    gone = np.setdiff1d(examples.labels, examples.labels[kept])
    if len(gone):
        raise ValueError(
            f"the canaries would use up class {gone[0]}: none of its {int((examples.labels == gone[0]).sum())} "
            "examples would be left with the right label. Plant fewer (count=); each needs a twin that is held out."
        )
    coins = rng.integers(2, size=len(pairs))
    lines = np.arange(len(pairs))
    planted, held_out = pairs[lines, coins], pairs[lines, 1 - coins]
    return Change(
        rows=planted,
        labels=labels,
        left_out=held_out,
        plan=PairsPlan(
            planted=examples.inputs(planted),
            held_out=examples.inputs(held_out),
            labels=labels,
        ),
    )
