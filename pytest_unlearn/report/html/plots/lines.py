"""Draw curves over a common axis, and distributions under several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_unlearn.report.html.plots.forest import ROLES
from pytest_unlearn.report.html.plots.svg import WIDTH, Axis, Drawing, bottom, ends, width_of

HIGH = 190.0
PANEL = 60.0
KNOWN = ("unlearned", "original", "retrained")


def curves(figure: Mapping[str, Any]) -> Drawing:
    """Draw lines over a common axis; the legend stands below them."""
    logarithmic = figure["logarithmic"]
    series = {name: _points(xs, ys, logarithmic) for name, (xs, ys) in figure["series"].items()}
    points = [point for one in series.values() for point in one]
    across, up = (_ends([point[k] for point in points], logarithmic, figure["diagonal"]) for k in (0, 1))
    drawing = Drawing()
    drawing.say(figure["y_label"])
    top = drawing.height + 12
    upward = Axis(*up, top + HIGH, top, logarithmic)
    ticks = upward.ticks()
    margin = max((width_of(f"{tick:.3g}") for tick in ticks), default=0.0) + 8
    onward = Axis(*across, margin, WIDTH - 4, logarithmic)
    places = [upward(tick) for tick in ticks]
    drawing.lines([[(margin, top), (margin, top + HIGH)], *([(margin - 4, y), (margin, y)] for y in places)], "l axis")
    for tick in ticks:
        drawing.text(margin - 6, upward(tick) + 4, f"{tick:.3g}", "end")
    if figure["diagonal"]:
        start, end = max(across[0], up[0]), min(across[1], up[1])
        drawing.line([(onward(start), upward(start)), (onward(end), upward(end))], "l guess")
    for name, line in series.items():
        if line:
            drawing.line([(onward(x), upward(y)) for x, y in line], f"l {_kind(name, list(series))}")
    drawing.height = top + HIGH
    bottom(drawing, onward, figure["x_label"])
    named = [(f"l {_kind(name, list(series))}", ROLES.get(name, name)) for name in series]
    drawing.legend([*named, *([("l guess", "guessing")] if figure["diagonal"] else [])])
    return drawing


def histograms(figure: Mapping[str, Any]) -> Drawing:
    """Draw a panel a model: the second set filled, the first as a line over it."""
    edges, panels = figure["edges"], figure["panels"]
    axis = Axis(*ends([edges[0], edges[-1]], 0.0), 2.0, WIDTH - 2)
    drawing = Drawing()
    tallest = max((value or 0 for pair in panels.values() for part in pair for value in part), default=0) or 1.0
    for name, (first, second) in panels.items():
        drawing.say(ROLES.get(name, name))
        base = drawing.height + PANEL
        for shares, kind in ((second, "filled"), (first, f"l {_kind(name, list(panels))}")):
            drawing.line(_steps(axis, edges, [base - PANEL * (share or 0) / tallest for share in shares], base), kind)
        drawing.line([(axis.start, base), (axis.end, base)], "l axis")
        drawing.height = base + 4
    bottom(drawing, axis, figure["x_label"])
    drawing.legend([("l line", figure["sets"][0]), ("a other", figure["sets"][1])])
    return drawing


def _steps(axis: Axis, edges: Sequence[float], heights: Sequence[float], base: float) -> list[tuple[float, float]]:
    """Return the corners of a histogram."""
    tops = [(axis(edge), y) for k, y in enumerate(heights) for edge in edges[k : k + 2]]
    return [(axis(edges[0]), base), *tops, (axis(edges[-1]), base)]


def _points(xs: Sequence[Any], ys: Sequence[Any], logarithmic: bool) -> list[tuple[float, float]]:
    """Pair what can be drawn: no gaps, and on logarithmic axes nothing at 0."""
    found = [(x, y) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
    return [(x, y) for x, y in found if x > 0] if logarithmic else found


def _kind(name: str, names: Sequence[str]) -> str:
    """Return how a series is drawn: by its role, or the others in turn."""
    if name in KNOWN:
        return name
    others = [one for one in names if one not in KNOWN]
    return f"other-{others.index(name) % 3}"


def _ends(values: Sequence[float], logarithmic: bool, diagonal: bool) -> tuple[float, float]:
    """Return the ends of an axis; shares on logarithmic axes end at 1."""
    if logarithmic:
        least = min((value for value in values if value > 0), default=0.01)
        return (least, 1.0 if diagonal else max(values)) if least < 1 else (least, least * 10)
    if diagonal:
        return 0.0, 1.0
    return ends(values or [0.0, 1.0])
