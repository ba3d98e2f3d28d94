"""Draw intervals below each other, beside the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.report.html.plots.svg import LINE, WIDTH, Axis, Drawing, bottom, ends, width_of, wrapped

LABELS = 150.0  # so wide are lines of labels at most, which stand beside their intervals
FARTHEST = 2.0  # times what estimates and limits span: farther bounds end in an arrow
ROLES = {"unlearned": "this model", "original": "the original", "retrained": "retrained models"}


@dataclass(frozen=True)
class Row:
    """One interval: its label, whose it is, value and bounds; None is open.

    `band` is what is shaded behind it, `marks` what else stands beside it, by role.
    """

    label: str
    role: str
    value: float
    low: float | None = None
    high: float | None = None
    band: tuple[float, float] | None = None
    marks: tuple[tuple[str, float], ...] = ()


def row(label: str, role: str, estimate: Mapping[str, Any]) -> Row | None:
    """Make the row of an estimate; None where it is no number."""
    if estimate["value"] is None:
        return None
    return Row(label, role, estimate["value"], estimate["low"], estimate["high"])


def forest(rows: Sequence[Row], limits: Sequence[float], label: str, limit_words: Sequence[str] = ()) -> Drawing | None:
    """Draw rows of intervals, with the limits as dashed lines; None without rows."""
    if not rows:
        return None
    labels = [wrapped(one.label, LABELS) for one in rows]
    axis = _axis(rows, limits, max(width_of(words) for lines in labels for words in lines) + 12)
    drawing = Drawing()
    _limits(drawing, axis, limits, limit_words or [f"limit {limit:.3g}" for limit in limits])
    top, placed = drawing.height, [_place(drawing, lines) for lines in labels]
    for y, one in zip(placed, rows, strict=True):
        if one.band:
            wide = max(2.0, axis(one.band[1]) - axis(one.band[0]))
            drawing.area(axis(one.band[0]), y - 6, wide, 12, "a retrained")
    if limits:
        drawing.lines(([(axis(limit), top), (axis(limit), drawing.height)] for limit in limits), "l limit")
    for role in dict.fromkeys(one.role for one in rows):
        of_role = [
            line for y, one in zip(placed, rows, strict=True) if one.role == role for line in _line(axis, y, one)
        ]
        drawing.lines(of_role, f"l {role}")
    for y, one in zip(placed, rows, strict=True):
        for role, value in (*one.marks, (one.role, one.value)):
            drawing.mark(axis(value), y, role)
    drawing.height += 4
    bottom(drawing, axis, label)
    roles = list(dict.fromkeys([*(one.role for one in rows), *(role for one in rows for role, _ in one.marks)]))
    named = [(role, ROLES[role]) for role in roles if role in ROLES]
    if any(one.band for one in rows):
        named.append(("a retrained", "range of retrained models"))
    if len(named) > 1:
        drawing.legend(named)
    return drawing


def _axis(rows: Sequence[Row], limits: Sequence[float], start: float) -> Axis:
    core = [value for one in rows for value in (one.value, *(v for _, v in one.marks), *(one.band or ()))]
    core += limits
    span = (max(core) - min(core)) or max(abs(core[0]), 1.0) * 0.1
    bounds = [bound for one in rows for bound in (one.low, one.high) if bound is not None]
    near = [min(max(bound, min(core) - FARTHEST * span), max(core) + FARTHEST * span) for bound in bounds]
    return Axis(*ends([*core, *near]), start, WIDTH - 4)


def _place(drawing: Drawing, label: Sequence[str]) -> float:
    """Write the label of a row, and return the height of its middle."""
    top = drawing.height + 1
    for words in label:
        drawing.height += LINE
        drawing.text(0, drawing.height - 2, words)
    drawing.height += 1.5
    return (top + drawing.height) / 2


def _line(axis: Axis, y: float, one: Row) -> Iterator[list[tuple[float, float]]]:
    """Yield the line between a row's bounds, and arrows where these lie beyond the axis."""
    low, high = (one.value if bound is None else bound for bound in (one.low, one.high))
    yield [(axis(low), y), (axis(high), y)]
    if low < axis.low:
        yield [(axis.start + 5, y - 4), (axis.start, y), (axis.start + 5, y + 4)]
    if high > axis.high:
        yield [(axis.end - 5, y - 4), (axis.end, y), (axis.end - 5, y + 4)]


def _limits(drawing: Drawing, axis: Axis, limits: Sequence[float], words: Sequence[str]) -> None:
    """Write what the limits are above them; beneath each other where they would touch."""
    taken: list[tuple[float, float]] = []
    line = 0
    for limit, said in sorted(zip(limits, words, strict=True)):
        wide = width_of(said)
        left = min(max(0.0, axis(limit) - wide / 2), WIDTH - wide)
        if any(left < end + 6 and start < left + wide + 6 for start, end in taken):
            line, taken = line + 1, []
        taken.append((left, left + wide))
        drawing.text(left, (line + 1) * LINE - 3, said, kind="limit")
    drawing.height = (line + 1) * LINE if limits else 0.0
