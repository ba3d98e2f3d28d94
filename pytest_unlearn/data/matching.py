"""Read what examples are matched by, and compute it for a view.

It has to be known of an example without any model that is audited: of inputs and labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.kept_items import to_numpy
from pytest_unlearn.data.tables import column, columns_of, numbers
from pytest_unlearn.data.view import View

Covariates = Callable[[Any, Any], Any]
Match = str | Covariates | Sequence[str | Covariates] | None
CLASS, PROPENSITY = "class", "propensity"
HOW = (
    'match is "class", None, "propensity", a column of the frame, a callable (X, y) -> one number (or a row of them) '
    'an example, or ("class", one of these)'
)


@dataclass(frozen=True, slots=True)
class Matching:
    """Say what is matched: classes, a column, "propensity", or a callable's values."""

    by_class: bool
    by: str | Covariates | None = None

    @property
    def name(self) -> str | None:
        """Name it, for a report; None where all are compared with all."""
        by = self.by if isinstance(self.by, str) or self.by is None else getattr(self.by, "__qualname__", "")
        parts = [CLASS] * self.by_class + [by or type(self.by).__qualname__] * (self.by is not None)
        return ", ".join(parts) or None

    def check_columns(self, parts: Sequence[Examples]) -> None:
        """Refuse a column that one of these does not have; ValueError."""
        if not isinstance(self.by, str) or self.by == PROPENSITY:
            return
        for part in parts:
            frame = part.frame
            if frame is None or self.by not in columns_of(frame):
                there = "no frame" if frame is None else f"columns {', '.join(map(repr, columns_of(frame)))}"
                raise ValueError(f"match={self.by!r} names no column of {part.name}, which has {there}: {HOW}.")

    def covariates(self, view: View) -> Any:
        """Compute what is matched by, [examples, columns] numbers, or [examples] names.

        Raises:
            ValueError: a callable that returns something else.
        """
        assert self.by is not None
        if isinstance(self.by, str):
            values = column(view.examples.frame, self.by)[view.indices]
        else:
            values = to_numpy(self.by(*view.arrays()))
        return _checked(values, len(view), self.name or "")


def read_match(match: Any) -> Matching:
    """Read `match=`; ValueError for what is none."""
    parts = [] if match is None else list(match) if isinstance(match, (list, tuple)) else [match]
    by_class = CLASS in [part for part in parts if isinstance(part, str)]
    others = [part for part in parts if not (isinstance(part, str) and part == CLASS)]
    known = all((isinstance(part, str) and part) or callable(part) for part in others)
    if len(others) > 1 or not known or (match is not None and not parts):
        raise ValueError(f"{HOW}; not {match!r}.")
    return Matching(by_class, others[0] if others else None)


def _checked(values: Any, count: int, name: str) -> FloatArray | np.ndarray[Any, Any]:
    rows = np.asarray(values)
    if rows.ndim not in (1, 2) or len(rows) != count or (rows.ndim == 2 and rows.shape[1] == 0):
        raise ValueError(
            f"match by {name} gives an array of shape {rows.shape} for {count} examples: return one number, or one row "
            "of numbers, for each."
        )
    if rows.dtype.kind not in "biuf":
        if rows.ndim == 2:
            return _finite(numbers(rows), name)
        try:
            return _finite(rows.astype(np.float64)[:, None], name)
        except (TypeError, ValueError):
            return np.array([str(value) for value in rows.tolist()])
    return _finite(rows.astype(np.float64).reshape(count, -1), name)


def _finite(rows: FloatArray, name: str) -> FloatArray:
    if not np.isfinite(rows).all():
        raise ValueError(f"match by {name} gives values that are missing or not finite: fill them in first.")
    return rows
