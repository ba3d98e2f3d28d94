"""Deletion requests as a Hypothesis strategy, and the order of a search."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.search.families import CORRUPTING, FAMILIES
from pytest_unlearn.search.request import COMPOSED, SEQUENCE, ForgetRequest, Space

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from pytest_unlearn.data.split import Split

ALL = (*FAMILIES, *COMPOSED)
SPACES: tuple[Space, Space] = ("input", "features")
WHOLE = ("whole-class", "group", "class-but-one", "all-but-one")  # as large as they are
UNSIZED = ("single", *WHOLE)
LABELLED = ("whole-class", "class-fraction", "class-but-one", "group")
LARGEST_SHARE = 5  # of train, at most a fifth is asked for by default
DRAWS = 100  # of one family and size
MOST_PARTS = 3
SIZES = 100  # of a search, as many between 1 and 10 examples as between 10 and 100
STANDS_OUT = (
    "memorised",
    "mislabelled",
    "outliers",
    "near-duplicates",
    "hardest",
    "class-fraction",
    "easiest",
    "cluster",
)
"""Families to which a weakness confines itself most often: the order in which smaller requests are tried."""
CLASSES_AT_FIRST = 12  # asked for in the first round of a search


def forget_sets(
    split: Split, families: Sequence[str] | None = None, sizes: tuple[int, int] | None = None
) -> SearchStrategy[ForgetRequest]:
    """Draw deletion requests over a split's training set: a Hypothesis strategy.

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
    if not hasattr(split, "held_out"):
        raise TypeError(f"requests are drawn over a Split, such as task.split, not a {type(split).__name__}.")
    names = available(families, groups=split.groups is not None)
    low, high = check_sizes(sizes) if sizes is not None else (1, largest_request(split))
    return _requests(split, names, range(low, high + 1))


def searched_forget_sets(split: Split, families: Sequence[str]) -> SearchStrategy[ForgetRequest]:
    """Draw requests of every order of magnitude, one in four of the largest size."""
    largest = largest_request(split)
    sizes = [round(largest ** (step / SIZES)) for step in range(SIZES)] + [largest] * (SIZES // 3)
    return _requests(split, families, sizes, share=True)


def _requests(
    split: Split, families: Sequence[str], sizes: Sequence[int], *, share: bool = False
) -> SearchStrategy[ForgetRequest]:
    """Draw a family and the settings of all, so that a plainer one can take its place.

    One without a size is drawn with the largest, since others are to be as large. With `share`, the parts of a composed
    request share its size.
    """
    from hypothesis import strategies as st

    names = sorted(families, key=lambda name: (name in COMPOSED, name in UNSIZED))
    plain = [name for name in names if name not in (*COMPOSED, "single")] or ["random"]
    labels = {name: max(1, _groups(split)) if name == "group" else len(split.classes) for name in LABELLED}
    last = len(sizes) - 1
    strategies: dict[str, SearchStrategy[Any]] = {
        "size": st.integers(0, last),
        "label": st.sampled_from(range(max(labels.values()))),
        "space": st.sampled_from(SPACES),
        "seed": st.sampled_from(range(DRAWS)),
    }
    needed = [setting for setting in strategies if any(setting in _settings(name) for name in (*names, *plain))]
    large = {**strategies, "size": st.integers(max(0, last - 1), last)}

    def request(name: str, given: dict[str, Any], parts: int = 1) -> ForgetRequest:
        settings = {setting: given[setting] for setting in _settings(name)}
        if "size" in settings:
            settings["size"] = max(1, sizes[settings["size"]] // parts)
        if "label" in settings:
            settings["label"] %= labels[name]
        return ForgetRequest(name, **settings)

    @st.composite
    def requests(draw: DrawFn) -> ForgetRequest:
        name = draw(st.sampled_from(names))
        given = [{setting: draw((large if name in UNSIZED else strategies)[setting]) for setting in needed}]
        if name not in COMPOSED:
            return request(name, given[0])
        for _ in range(draw(st.integers(1, MOST_PARTS - 1))):
            given.append({setting: draw(strategies[setting]) for setting in needed})
        parts = len(given) if share else 1
        return ForgetRequest(name, parts=tuple(request(draw(st.sampled_from(plain)), one, parts) for one in given))

    return requests()


def _settings(name: str) -> list[str]:
    """List the settings that a family looks at, so that its line holds no others."""
    looked_at = {
        "size": name not in (*UNSIZED, *COMPOSED),
        "label": name in LABELLED,
        "space": name in ("cluster", "near-duplicates"),
        "seed": name not in ("whole-class", "group", *COMPOSED),
    }
    return [setting for setting, wanted in looked_at.items() if wanted]


@dataclass(frozen=True)
class Turns:
    """The order of a search: every family has one turn a round.

    The first round asks for the largest size, and for the classes one after the other; later ones for any size that an
    attack may see something in. A family all of whose requests were tried does not hold up the others.
    """

    families: Sequence[str]
    classes: int
    groups: int
    largest: int

    def due(self, request: ForgetRequest, tried: Collection[ForgetRequest]) -> bool:
        """Decide whether it is a request's turn after those that were tried."""
        turns = Counter(one.family for one in tried)
        most = {"whole-class": self.classes, "group": self.groups}
        waiting = [name for name in self.families if turns[name] < most.get(name, DRAWS)]
        turns["whole-class"] -= min(self.classes, CLASSES_AT_FIRST) - 1
        current = max(0, min((turns[name] for name in waiting), default=len(tried)))
        least = self.largest**0.5 if current or request.parts else self.largest
        parts = request.parts or (request,)
        size = len(parts) * min(self.largest if part.family in WHOLE else part.size for part in parts)
        return turns[request.family] <= current and (size >= least or request.family == "single")


def turns_of(split: Split, families: Sequence[str]) -> Turns:
    """Order a search over a split's training set."""
    return Turns(families, len(split.classes), _groups(split), largest_request(split))


def resized(request: ForgetRequest, size: int, families: Sequence[str]) -> Iterator[ForgetRequest]:
    """List requests of so many examples, the most like a given one first.

    In place of a sequence each is tried by itself, and beside a single example, which comes before or after it as the
    smaller part of the sequence does: some methods give back what an earlier request took, others fail by the second.
    """
    own = max(request.parts or (request,), key=lambda part: part.size)
    comes_first = own is (request.parts or (request,))[0]
    named = [name for name in (own.family, *STANDS_OUT, *FAMILIES) if name in families and name not in UNSIZED]
    alike = [(own.family, own.seed)] if own.family in named else []
    in_steps = request.family == SEQUENCE and size > 1
    for name, seed in dict.fromkeys([*alike, *itertools.product(named, range(1 if in_steps else 2))]):
        looked_at = _settings(name)
        label = own.label if "label" in looked_at else 0
        one = ForgetRequest(name, size, seed, label, own.space if "space" in looked_at else "input")
        yield one
        if in_steps:
            steps = (replace(one, size=size - 1), ForgetRequest("single", seed=seed))
            as_given = steps if comes_first else steps[::-1]
            yield ForgetRequest(SEQUENCE, parts=as_given)
            if name == own.family:
                yield ForgetRequest(SEQUENCE, parts=as_given[::-1])


def largest_request(split: Split) -> int:
    """Bound the examples of a request by default."""
    return max(1, len(split.train) // LARGEST_SHARE)


def _groups(split: Split) -> int:
    """Count the groups of the training examples."""
    return 0 if split.groups is None else len(np.unique(split.groups))


def check_sizes(sizes: tuple[int, int]) -> tuple[int, int]:
    """Check the smallest and the largest size.

    Raises:
        ValueError: anything but two whole numbers from 1, in order.
    """
    whole = isinstance(sizes, tuple | list) and len(sizes) == 2 and all(hasattr(size, "__index__") for size in sizes)
    if not whole or not 1 <= sizes[0] <= sizes[1]:
        raise ValueError(f"sizes must be (smallest, largest) with 1 <= smallest <= largest, not {sizes!r}.")
    return int(sizes[0]), int(sizes[1])


def available(families: Sequence[str] | None, *, groups: bool) -> tuple[str, ...]:
    """List the families to search, plainest first; by default all that apply.

    Raises:
        ValueError: a name that is no family, or none at all.
    """
    if isinstance(families, str) or not (families is None or all(isinstance(name, str) for name in families)):
        raise ValueError(f"families is a list of names, such as ['random', 'cluster'], not {families!r}.")
    chosen = tuple(families) if families is not None else tuple(name for name in ALL if groups or name != "group")
    existing = (*ALL, *CORRUPTING)
    unknown = [name for name in chosen if name not in existing]
    if unknown or not chosen:
        raise ValueError(f"families must be some of {', '.join(existing)}, not {', '.join(unknown) or 'none'}.")
    return tuple(name for name in existing if name in chosen)
