"""Show the runs of a history, as text and as a page with a picture of each claim.

The page is one file without scripts, fonts or requests. What a picture shows stands in the table below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from pytest_unlearn.core.numbers import bound
from pytest_unlearn.report.history import Record, failures, has_ended

SHOWN = 12  # of a digest's digits
MOST_RUNS = 60  # in a picture and its table; the latest
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720, 220, 64, 16, 40
COLOURS = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "open", "INVALID": "bad"}
MARKS = {"PASS": "●", "FAIL": "■", "INCONCLUSIVE": "▲", "INVALID": "◆"}  # no verdict is told by colour alone
Point = tuple[Record, Mapping[str, Any]]
Key = tuple[str, str, str]


def series(records: Sequence[Record]) -> dict[Key, list[Point]]:
    """Group claims by name, test and request, oldest first, without expected ones."""
    found: dict[Key, list[Point]] = defaultdict(list)
    for record in records:
        for row in record["claims"]:
            if row["about"]:
                found[row["claim"], row["test"], row["request"]].append((record, row))
    return {key: points[-MOST_RUNS:] for key, points in sorted(found.items())}


def lines(records: Sequence[Record], broken: int = 0) -> Iterator[str]:
    """Write a history as text: a line a run, then each claim with its runs."""
    yield summary(records, broken)
    for record in records:
        yield (
            f"{record['time'][:16].replace('T', ' ')}  {record['run']:<12}  {_model(record):<12}  "
            f"{_decision(record):<14}  {_verdicts(record)}"
        )
    for key, points in series(records).items():
        yield ""
        yield heading(key)
        for record, row in points:
            yield f"  {record['time'][:10]}  {_model(record):<12}  {row['verdict']:<12}  {_numbers(row)}{_seed(row)}"


def page(records: Sequence[Record], broken: int = 0) -> str:
    """Write a history as a page of its own."""
    body = [f"<p>{escape(summary(records, broken))}</p>", _table_of_runs(records)]
    for number, (key, points) in enumerate(series(records).items()):
        body += [
            f"<h2>{escape(heading(key))}</h2>",
            picture(points, f"claim-{number}", heading(key)),
            _table(points, heading(key)),
        ]
    style = resources.files("pytest_unlearn.report").joinpath("trend.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><title>Unlearning audits over time</title>'
        f"<style>\n{style}</style></head><body><main><h1>Unlearning audits over time</h1>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def summary(records: Sequence[Record], broken: int = 0) -> str:
    """Count the runs, those without an end, and the lines that are none."""
    killed = sum(not has_ended(one) for one in records)
    return f"{_runs(records)}{f', {killed:,} without an end' if killed else ''}{_unread(broken)}"


def heading(key: Key) -> str:
    """Name a series."""
    claim, test, request = key
    return f"{claim} in {test}" + (f", request {request[:SHOWN]}" if request else "")


def picture(points: Sequence[Point], name: str, title: str) -> str:
    """Draw the estimates of one claim over its runs, with their bounds and limits."""
    measured = [all(row[name] is not None for name in ("value", "low", "high")) for _, row in points]
    drawn = [(position, row) for position, (_, row) in enumerate(points) if measured[position]]
    if not drawn:
        return "<p>None of these runs has a finite estimate.</p>"
    ends = [row[end] for _, row in drawn for end in ("low", "high")]
    ends += [end for _, row in drawn for end in row["limit"] if end is not None]
    low, high = float(min(ends)), float(max(ends))
    spread = (high - low) or 1.0
    low, high = low - 0.05 * spread, high + 0.05 * spread
    step = (WIDTH - LEFT - 16) / max(len(points), 1)

    def at(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH}" y1="{at(end):.1f}" y2="{at(end):.1f}"/>' for end in (low, high)
    ]
    parts += [f'<text x="{LEFT - 6}" y="{at(end) + 5:.1f}" text-anchor="end">{end:.3g}</text>' for end in (low, high)]
    for position, row in drawn:
        x, kind = LEFT + step * (position + 0.5), COLOURS[row["verdict"]]
        for end in row["limit"]:
            if end is not None:
                x1, x2, y = x - step / 2, x + step / 2, at(end)
                parts.append(f'<line class="limit" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        y1, y2 = at(row["low"]), at(row["high"])
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke-width="2"/>')
        parts.append(_mark(row["verdict"], x, at(row["value"]), kind))
    first, last = (points[position][0]["time"][:10] for position in (0, -1))
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 12}">{escape(first)}</text>')
    if len(points) > 1:
        parts.append(f'<text x="{WIDTH}" y="{HEIGHT - 12}" text-anchor="end">{escape(last)}</text>')
    says = "Estimates with their bounds, run by run; dashed: the limits. The table below has the numbers."
    named = f'aria-labelledby="{name}-t {name}-d"'
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Picture of {escape(title)}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" {named}><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{says}</desc>{"".join(parts)}</svg></div>'
    )


def _mark(verdict: str, x: float, y: float, kind: str) -> str:
    """Draw a mark whose form tells the verdict."""
    corners = {"FAIL": "-5,-5 5,-5 5,5 -5,5", "INCONCLUSIVE": "0,-6 6,5 -6,5", "INVALID": "0,-7 6,0 0,7 -6,0"}
    if verdict in corners:
        return f'<polygon class="{kind}" transform="translate({x:.1f} {y:.1f})" points="{corners[verdict]}"/>'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def _table(points: Sequence[Point], title: str) -> str:
    rows = [
        [record["time"][:16].replace("T", " "), record["run"], _model(record), row["verdict"], _numbers(row),
         "" if row["seed"] is None else str(row["seed"])]
        for record, row in points
    ]  # fmt: skip
    table = _html_table(
        f"Numbers of {title}", ["run at", "run", "model", "verdict", "estimate and limit", "seed"], rows, 3
    )
    return f"<details><summary>{_runs(points)} in numbers</summary>{table}</details>"


def _table_of_runs(records: Sequence[Record]) -> str:
    rows = [
        [record["time"][:16].replace("T", " "), record["run"], _model(record), _decision(record), _verdicts(record)]
        for record in records[-MOST_RUNS:]
    ]
    return _html_table("Every run", ["run at", "run", "model", "decision", "claims"], rows)


def _html_table(label: str, names: Sequence[str], rows: Sequence[Sequence[str]], verdict: int = -1) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = []
    for row in rows:
        cells = [
            f'<td class="{COLOURS[cell]}">{MARKS[cell]} {cell}</td>' if place == verdict else f"<td>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'


def _numbers(row: Mapping[str, Any]) -> str:
    limits = row["limit"][0], row["limit"][1]
    if row["low"] is None or row["high"] is None:
        seen = "no finite estimate"
    else:
        low, high = bound(row["low"], "down", limits), bound(row["high"], "up", limits)
        seen = f"{bound(row['value'], 'nearest', limits)} [{low}, {high}]"
    return f"{seen}, {_allowed(*limits)}"


def _allowed(lowest: float | None, highest: float | None) -> str:
    if lowest is None:
        return "no limit" if highest is None else f"at most {highest:g}"
    return f"at least {lowest:g}" if highest is None else f"{lowest:g} to {highest:g}"


def _seed(row: Mapping[str, Any]) -> str:
    return "" if row["seed"] is None else f", seed {row['seed']}"


def _model(record: Record) -> str:
    names = [*record["models"], *record["answers"]]
    return (names[0][:SHOWN] if len(names) == 1 else f"{len(names)} models") if names else "no model"


def _decision(record: Record) -> str:
    """Say what a run came to; one that could not do all that it was to do failed, whatever was decided."""
    failed = failures(record)
    return f"{record['decision']}, but the run failed: {', '.join(failed)}" if failed else str(record["decision"])


def _verdicts(record: Record) -> str:
    found = [row["verdict"] for row in record["claims"] if row["about"]]
    told = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in COLOURS if verdict in found)
    partial = ", partial" if record["partial"] is True else ""
    return (told or "no claims") + (partial if has_ended(record) else ", no end: killed, or still runs")


def _runs(records: Sequence[Any]) -> str:
    return "1 run" if len(records) == 1 else f"{len(records):,} runs"


def _unread(broken: int) -> str:
    return f", and {broken:,} line{'' if broken == 1 else 's'} that cannot be read" if broken else ""
