"""Interclass confusion: examples of two classes under each other's label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.canaries.pairs import pairs_within, plant_pairs
from pytest_unlearn.canaries.planted import Change
from pytest_unlearn.evidence import IntArray
from pytest_unlearn.examples import Examples


def plant_confusion(
    examples: Examples,
    candidates: IntArray,
    count: int,
    rng: np.random.Generator,
    *,
    classes: Sequence[int] | None,
) -> Change:
    """`count` pairs, half of each of two classes (by default the most frequent), labelled as the other one."""
    known, sizes = np.unique(examples.labels, return_counts=True)
    if classes is None:
        classes = known[np.argsort(-sizes, kind="stable")[:2]].tolist()
    if len(classes) != 2 or len(set(classes)) != 2 or not set(classes) <= set(known.tolist()):
        raise ValueError(f"classes must be two different labels of train, to be swapped; got {list(classes)!r}.")
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
