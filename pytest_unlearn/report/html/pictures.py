"""Make the pictures of a page: title, words, drawing and a table of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.core.numbers import bound, counts, interval, number
from pytest_unlearn.report import wording
from pytest_unlearn.report.decision import ClaimLine
from pytest_unlearn.report.html import plots

Cells = tuple[str, ...]
MOST_BINS = 6  # rows of a histogram's or a curve's table
SCALED = (("lowest", 1.0), ("highest", 0.0))  # what is best where a claim has this limit alone


@dataclass(frozen=True)
class Picture:
    """A picture, and its numbers as a table; `svg` is empty where its data allow none.

    The page has `says` in the element `name`-d, which names the drawing for those who hear it.
    """

    name: str
    title: str
    says: str
    svg: str
    columns: Cells
    rows: tuple[Cells, ...]


def overview(lines: Sequence[ClaimLine], entries: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Draw every claim on one scale: 0 is nothing left, 1 the limit."""
    rows, told = [], []
    for place, line in enumerate(lines, start=1):
        evidence = entries[line.position]["evidence"]
        estimate, scale = wording.decisive(evidence), _scale(evidence["claim"])
        if scale is None or counts(estimate) or estimate["value"] is None:
            continue
        original, retrained = _values(evidence)
        ends = [None if estimate[end] is None else scale(estimate[end]) for end in ("low", "high")]
        low, high = ends if None in ends else sorted(end for end in ends if end is not None)
        band = [scale(value) for value in retrained]
        marks = (("original", scale(original)),) if original is not None else ()
        rows.append(
            plots.Row(
                f"{place} {line.name}: {line.verdict}",
                "unlearned",
                scale(estimate["value"]),
                low,
                high,
                band=(min(band), max(band)) if band else None,
                marks=marks,
            )
        )
        told.append(
            (str(place), line.name, line.verdict, wording.seen(evidence), wording.allowed(evidence["claim"]),
             number(original), _span(retrained))
        )  # fmt: skip
    limits = [-1.0, 1.0] if any(one.value < 0 for one in rows) else [1.0]
    drawing = plots.forest(rows, limits, "0: nothing is left; 1: the limit", ["limit"] * len(limits))
    if drawing is None:
        return None
    title = "All claims beside their limits"
    says = (
        "Each claim on its own scale, from 0, what a model with nothing left shows, to 1, its limit: the estimate "
        "with the bounds that decided, the original, and the range of retrained models. A proven claim lies within. "
        "What is better than asked for, such as a model more accurate than its baseline, is drawn at 0."
    )
    columns = ("number", "claim", "verdict", "estimate [bounds]", "allowed", "original", "retrained")
    return Picture("overview", title, says, drawing.document(title, "overview"), columns, tuple(told))


def main(evidence: Mapping[str, Any], name: str) -> Picture:
    """Draw a claim's estimate beside those of the controls."""
    claim = evidence["claim"]
    rows = [("this model", "unlearned", wording.decisive(evidence))]
    for control in wording.controls_of(evidence):
        role = "original" if control["name"] == "original" else "retrained"
        rows.append((control["name"], role if control["name"].startswith(role) else "other", control["estimate"]))
    shown = "; ".join(f"{label} {interval(estimate)}" for label, _, estimate in rows)
    others = wording.other_bounds_of(evidence, "the others") if len(rows) > 1 else ""
    bounds = f"This model: {wording.bounds_of(evidence)}; {others}" if others else wording.bounds_of(evidence)
    says = f"{bounds[:1].upper()}{bounds[1:]}. {shown}. Allowed: {wording.allowed(claim)}."
    return _intervals("This model beside the others", says, rows, _limits(claim), claim["quantity"], name)


def attacks(evidence: Mapping[str, Any], name: str) -> Picture | None:
    """Draw what each attack found; None where there is but one."""
    found = evidence["attacks"]
    if len(found) < 2:
        return None
    rows = [
        (attack, "unlearned" if attack in evidence["deciding"] else "other", estimate)
        for attack, estimate in found.items()
    ]
    says = (
        "Every attack with one-sided bounds of its own, which are not corrected for how many there are. PASS "
        f"needs the {len(evidence['deciding'])} deciding ones (discs) within the limits; tripwires are diamonds."
    )
    return _intervals(
        "What each attack found", says, rows, _limits(evidence["claim"]), evidence["claim"]["quantity"], name
    )


def share_left(evidence: Mapping[str, Any], name: str) -> Picture | None:
    """Draw how much of what the original showed is left."""
    share = evidence.get("share_left")
    if not share:
        return None
    most = ((evidence.get("provenance") or {}).get("settings") or {}).get("max_share_left")
    limits = [most] if isinstance(most, (int, float)) else []
    above = " Above 1, this model would show more of it than the original." if (share["high"] or 0) > 1 else ""
    says = f"Of what the original showed of the forget set, {wording.gone(evidence)}.{above}"
    return _intervals("How much is left of what the original showed", says, [("share left", "unlearned", share)],
                      limits, "share left", name)  # fmt: skip


def exhibit(figure: Mapping[str, Any], name: str) -> Picture | None:
    """Draw a figure that a claim made; None where its kind has no picture."""
    try:
        drawing, columns, rows = DRAWN[figure["kind"]](figure)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        drawing, columns, rows = None, (), ()
    if figure["kind"] == "table" and drawing is None:
        return None
    svg = "" if drawing is None else drawing.document(figure["title"], name)
    return Picture(name, figure["title"], figure["says"], svg, columns, rows)


Drawn = tuple["plots.Drawing | None", Cells, tuple[Cells, ...]]


def _curves(figure: Mapping[str, Any]) -> Drawn:
    series = dict(figure["series"])
    across = [list(xs) for xs, _ in series.values()]
    if across[1:] and all(xs == across[0] for xs in across):  # one column a curve
        up = [[number(y) for y in ys] for _, ys in series.values()]
        beside = tuple(zip(map(number, across[0]), *up, strict=True))[:: -(-len(across[0]) // MOST_BINS) or 1]
        columns = (figure["x_label"], *(f"{figure['y_label']}, {label}" for label in series))
        return plots.curves(figure), columns, beside
    rows = []
    for label, (xs, ys) in series.items():
        step = max(1, -(-len(xs) // MOST_BINS))
        rows += [(label, number(x), number(y)) for x, y in list(zip(xs, ys, strict=True))[::step]]
    return plots.curves(figure), ("curve", figure["x_label"], figure["y_label"]), tuple(rows)


def _histograms(figure: Mapping[str, Any]) -> Drawn:
    edges, rows = figure["edges"], []
    step = max(1, -(-(len(edges) - 1) // MOST_BINS))
    parts = {f"{label}: {of}": part for label, both in figure["panels"].items()
             for of, part in zip(figure["sets"], both, strict=True)}  # fmt: skip
    for k in range(0, len(edges) - 1, step):
        last = min(k + step, len(edges) - 1)
        shares = (number(sum(value or 0 for value in part[k:last])) for part in parts.values())
        rows.append((f"{number(edges[k])} to {number(edges[last])}", *shares))
    return plots.histograms(figure), (figure["x_label"], *parts), tuple(rows)


def _exhibited(figure: Mapping[str, Any]) -> Drawn:
    rows = [
        plots.Row(_label(what, whose), whose if whose in KNOWN else "other", value, low, high)
        for what, whose, value, low, high in figure["rows"]
        if value is not None
    ]
    told = tuple((str(what), str(whose), *map(number, ends)) for what, whose, *ends in figure["rows"])
    return plots.forest(rows, figure["limits"], figure["x_label"]), ("what", "whose", "value", "low", "high"), told


def _label(what: str, whose: str) -> str:
    return what if what == whose or whose in KNOWN else f"{what}, {whose}"


def _tabulated(figure: Mapping[str, Any]) -> Drawn:
    """Draw a table that has a value with two bounds in each row; None where it has none."""
    columns = list(figure["columns"])
    if "low" not in columns or "high" not in columns or columns.index("low") < 2:
        return None, (), ()
    low, high = columns.index("low"), columns.index("high")
    rows = [
        plots.Row(_what(columns[0], row[0]), "unlearned", row[low - 1], row[low], row[high])
        for row in figure["rows"]
        if isinstance(row[low - 1], (int, float))
    ]
    return plots.forest(rows, [], columns[low - 1]), (), ()


def _what(column: str, cell: Any) -> str:
    return f"{column} {cell}" if isinstance(cell, int) else str(cell)


KNOWN = ("unlearned", "original", "retrained")
DRAWN = {"curves": _curves, "histograms": _histograms, "intervals": _exhibited, "table": _tabulated}


def _intervals(
    title: str,
    says: str,
    rows: Sequence[tuple[str, str, Mapping[str, Any]]],
    limits: Sequence[float],
    quantity: str,
    name: str,
) -> Picture:
    made = [made for row in rows if (made := plots.row(*row)) is not None]
    drawing = plots.forest(made, limits, quantity)
    ends = (None, None) if len(limits) != 2 else (limits[0], limits[1])
    told = tuple(
        (label, number(one["value"]), bound(one["low"], "down", ends), bound(one["high"], "up", ends))
        for label, _, one in rows
    )
    svg = "" if drawing is None else drawing.document(title, name)
    return Picture(name, title, says, svg, ("what", "value", "low", "high"), told)


def _limits(claim: Mapping[str, Any]) -> list[float]:
    return [limit for limit in wording.limits_of(claim) if limit is not None]


def _scale(claim: Mapping[str, Any]) -> Any:
    """Return what puts a claim's quantity between 0, nothing left, and 1, the limit; None where nothing does."""
    lowest, highest = wording.limits_of(claim)
    if lowest is not None and highest is not None:
        best, limit = (lowest + highest) / 2, highest
    elif highest is not None:
        best, limit = 0.0, highest
    elif lowest is not None:
        best, limit = 1.0, lowest
    else:
        return None
    if limit == best:
        return None
    if lowest is not None and highest is not None:
        return lambda value: (value - best) / (limit - best)
    return lambda value: max(0.0, (value - best) / (limit - best))  # better than the best that was asked for


def _values(evidence: Mapping[str, Any]) -> tuple[float | None, list[float]]:
    """Return what the original and the retrained models show."""
    controls = evidence["controls"]
    original = (controls["original"] or {}).get("estimate", {}).get("value")
    values = (control["estimate"]["value"] for control in controls["retrained"])
    return original, [value for value in values if value is not None]


def _span(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}" if values else "none"


def all_of(evidence: Mapping[str, Any], name: str) -> Iterator[tuple[str, Picture]]:
    """Yield every picture of a claim and its place: first, more or table."""
    yield "first", main(evidence, f"{name}-main")
    for k, made in enumerate((attacks(evidence, f"{name}-attacks"), share_left(evidence, f"{name}-left"))):
        if made is not None:
            yield "first" if k == 0 else "more", made
    for k, figure in enumerate(evidence["exhibits"]):
        made = exhibit(figure, f"{name}-{k}") if figure["kind"] in DRAWN else None
        if made is not None:
            yield "table" if figure["kind"] == "table" else "more", made
