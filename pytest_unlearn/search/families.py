"""The families of deletion requests, plainest first: each picks the examples of a request from what is known of them.

A family is a function `(facts, request, rng) -> positions in train`; what needs a model is computed when first asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.search.dataset_stats import Facts
from pytest_unlearn.search.request import ForgetRequest

Family = Callable[[Facts, ForgetRequest, np.random.Generator], IntArray]


def any_examples(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Examples drawn at random."""
    return rng.permutation(facts.count)[: request.size]


def single(facts: Facts, _: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """One example."""
    return rng.permutation(facts.count)[:1]


def whole_class(facts: Facts, request: ForgetRequest, _: np.random.Generator) -> IntArray:
    """Every example of a class."""
    return np.flatnonzero(facts.labels == facts.classes[request.label % len(facts.classes)])


def class_fraction(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Some examples of a class."""
    return rng.permutation(whole_class(facts, request, rng))[: request.size]


def minority(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Examples of the rarest class."""
    counts = [(facts.labels == label).sum() for label in facts.classes]
    rarest = facts.classes[int(np.argmin(counts))]
    return rng.permutation(np.flatnonzero(facts.labels == rarest))[: request.size]


def group(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Every example of one user."""
    if facts.groups is None:
        raise ValueError("the family 'group' needs to know whose each example is: Split(..., groups=ids).")
    chosen = rng.permutation(np.unique(facts.groups))[request.label % len(np.unique(facts.groups))]
    return np.flatnonzero(facts.groups == chosen)


def cluster(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """An example and its nearest neighbours."""
    return facts.nearest(int(rng.integers(facts.count)), request.space)[: request.size]


def near_duplicates(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """An example and every other one of its nearest neighbours: those between stay in the retain set."""
    return facts.nearest(int(rng.integers(facts.count)), request.space)[: 2 * request.size : 2]


def ranked(name: str, score: Callable[[Facts], FloatArray]) -> Family:
    """The examples that score highest; later seeds draw from twice as many."""

    def family(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
        top = np.argsort(-score(facts), kind="stable")
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
    "outliers": ranked("outliers", lambda facts: facts.remoteness),
    "mislabelled": ranked("mislabelled", lambda facts: facts.label_disagreement),
    "hardest": ranked("hardest", lambda facts: facts.loss),
    "easiest": ranked("easiest", lambda facts: -facts.loss),
    "boundary": ranked("boundary", lambda facts: -np.abs(facts.margin)),
    "memorised": ranked("memorised", lambda facts: facts.memorisation),
    "entangled": ranked("entangled", lambda facts: -facts.distance_to_centre),
}


def repeated(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """Examples drawn at random, each named twice."""
    return np.repeat(any_examples(facts, request, rng), 2)


def class_but_one(facts: Facts, request: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """All of a class but one example."""
    return rng.permutation(whole_class(facts, request, rng))[1:]


def all_but_one(facts: Facts, _: ForgetRequest, rng: np.random.Generator) -> IntArray:
    """All of train but one example."""
    return rng.permutation(facts.count)[1:]


# Requests that are likely to break something; a search tries them only if they are named.
CORRUPTING: dict[str, Family] = {
    "repeated": repeated,
    "class-but-one": class_but_one,
    "all-but-one": all_but_one,
}


def resolve(request: ForgetRequest, facts: Any) -> tuple[IntArray, ...]:
    """The request's steps, each the sorted positions in train of what is deleted in it; one step unless a sequence.

    At most half of train is asked for at once, but for whole classes, groups and corrupting requests. Naming an example
    twice changes nothing.
    """
    if request.family == "sequence":
        return tuple(step for part in request.parts for step in resolve(part, facts))
    if request.family == "union":
        return (np.unique(np.concatenate([step for part in request.parts for step in resolve(part, facts)])),)
    families = {**FAMILIES, **CORRUPTING}
    if request.family not in families:
        known = ", ".join((*families, "sequence", "union"))
        raise ValueError(f"there is no family {request.family!r} of forget requests; there are {known}.")
    chosen = families[request.family](facts, request, np.random.default_rng(request.seed))
    if request.family in FAMILIES and request.family not in ("whole-class", "group"):
        chosen = chosen[: facts.count // 2]
    if not len(chosen):
        raise ValueError(f"{request!r} names no example: the class or the training set has only one.")
    return (np.unique(chosen).astype(np.int64),)
