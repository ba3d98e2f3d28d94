"""Read the evaluation logs of open-unlearning, such as `TOFU_EVAL.json`.

As plain records: what is logged for each item, and the aggregate, as they are. None is a verdict, and some carry known
defects: extraction strength is 1/T where no token is right, and a truth ratio whose source has an item without a value
is numbered wrongly from there on. Source: Dorna et al. 2025 (arXiv 2506.12618).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.files import read_file
from pytest_unlearn.core.text import printable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoggedMetric:
    """Hold one metric of a log.

    `value` is the aggregate, None where none was logged. `items` are the numbers of the items, in order; `values` has
    by statistic ("prob", "avg_loss", "score", "rougeL_recall", ...) an array (items,), or (items, answers) where there
    were several answers to each; NaN where an item has no value. `texts` has what was logged in words.
    """

    name: str
    value: float | None
    items: tuple[int, ...]
    values: Mapping[str, FloatArray]
    texts: Mapping[str, tuple[str, ...]]

    def of(self, statistic: str) -> FloatArray:
        """Return one statistic's values.

        Raises:
            ValueError: one that was not logged; the sentence names those that were.
        """
        if statistic not in self.values:
            raise ValueError(f"{self.name} has no {statistic}, only {', '.join(self.values) or 'an aggregate'}.")
        return self.values[statistic]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenUnlearningLog:
    """Hold the metrics of one evaluation, by name."""

    name: str
    metrics: Mapping[str, LoggedMetric]

    def __getitem__(self, metric: str) -> LoggedMetric:
        """Return one metric.

        Raises:
            ValueError: one that was not logged; the sentence names those that were.
        """
        if metric not in self.metrics:
            raise ValueError(f"{self.name} has no {metric}, only {', '.join(self.metrics)}.")
        return self.metrics[metric]


def read_open_unlearning_log(path: str | Path) -> OpenUnlearningLog:
    """Read an evaluation log.

    Args:
        path: `<BENCHMARK>_EVAL.json`, or `<BENCHMARK>_SUMMARY.json`, which has aggregates alone.

    Returns:
        Its metrics.

    Raises:
        FileNotFoundError: no such file.
        ValueError: in one sentence with file and metric: no JSON, no metric, or items that are not alike.
    """
    file = Path(path)
    name = printable(file.name)
    try:
        logged = json.loads(read_file(file))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: pass a file that open-unlearning's evaluation wrote.") from error
    if not isinstance(logged, dict) or not logged:
        raise ValueError(f"{name} has no metrics: pass a file that open-unlearning's evaluation wrote.")
    found = {str(metric): _metric(str(metric), entry, name) for metric, entry in logged.items()}
    return OpenUnlearningLog(name=name, metrics=found)


def _metric(metric: str, entry: Any, name: str) -> LoggedMetric:
    """Make a record of one metric."""
    where = f"{printable(metric)} of {name}"
    if entry is None or _is_number(entry):  # a summary
        entry = {"agg_value": entry}
    if not isinstance(entry, dict) or not ({"agg_value", "value_by_index"} & set(entry)):
        raise ValueError(f"{where} has neither agg_value nor value_by_index: it is no metric of open-unlearning.")
    value, by_index = entry.get("agg_value"), entry.get("value_by_index") or {}
    if value is not None and not _is_number(value):
        raise ValueError(f"{where} has the aggregate {value!r}, which is no number.")
    if not isinstance(by_index, dict) or not all(str(key).lstrip("-").isdecimal() for key in by_index):
        raise ValueError(f"{where} has items without numbers.")
    items = sorted(by_index, key=int)
    rows = [by_index[key] if by_index[key] is not None else {} for key in items]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{where} has items that are no tables of statistics.")
    names = list(dict.fromkeys(statistic for row in rows for statistic in row))
    values, texts = {}, {}
    for statistic in names:
        column = [row.get(statistic) for row in rows]
        if any(isinstance(each, str) for each in column):
            texts[statistic] = tuple("" if each is None else str(each) for each in column)
        else:
            values[statistic] = _column(column, f"{statistic} of {where}")
    return LoggedMetric(
        name=metric,
        value=None if value is None else float(value),
        items=tuple(int(key) for key in items),
        values=values,
        texts=texts,
    )


def _column(column: list[Any], where: str) -> FloatArray:
    """Make an array of one statistic, NaN where an item has none."""
    widths = {len(each) for each in column if isinstance(each, list)}
    if len(widths) > 1:
        raise ValueError(f"{where} has {min(widths)} answers to some items and {max(widths)} to others.")
    if widths:
        empty = [None] * max(widths)
        cells = [[_number(cell, where) for cell in (each if isinstance(each, list) else empty)] for each in column]
        return np.array(cells, dtype=np.float64)
    return np.array([_number(each, where) for each in column], dtype=np.float64)


def _number(value: Any, where: str) -> float:
    if value is None:
        return math.nan
    if not _is_number(value):
        raise ValueError(f"{where} holds {type(value).__name__}s, and numbers are needed.")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
