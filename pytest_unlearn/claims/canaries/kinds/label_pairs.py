"""Pairs of examples with one wrong label: a coin decides which is planted.

Interclass confusion: examples of two classes under each other's label.

Mislabelled canaries: random examples under random wrong labels, which a model can only have learned by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.claims.canaries.planted import TrainingChange
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.dataset import Examples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairsPlan:
    """The planted and the held-out input of each pair: one class, one wrong label."""

    planted: Any
    held_out: Any
    labels: IntArray


def pairs_within(examples: Examples, rows: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw as many pairs within classes as exist, shape (pairs, 2), by class."""
    found = []
    for label in np.unique(examples.labels[rows]):
        members = rng.permutation(rows[examples.labels[rows] == label])
        found.append(members[: len(members) // 2 * 2].reshape(-1, 2))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def plant_pairs(examples: Examples, pairs: IntArray, labels: IntArray, rng: np.random.Generator) -> TrainingChange:
    """Toss a coin for each pair: plant one example, hold out the other.

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
    return TrainingChange(
        rows=planted,
        labels=labels,
        left_out=held_out,
        plan=PairsPlan(planted=examples.inputs(planted), held_out=examples.inputs(held_out), labels=labels),
    )


def plant_confusion(
    examples: Examples, candidates: IntArray, count: int, rng: np.random.Generator, *, classes: Sequence[int] | None
) -> TrainingChange:
    """Plant `count` pairs, half of each of two classes (default: most frequent)."""
    present, sizes = np.unique(examples.labels, return_counts=True)
    if classes is None:
        classes = present[np.argsort(-sizes, kind="stable")[:2]].tolist()
    named = classes if isinstance(classes, (list, tuple, np.ndarray)) else ()
    if len(named) != 2 or len(set(named)) != 2 or not set(named) <= set(present.tolist()):
        raise ValueError(f"classes must be two different labels of train, to be swapped; got {classes!r}.")
    if count < 2:
        raise ValueError(f"confusion canaries are planted in both classes: count must be 2 or more, not {count}.")
    chosen, labels = [], []
    for own, other, wanted in ((classes[0], classes[1], count - count // 2), (classes[1], classes[0], count // 2)):
        pairs = pairs_within(examples, candidates[examples.labels[candidates] == own], rng)
        if len(pairs) < wanted:
            raise ValueError(
                f"{wanted} confusion canaries of class {own} need {2 * wanted} distinct examples of it (one of each "
                f"pair is held out); there are {len(pairs)} pairs. Plant fewer (count=) or choose classes=."
            )
        chosen.append(rng.permutation(pairs)[:wanted])
        labels.append(np.full(wanted, other, dtype=np.int64))
    return plant_pairs(examples, np.concatenate(chosen), np.concatenate(labels), rng)


def plant_mislabelled(examples: Examples, candidates: IntArray, count: int, rng: np.random.Generator) -> TrainingChange:
    """Plant `count` pairs, each with a wrong label drawn uniformly."""
    present = np.unique(examples.labels)
    if len(present) < 2:
        raise ValueError("mislabelled canaries need two classes or more: with one there is no wrong label.")
    pairs = rng.permutation(pairs_within(examples, candidates, rng))[:count]
    if len(pairs) < count:
        raise ValueError(
            f"count={count} mislabelled canaries need {2 * count} distinct training examples, two of a class each (one "
            f"is held out); there are {len(pairs)} such pairs."
        )
    own = np.searchsorted(present, examples.labels[pairs[:, 0]])
    wrong = (own + rng.integers(1, len(present), size=count)) % len(present)
    return plant_pairs(examples, pairs, present[wrong], rng)
