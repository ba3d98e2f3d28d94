"""forget_sets: deletion requests for Hypothesis, which shrink to few examples of a plain family.

Which requests a search tries, in which order: every family at its largest first, then ever more varied ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.search.families import CORRUPTING, FAMILIES
from pytest_unlearn.search.request import COMPOSED, ForgetRequest, Space

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from pytest_unlearn.data.split import Split


LARGEST_SHARE = 5  # of train, at most a fifth is asked for by default
MOST_DRAWS = 99
MOST_PARTS = 3


def forget_sets(
    split: Split, families: Sequence[str] | None = None, sizes: tuple[int, int] | None = None
) -> SearchStrategy[ForgetRequest]:
    """Deletion requests over a split's training set, as a Hypothesis strategy.

    Args:
        split: what was trained on; its own forget set plays no part.
        families: names of families; all by default, "group" only where the split has groups.
        sizes: the smallest and the largest number of examples; from 1 to a fifth of train by default.

    Returns:
        A strategy of `ForgetRequest`s. Each prints in one line, which recreates it exactly, and shrinks to a plainer
        family, fewer examples and the first draw. The `unlearn` fixture runs the method on it.

    Raises:
        ValueError: a family that does not exist, or sizes out of order.
        TypeError: something other than a split.
    """
    from hypothesis import strategies as st

    if not hasattr(split, "held_out"):
        raise TypeError(f"requests are drawn over a Split, such as task.split, not a {type(split).__name__}.")
    names = available(families, groups=split.groups is not None)
    low, high = check_sizes(sizes) if sizes is not None else (1, max(1, len(split.train) // LARGEST_SHARE))
    classes = len(split.classes)
    owners = 0 if split.groups is None else len(set(split.groups.tolist()))
    plain = [name for name in names if name not in COMPOSED] or ["random"]

    def one(draw: DrawFn, name: str) -> ForgetRequest:
        given: dict[str, Any] = {}
        if name not in ("single", "whole-class", "group", "class-but-one", "all-but-one"):
            given["size"] = draw(st.integers(low, high))
        if name in ("whole-class", "class-fraction", "class-but-one", "group"):
            given["label"] = draw(st.integers(0, (owners if name == "group" else classes) - 1))
        if name in ("cluster", "near-duplicates"):
            given["space"] = draw(st.sampled_from(SPACES))
        if name not in ("whole-class", "group"):
            given["seed"] = draw(st.integers(0, MOST_DRAWS))
        return ForgetRequest(name, **given)

    @st.composite
    def requests(draw: DrawFn) -> ForgetRequest:
        name = draw(st.sampled_from(names))
        if name not in COMPOSED:
            return one(draw, name)
        count = draw(st.integers(2, MOST_PARTS))
        return ForgetRequest(name, parts=tuple(one(draw, draw(st.sampled_from(plain))) for _ in range(count)))

    return requests()


def check_sizes(sizes: tuple[int, int]) -> tuple[int, int]:
    """The smallest and the largest size.

    Raises:
        ValueError: anything but two whole numbers from 1, in order.
    """
    whole = isinstance(sizes, tuple | list) and len(sizes) == 2 and all(hasattr(size, "__index__") for size in sizes)
    if not whole or not 1 <= sizes[0] <= sizes[1]:
        raise ValueError(f"sizes must be (smallest, largest) with 1 <= smallest <= largest, not {sizes!r}.")
    return int(sizes[0]), int(sizes[1])


ALL = (*FAMILIES, *COMPOSED)
CLASSES_AT_FIRST = 12
PATIENCE = 1000  # draws without a new request, after which there are none
SPACES: tuple[Space, Space] = ("input", "features")


def available(families: Sequence[str] | None, *, groups: bool) -> tuple[str, ...]:
    """The families to search, plainest first; by default all, "group" only where groups are known.

    Raises:
        ValueError: a name that is no family, or none at all.
    """
    if isinstance(families, str) or not (families is None or all(isinstance(name, str) for name in families)):
        raise ValueError(f"families is a list of names, such as ['random', 'cluster'], not {families!r}.")
    chosen = tuple(families) if families is not None else tuple(name for name in ALL if groups or name != "group")
    known = (*ALL, *CORRUPTING)
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ValueError(f"families must be some of {', '.join(known)}, not {', '.join(unknown) or 'none'}.")
    return tuple(name for name in known if name in chosen)


def schedule(
    families: Sequence[str], *, classes: int, groups: int = 0, largest: int, seed: int
) -> Iterator[ForgetRequest]:
    """Requests, the same for the same seed, each only once, as long as there are any that were not tried.

    `largest` is the size that is tried first; an attack sees most there, and what it finds is made smaller afterwards.
    """
    rng = np.random.default_rng(seed)
    seen: set[ForgetRequest] = set()
    repeats = 0
    for request in _rounds(families, classes, groups, largest, rng):
        repeats = repeats + 1 if request in seen else 0
        if repeats > PATIENCE:
            return
        if not repeats:
            seen.add(request)
            yield request


def _rounds(
    families: Sequence[str], classes: int, groups: int, largest: int, rng: np.random.Generator
) -> Iterator[ForgetRequest]:
    plain = [name for name in families if name not in COMPOSED and name != "single"] or ["random"]
    for name in families:
        if name == "whole-class":
            yield from (ForgetRequest(name, label=k) for k in rng.permutation(classes)[:CLASSES_AT_FIRST].tolist())
        elif name in COMPOSED:
            yield ForgetRequest(name, parts=_parts("random" if "random" in plain else plain[0], largest // 2))
        else:
            yield _one(name, largest, seed=0, label=0)
    while True:
        for name in families:
            size = max(1, round(largest ** rng.uniform(0.5, 1.0)))
            draw, label = int(rng.integers(100)), int(rng.integers(max(1, groups if name == "group" else classes)))
            if name in COMPOSED:
                chosen = rng.choice(plain, size=2).tolist()
                parts = tuple(_one(part, max(1, size // 2), draw + k, label + k) for k, part in enumerate(chosen))
                yield ForgetRequest(name, parts=parts)
            else:
                yield _one(name, size, draw, label, SPACES[int(rng.integers(2))])


def _parts(family: str, size: int) -> tuple[ForgetRequest, ...]:
    return tuple(_one(family, max(1, size), seed, seed) for seed in (0, 1))


def _one(family: str, size: int, seed: int, label: int, space: Space = "input") -> ForgetRequest:
    """A request with only those settings that its family looks at, so that its line says no more than needed."""
    if family in ("whole-class", "group"):
        return ForgetRequest(family, label=label)
    if family in ("class-but-one", "all-but-one"):
        return ForgetRequest(family, seed=seed, label=label if family == "class-but-one" else 0)
    if family == "class-fraction":
        return ForgetRequest(family, size=size, seed=seed, label=label)
    if family in ("cluster", "near-duplicates"):
        return ForgetRequest(family, size=size, seed=seed, space=space)
    return ForgetRequest(family, size=1 if family == "single" else size, seed=seed)
