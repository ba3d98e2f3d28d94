"""Two requests on the graph: blogs that must go with all their links, and links that must go."""

from __future__ import annotations

from typing import Any

import numpy as np

from examples.graph.polblogs import polblogs
from pytest_unlearn import Split

FORGET = 200
TRAINED = 0.6  # the share of blogs, or of links, that was trained on

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def blogs_to_delete(draw: int, *, by_degree: bool = False) -> Split:
    """Delete 200 of the 734 blogs that were trained on; the other 490 were never seen, and are the controls.

    by_degree: blogs with many links ask more often, each with a probability that grows with its links. Then controls
        are matched: two unseen blogs of nearly as many links for each that goes.
    """
    blogs, random = polblogs(), np.random.default_rng(draw)
    order = random.permutation(len(blogs))
    trained, unseen = np.split(order, [round(TRAINED * len(order))])
    chance = np.sqrt(blogs.degrees[trained]) if by_degree else np.ones(len(trained))
    forget = random.choice(len(trained), size=FORGET, replace=False, p=chance / chance.sum())
    controls = unseen
    if by_degree:
        near = matched(np.log(blogs.degrees[trained[forget]]), np.log(blogs.degrees[unseen]), each=2)
        controls = unseen[near]
    part = {name: (which[:, None], blogs.sides[which]) for name, which in (("u", unseen), ("c", controls))}
    train = trained[:, None], blogs.sides[trained]
    return Split(train, forget=forget, test=part["u"], controls=part["c"] if by_degree else None)


def neighbours(split: Split, *, least: int = 3) -> Numbers:
    """Find the retained blogs, as positions in train, with at least so many links to blogs that go."""
    blogs = polblogs()
    who = np.array([int(split.train[i][0][0]) for i in range(len(split.train))])
    goes = np.isin(np.arange(len(blogs)), who[split.forget_indices])
    source, target = np.concatenate([blogs.links, blogs.links[::-1]], axis=1)
    near = np.bincount(target[goes[source]], minlength=len(blogs)) >= least
    return split.retain_indices[near[who[split.retain_indices]]]


def links_to_delete(draw: int) -> Split:
    """Delete 300 of the links that a predictor was trained on; links that it never saw are the controls."""
    blogs, random = polblogs(), np.random.default_rng(draw)
    links = blogs.links.T[random.permutation(blogs.links.shape[1])]
    trained, unseen = np.split(links, [round(TRAINED * len(links))])
    absent = _absent(len(blogs), blogs.links, len(links), random)
    others = np.split(absent, [len(trained)])
    train, test = (_pairs(present, none) for present, none in zip((trained, unseen), others, strict=True))
    return Split(train, forget=range(FORGET + FORGET // 2), test=test)


def matched(values: Numbers | Any, candidates: Numbers | Any, *, each: int) -> Numbers:
    """Choose for each value the nearest candidates that are still free, the rarest values first."""
    free = np.ones(len(candidates), dtype=bool)
    chosen: list[int] = []
    for value in sorted(values, reverse=True):
        for _ in range(each):
            distance = np.where(free, np.abs(candidates - value), np.inf)
            chosen.append(int(distance.argmin()))
            free[chosen[-1]] = False
    return np.sort(np.array(chosen))


def _pairs(present: Numbers, absent: Numbers) -> tuple[Numbers, Numbers]:
    return np.concatenate([present, absent]), np.repeat([1, 0], [len(present), len(absent)])


def _absent(blogs: int, links: Numbers, count: int, random: np.random.Generator) -> Numbers:
    """Draw pairs that do not link."""
    pairs = np.sort(random.integers(blogs, size=(3 * count, 2)), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    linked = np.isin(pairs @ [blogs, 1], links.T @ [blogs, 1])
    return random.permutation(pairs[~linked])[:count]
