"""Grow randomised trees from which rows can be taken exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unlearners.exact.arrays import Array

Rows = NDArray[np.intp]


class Table(NamedTuple):
    """Hold training rows (n, features), and their labels as one-hot rows (n, classes)."""

    x: Array
    labels: Array


@dataclass(frozen=True)
class Growth:
    """Set how a tree grows.

    max_depth, min_samples_split: a node deeper, or with fewer rows, is a leaf; so is one of a single class.
    random_depth: levels from the root whose split is drawn without a look at labels.
    max_features, thresholds: how many features are candidates below them, with how many thresholds each.
    """

    max_depth: int
    min_samples_split: int
    random_depth: int
    max_features: int
    thresholds: int

    def candidates(self, depth: int) -> tuple[int, int]:
        """Count the features and the thresholds of each that a node chooses among."""
        return (1, 1) if depth < self.random_depth else (self.max_features, self.thresholds)


def _seal(*arrays: NDArray[Any]) -> None:
    """Make arrays read-only: forests share the nodes that a deletion leaves as they are."""
    for array in arrays:
        array.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Column:
    """Hold one feature's candidates at a node.

    low, high: its range there; at_low, at_high: how many rows lie at either end, below which the range shrinks.
    thresholds: (k,); left: rows of each class at or below each threshold, (k, classes).
    """

    feature: int
    low: float
    high: float
    at_low: int
    at_high: int
    thresholds: Array
    left: Array

    def __post_init__(self) -> None:
        _seal(self.thresholds, self.left)


@dataclass(frozen=True, slots=True)
class Node:
    """Hold a leaf with its rows, or a split with all that it was chosen among."""

    counts: Array
    rows: Rows | None = None
    columns: tuple[Column, ...] = ()
    feature: int = -1
    threshold: float = 0.0
    left: Node | None = None
    right: Node | None = None

    def __post_init__(self) -> None:
        _seal(self.counts, *([] if self.rows is None else [self.rows]))

    def members(self) -> Rows:
        """List the rows of the node."""
        if self.rows is not None:
            return self.rows
        assert self.left is not None
        assert self.right is not None
        return np.concatenate([self.left.members(), self.right.members()])


@dataclass(frozen=True)
class Tree:
    """Grow a tree as a function of the rows and of a tape of random numbers.

    What a node draws depends on the seed and its place alone: an order of the features, of which the first that vary
    are candidates, and for each feature numbers u in [0, 1), which stand for the thresholds low + u (high - low). So
    the tree of fewer rows on the same tape is a tree of a retraining, and most of it is there already: a node is grown
    again only where its best split is another one.
    """

    growth: Growth
    seed: int
    number: int

    def grow(self, table: Table, rows: Rows, depth: int = 0, place: int = 1) -> Node:
        """Grow the subtree at a place (1 is the root; 2p and 2p + 1 are below p)."""
        counts = table.labels[rows].sum(0)
        if self.ends(counts, depth):
            return Node(counts, rows)
        return self.split(table, rows, counts, self.columns(table, rows, depth, place), depth, place)

    def ends(self, counts: Array, depth: int) -> bool:
        """Tell whether a node with these rows is a leaf."""
        size = counts.sum()
        return bool(depth >= self.growth.max_depth or size < self.growth.min_samples_split or counts.max() == size)

    def columns(self, table: Table, rows: Rows, depth: int, place: int) -> tuple[Column, ...]:
        """Draw a node's candidates from its part of the tape."""
        wanted, k = self.growth.candidates(depth)
        tape = np.random.default_rng([self.seed, self.number, place])
        order, numbers = tape.permutation(table.x.shape[1]), tape.random((table.x.shape[1], k))
        labels, found = table.labels[rows], []
        for feature in order:
            values = table.x[rows, feature]
            low, high = values.min(), values.max()
            if low < high:
                thresholds = low + numbers[feature] * (high - low)
                ends = int((values == low).sum()), int((values == high).sum())
                left = (values[:, None] <= thresholds).T.astype(float) @ labels
                found.append(Column(int(feature), low, high, *ends, thresholds, left))
            if len(found) == wanted:
                break
        return tuple(found)

    def split(
        self, table: Table, rows: Rows, counts: Array, columns: tuple[Column, ...], depth: int, place: int
    ) -> Node:
        """Grow both sides of the best split, or a leaf where nothing divides the rows."""
        best = best_split(columns, counts)
        if best is None:
            return Node(counts, rows, columns)
        feature, threshold = best
        below = table.x[rows, feature] <= threshold
        left = self.grow(table, rows[below], depth + 1, 2 * place)
        right = self.grow(table, rows[~below], depth + 1, 2 * place + 1)
        return Node(counts, None, columns, feature, threshold, left, right)

    def without(self, node: Node, table: Table, gone: Rows, depth: int = 0, place: int = 1) -> Node:
        """Return the subtree of what is left; subtrees that lose no row are shared."""
        if not len(gone):
            return node
        counts = node.counts - table.labels[gone].sum(0)
        if self.ends(counts, depth) or node.left is None or node.right is None:
            rows = np.setdiff1d(node.members(), gone, assume_unique=True)
            return Node(counts, rows) if self.ends(counts, depth) else self.grow(table, rows, depth, place)
        columns = tuple(shrunk(column, table, gone) for column in node.columns)
        if any(column is None for column in columns):  # a range has shrunk, and with it the thresholds
            rows = np.setdiff1d(node.members(), gone, assume_unique=True)
            drawn = self.columns(table, rows, depth, place)
        else:
            drawn = tuple(column for column in columns if column is not None)
        if best_split(drawn, counts) != (node.feature, node.threshold):
            rows = np.setdiff1d(node.members(), gone, assume_unique=True)
            return self.split(table, rows, counts, drawn, depth, place)
        below = table.x[gone, node.feature] <= node.threshold
        left = self.without(node.left, table, gone[below], depth + 1, 2 * place)
        right = self.without(node.right, table, gone[~below], depth + 1, 2 * place + 1)
        return replace(node, counts=counts, columns=drawn, left=left, right=right)


def best_split(columns: tuple[Column, ...], counts: Array) -> tuple[int, float] | None:
    """Find the candidate of least Gini impurity; None if none divides the rows."""
    best, found = -np.inf, None
    for column in columns:
        left, right = column.left, counts - column.left
        below, above = left.sum(1), right.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            purity = (left**2).sum(1) / below + (right**2).sum(1) / above
        purity[(below == 0) | (above == 0)] = -np.inf
        k = int(purity.argmax())
        if purity[k] > best:
            best, found = purity[k], (column.feature, float(column.thresholds[k]))
    return found


def shrunk(column: Column, table: Table, gone: Rows) -> Column | None:
    """Take rows out of a feature's candidates; None if its range shrinks."""
    values = table.x[gone, column.feature]
    at_low = column.at_low - int((values == column.low).sum())
    at_high = column.at_high - int((values == column.high).sum())
    if at_low == 0 or at_high == 0:
        return None
    left = column.left - (values[:, None] <= column.thresholds).T.astype(float) @ table.labels[gone]
    return replace(column, at_low=at_low, at_high=at_high, left=left)


def shares(node: Node, x: Array) -> Array:
    """Look up the share of each class in the leaf of each row, (rows, classes)."""
    found = np.empty((len(x), len(node.counts)))
    waiting = [(node, np.arange(len(x)))]
    while waiting:
        here, rows = waiting.pop()
        if here.left is None or here.right is None:
            found[rows] = here.counts / here.counts.sum()
        elif len(rows):
            below = x[rows, here.feature] <= here.threshold
            waiting += [(here.left, rows[below]), (here.right, rows[~below])]
    return found
