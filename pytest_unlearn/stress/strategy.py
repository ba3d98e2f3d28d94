"""forget_sets: deletion requests for Hypothesis, which shrink to few examples of a plain family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_unlearn.stress.requests import COMPOSED, ForgetRequest
from pytest_unlearn.stress.schedule import SPACES, available

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from pytest_unlearn.split import Split

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
