"""Check stored trees before anything walks along them.

What predicts follows the indices of children and features without looking: those of a file that anyone may have
written could lead anywhere in memory.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray

BEYOND_NODES = "a stored tree points beyond its own nodes"
BEYOND_FEATURES = "a stored tree asks for features that its model does not have"
NO_SETS = "a stored tree names sets of categories that it does not have"
_WIDE = ("sklearn.tree.", "sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._hist_gradient")
"""Where models are defined whose trees are asked without looking at the features once more."""


def check_trees(model: Any) -> None:
    """Refuse trees that point beyond their own nodes or the features of their model.

    Raises:
        ValueError: such a tree.
    """
    for tree, width in _trees(model, None, set()):
        kind = type(tree).__name__
        if kind == "Tree":
            left, right, features = tree.children_left, tree.children_right, tree.feature
            inner = left != -1
            width = tree.n_features if width is None else min(width, tree.n_features)
        else:
            nodes = tree.nodes
            left, right, features = (nodes[name].astype(np.int64) for name in ("left", "right", "feature_idx"))
            inner = nodes["is_leaf"] == 0
            categorical = inner & (nodes["is_categorical"] == 1)
            sets = tree.raw_left_cat_bitsets
            if categorical.any() and (sets.ndim != 2 or sets.shape[1] != 8):
                raise ValueError(NO_SETS)
            if (nodes["bitset_idx"][categorical] >= len(sets)).any():
                raise ValueError(NO_SETS)
        place = np.arange(len(left))
        ahead = all(((child > place) & (child < len(left)))[inner].all() for child in (left, right))
        if len(left) == 0 or not ahead:
            raise ValueError(BEYOND_NODES)
        if width is None or ((features < 0) | (features >= width))[inner].any():
            raise ValueError(BEYOND_FEATURES)


_CODE = (type, types.FunctionType, types.MethodType, types.ModuleType)
_PER_NODE = ("left_children", "right_children", "split_indices", "split_conditions", "default_left", "split_type")


def check_native(kind: str, data: bytes) -> None:
    """Refuse boosted trees that do so, in the format of their library.

    CatBoost checks its own: its trees have no children.

    Raises:
        ValueError: such a tree, or bytes that are no such format.
    """
    if kind == "xgboost":
        _check_xgboost(json.loads(data))
    elif kind == "lightgbm":
        _check_lightgbm(data.decode())


def _check_xgboost(model: Any) -> None:
    learner = model["learner"]
    width = int(learner["learner_model_param"]["num_feature"])
    booster = learner["gradient_booster"]
    for tree in booster.get("gbtree", booster)["model"].get("trees", ()):
        left, right, features = (np.array(tree[name]) for name in _PER_NODE[:3])
        count = int(tree["tree_param"]["num_nodes"])
        if any(len(tree[name]) != count for name in _PER_NODE):
            raise ValueError(BEYOND_NODES)
        inner = left != -1
        _check_children(np.concatenate([left[inner], right[inner]]), count)
        _check_features(features[inner], width)
        ends = np.add(tree["categories_segments"], tree["categories_sizes"])
        if len(ends) and (ends.max() > len(tree["categories"]) or min(tree["categories_segments"]) < 0):
            raise ValueError(NO_SETS)


def _check_lightgbm(text: str) -> None:
    head, *trees = text.split("\nTree=")
    width = int(_fields(head)["max_feature_idx"]) + 1
    for tree in trees:
        fields = _fields(tree)
        leaves = int(fields["num_leaves"])
        if leaves < 2:
            continue
        left, right, features = (_whole(fields[name]) for name in ("left_child", "right_child", "split_feature"))
        if not len(left) == len(right) == len(features) == leaves - 1:
            raise ValueError(BEYOND_NODES)
        children = np.concatenate([left, right])
        _check_children(children[children >= 0], leaves - 1)
        if (~children[children < 0] >= leaves).any():
            raise ValueError(BEYOND_NODES)
        _check_features(features, width)
        if int(fields.get("num_cat", 0)):
            bounds = _whole(fields["cat_boundaries"])
            named = np.array(fields["threshold"].split(), dtype=float)[_whole(fields["decision_type"]) % 2 == 1]
            if (np.diff(bounds) < 0).any() or bounds[0] != 0 or bounds[-1] > len(fields["cat_threshold"].split()):
                raise ValueError(NO_SETS)
            if ((named < 0) | (named >= len(bounds) - 1)).any():
                raise ValueError(NO_SETS)


def _check_children(children: IntArray, count: int) -> None:
    """Refuse children that are no nodes, or nodes that are children twice, so that a walk ends."""
    if ((children < 1) | (children >= count)).any() or len(np.unique(children)) < len(children):
        raise ValueError(BEYOND_NODES)


def _check_features(features: IntArray, width: int) -> None:
    if ((features < 0) | (features >= width)).any():
        raise ValueError(BEYOND_FEATURES)


def _fields(lines: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)


def _whole(text: str) -> IntArray:
    return np.array(text.split(), dtype=np.int64)


def _trees(value: Any, width: int | None, seen: set[int]) -> Iterator[tuple[Any, int | None]]:
    """Yield every tree in a model, with the fewest features that a model around it has."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if type(value).__name__ in ("Tree", "TreePredictor") and type(value).__module__.startswith("sklearn."):
        yield value, width
        return
    inside: list[Any] = []
    if type(value) in (list, tuple):
        inside = list(value)
    elif isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        inside = value.reshape(-1).tolist()
    elif has_fields(value):
        inside = list(vars(value).values())
        if type(value).__module__.startswith(_WIDE) and (own := getattr(value, "n_features_in_", None)) is not None:
            width = int(own) if width is None else min(int(own), width)
    for one in inside:
        yield from _trees(one, width, seen)


def has_fields(value: Any) -> bool:
    """Whether this is an object with attributes of its own, and no code."""
    return hasattr(value, "__dict__") and not isinstance(value, _CODE)
