"""Tell input and label of an item apart, whatever form datasets give their items."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

INPUT_KEYS = (
    "pixel_values", "image", "images", "img", "input", "inputs", "input_values", "x", "X", "features", "data", "text",
    "sentence",
)  # fmt: skip
LABEL_KEYS = ("labels", "label", "y", "Y", "target", "targets", "class", "fine_label")
COMPANIONS = ("attention_mask", "token_type_ids", "position_ids", "pixel_mask")  # a model takes these beside its input
WRAP = "wrap the dataset in one whose items are (x, y), as in `lambda i: (item[{}], item[{}])`"
MAP_STYLE = (
    "a request names examples by index: hand over a map-style dataset (`len(data)`, `data[i]`) or arrays (X, y); "
    "list(data) makes one of any that fits in memory"
)


def check_source(source: Any, name: str) -> None:
    """Refuse what holds no examples that could be named by index.

    Raises:
        ValueError: it does not; the sentence says what to hand over instead.
    """
    kind = type(source).__name__
    if _is_a(source, "torch.utils.data", "IterableDataset"):
        raise ValueError(f"{name} is an iterable dataset ({kind}), and {MAP_STYLE}.")
    if hasattr(source, "dataset") and hasattr(source, "batch_size"):
        raise ValueError(
            f"{name} is a {kind}, which gives batches in an order of its own, and the data must be a map-style "
            f"dataset: pass the loader's .dataset."
        )
    if isinstance(source, Mapping):
        keys = ", ".join(map(str, list(source)[:6]))
        raise ValueError(
            f"{name} is a {kind} of {keys}: name the part that is meant, as in data['train'], or pass a pair of "
            "arrays (X, y)."
        )
    if isinstance(source, (str, bytes)) or hasattr(source, "__fspath__"):
        raise ValueError(f"{name} is {source!r}, not the data: load it, and pass a dataset or a pair of arrays (X, y).")
    if source is None:
        raise ValueError(f"{name} is None: pass a map-style dataset of (x, y) items, or a pair of arrays (X, y).")
    if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        raise ValueError(
            f"{name} must be a map-style dataset of (x, y) items with a length, or a pair of arrays (X, y); got "
            f"{kind}, and {MAP_STYLE}."
        )


def split_item(item: Any, where: str) -> tuple[Any, Any, str]:
    """Tell an item's input and label apart.

    Args:
        item: `(x, y)`, also with more behind it; a named tuple or mapping whose fields have known names.
        where: what the item is called, such as "train[3]".

    Returns:
        (x, y, left out): the last says what of the item is not used, and is empty where all of it is.

    Raises:
        ValueError: they cannot be told.
    """
    if isinstance(item, Mapping):
        return _by_names(item, where)
    names = getattr(item, "_fields", None)
    if names is not None and any(name in LABEL_KEYS for name in names):
        return _by_names(dict(zip(names, item, strict=True)), where)
    if not isinstance(item, Sequence) or isinstance(item, (str, bytes)) or len(item) < 2:
        raise ValueError(f"{where} is not an (x, y) pair: labels are missing. Every item needs its label.")
    left_out = f"parts {', '.join(map(str, range(2, len(item))))} of each item" if len(item) > 2 else ""
    if left_out and _size(item[1]) != 1:
        raise ValueError(
            f"{where} has {len(item)} parts, and the second is no label of one number: {WRAP.format(0, len(item) - 1)}."
        )
    return item[0], item[1], left_out


def _by_names(item: Mapping[Any, Any], where: str) -> tuple[Any, Any, str]:
    labels = [key for key in LABEL_KEYS if key in item]
    rest = [key for key in item if key not in labels]
    inputs = [key for key in rest if key in INPUT_KEYS]
    beside = [key for key in rest if key in COMPANIONS]
    if len(labels) == 1 and not beside and (len(inputs) == 1 or len(rest) == 1):
        key = (inputs or rest)[0]
        others = [str(one) for one in rest if one != key]
        return item[key], item[labels[0]], f"{', '.join(others)} of each item" if others else ""
    keys = ", ".join(repr(key) for key in item)
    what = "labels are missing" if not labels else "which are input and label cannot be told"
    if beside:
        what = f"a model that takes {', '.join(map(repr, beside))} besides needs an input that holds both"
    raise ValueError(f"{where} has the fields {keys}, and {what}: {WRAP.format(repr('image'), repr('label'))}.")


def _size(value: Any) -> int:
    """Count the numbers that a value holds; one for a scalar or a text."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return len(value) if isinstance(value, (list, tuple)) else 1
    size = 1
    for side in shape:
        size *= int(side)
    return size


def _is_a(value: Any, module: str, name: str) -> bool:
    """Tell whether a value is of a class of a module, without importing it."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)
