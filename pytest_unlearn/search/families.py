"""Families of deletion requests, plainest first, that pick the examples.

A family is a function `(stats, request, rng) -> positions in train`; what needs a model is computed when first asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.search.dataset_stats import DatasetStats
from pytest_unlearn.search.request import COMPOSED, ForgetRequest

Family = Callable[[DatasetStats, ForgetRequest, np.random.Generator], IntArray]


def any_examples(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Draw examples at random."""
    return rng.permutation(stats.count)[: request.size]


def single(stats: DatasetStats, _: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Draw one example."""
    return rng.permutation(stats.count)[:1]


def whole_class(stats: DatasetStats, request: ForgetRequest, _: np.random.Generator) -> IntArray:
    """Take every example of a class."""
    return np.flatnonzero(stats.labels == stats.classes[request.label % len(stats.classes)])


def class_fraction(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Draw some examples of a class."""
    return rng.permutation(whole_class(stats, request, rng))[: request.size]


def minority(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Draw examples of the rarest class."""
    counts = [(stats.labels == label).sum() for label in stats.classes]
    rarest = stats.classes[int(np.argmin(counts))]
    return rng.permutation(np.flatnonzero(stats.labels == rarest))[: request.size]


def group(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Take every example of one user."""
    if stats.groups is None:
        raise ValueError("the family 'group' needs to know whose each example is: Split(..., groups=ids).")
    chosen = rng.permutation(np.unique(stats.groups))[request.label % len(np.unique(stats.groups))]
    return np.flatnonzero(stats.groups == chosen)


def cluster(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Take an example and its nearest neighbours."""
    return stats.nearest(int(rng.integers(stats.count)), request.space)[: request.size]


def near_duplicates(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Take an example and every second nearest neighbour: those between stay."""
    return stats.nearest(int(rng.integers(stats.count)), request.space)[: 2 * request.size : 2]


def ranked(name: str, score: Callable[[DatasetStats], FloatArray]) -> Family:
    """Make a family of the highest scores; later seeds draw from twice as many."""

    def family(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
        top = np.argsort(-score(stats), kind="stable")
        return top[: request.size] if request.seed == 0 else rng.permutation(top[: 2 * request.size])[: request.size]

    family.__name__, family.__doc__ = name, f"The examples that rank highest as {name}."
    return family


FAMILIES: dict[str, Family] = {
    "random": any_examples,
    "single": single,
    "whole-class": whole_class,
    "class-fraction": class_fraction,
    "minority": minority,
    "group": group,
    "cluster": cluster,
    "near-duplicates": near_duplicates,
    "outliers": ranked("outliers", lambda stats: stats.remoteness),
    "mislabelled": ranked("mislabelled", lambda stats: stats.label_disagreement),
    "hardest": ranked("hardest", lambda stats: stats.loss),
    "easiest": ranked("easiest", lambda stats: -stats.loss),
    "boundary": ranked("boundary", lambda stats: -np.abs(stats.margin)),
    "memorised": ranked("memorised", lambda stats: stats.memorisation),
    "entangled": ranked("entangled", lambda stats: -stats.distance_to_centre),
}


def repeated(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Draw examples at random, each named twice."""
    return np.repeat(any_examples(stats, request, rng), 2)


def class_but_one(stats: DatasetStats, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Take all of a class but one example."""
    return rng.permutation(whole_class(stats, request, rng))[1:]


def all_but_one(stats: DatasetStats, _: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Take all of train but one example."""
    return rng.permutation(stats.count)[1:]


# Requests that are likely to break something; a search tries them only if they are named.
CORRUPTING: dict[str, Family] = {"repeated": repeated, "class-but-one": class_but_one, "all-but-one": all_but_one}


def resolve(request: ForgetRequest, stats: Any) -> tuple[IntArray, ...]:
    """Resolve a request into steps, each the sorted positions in train to delete.

    There is one step unless it is a sequence. At most half of train is asked for at once, but for whole classes, groups
    and corrupting requests. Naming an example twice changes nothing.
    """
    if request.family == "sequence":
        return tuple(step for part in request.parts for step in resolve(part, stats))
    if request.family == "union":
        return (np.unique(np.concatenate([step for part in request.parts for step in resolve(part, stats)])),)
    families = {**FAMILIES, **CORRUPTING}
    if request.family not in families:
        existing = ", ".join((*families, *COMPOSED))
        raise ValueError(f"there is no family {request.family!r} of forget requests; there are {existing}.")
    chosen = families[request.family](stats, request, np.random.default_rng(request.seed))
    if request.family in FAMILIES and request.family not in ("whole-class", "group"):
        chosen = chosen[: stats.count // 2]
    if not len(chosen):
        raise ValueError(f"{request!r} names no example: the class or the training set has only one.")
    return (np.unique(chosen).astype(np.int64),)
