"""Delete rows from data-removal-enabled trees (DaRE)."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearners._core.isolation import Examples, Unsupported, require_retain
from unlearners.exact.arrays import arrays
from unlearners.exact.forest import UnlearnableForestClassifier


@dataclass(frozen=True, kw_only=True)
class DaRE:
    """Delete rows from a forest whose upper levels split at random.

    Source: Brophy and Lowd 2021, "Machine unlearning for random forests". Nodes of the first `random_depth` levels take
    a random feature and a threshold drawn uniformly within its range; below, a node takes the best by Gini impurity of
    `thresholds` thresholds for each of some features. Counts of all candidates are kept. A deletion lowers them on one
    path and grows a subtree again only where another candidate has become the best, or a range shrank: rare near the
    root, which is random, and cheap near the leaves. Unlike the paper, the thresholds of lower levels too are drawn
    within the range rather than between neighbouring values. On 10,000 rows of 6 features a deletion takes 0.6 to 1.6%
    of the time of growing the tree on average (3 data sets, 200 deletions each), half of them less than 0.8%, and up to
    87% where a split near the root is overturned.

    Exact: bit for bit the forest grown from scratch on what is left with the same secret random numbers
    (`UnlearnableForestClassifier`), so that a request's seed has no effect. Requests must not depend on the model. The
    new forest shares with the old one what the request did not touch, which nothing can change.

    trees, random_depth, thresholds, max_features, max_depth: of the forest that `train` grows.

    Defaults: the paper tunes trees among 10 to 250, depth among 1 to 20, thresholds among 5 to 100 and random levels
    among 0 to 10; 10, 20, 10 and 3 are ours.
    """

    trees: int = 10
    random_depth: int = 3
    thresholds: int = 10
    max_features: int | None = None
    max_depth: int = 20

    def __post_init__(self) -> None:
        if min(self.trees, self.thresholds, self.max_depth) < 1 or self.random_depth < 0:
            raise ValueError(f"trees, thresholds and max_depth are at least 1, random_depth at least 0: {self}")
        if self.max_features is not None and self.max_features < 1:
            raise ValueError(f"max_features is at least 1, or None: {self}")

    def train(self, dataset: Examples, *, seed: int) -> UnlearnableForestClassifier:
        """Grow a forest from which rows can be deleted."""
        x, y = arrays(dataset)
        return UnlearnableForestClassifier(
            self.trees,
            random_depth=self.random_depth,
            thresholds=self.thresholds,
            max_features=self.max_features,
            max_depth=self.max_depth,
            random_state=int(seed),
        ).fit(x, y)

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:  # noqa: ARG002
        name = type(self).__name__
        if not isinstance(model, UnlearnableForestClassifier):
            raise Unsupported(
                f"{name} needs an UnlearnableForestClassifier, as its own train() gives, not {type(model).__name__}: "
                "other trees do not remember what they were chosen among; Retrain(recipe) works for any model."
            )
        require_retain(retain, name)
        if len(forget) == 0:
            return deepcopy(model)
        rows, x, y = model.held()
        if len(rows) != len(retain) + len(forget):
            raise ValueError(f"{name}: retain and forget together are not what the forest was grown from.")
        places: dict[Any, list[int]] = defaultdict(list)
        for number, row, label in zip(rows[::-1].tolist(), x[::-1], y[::-1].tolist(), strict=True):
            places[row.tobytes(), label].append(number)
        gone_x, gone_y = arrays(forget)
        try:
            gone = [
                places[np.ascontiguousarray(row).tobytes(), label].pop()
                for row, label in zip(gone_x, gone_y.tolist(), strict=True)
            ]
        except IndexError:
            raise ValueError(f"{name}: the forget set holds a row that the forest was not grown from.") from None
        return model.without(gone)
