"""Render the page from plain values: the words, the tables and the drawn plots."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.core.numbers import bound, interval, number
from pytest_unlearn.report import annex, wording
from pytest_unlearn.report.decision import DO_NOT, RELEASE, ClaimLine, card
from pytest_unlearn.report.html import plots
from pytest_unlearn.report.ledger import reconcile

HERE = Path(__file__).parent
ALL_IN_FULL = 40  # as many claims are always shown in full
MOST_SEVERE = 12  # of more, as many are: two thousand plots would neither be read nor fit
MOST_TOLD = 12  # claims in words on the card
MARKS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "INVALID": "!", wording.NOT_TESTABLE: "–"}


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the whole report as one page: strings escaped, plots as inline SVG."""
    import jinja2

    loader = jinja2.FileSystemLoader(HERE)
    strict: dict[str, Any] = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    template = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **strict).get_template(
        "page.html"
    )
    style = (HERE / "style.css").read_text(encoding="utf-8")
    return template.render(style=style, **_page(ledger, about)) + "\n"


def _page(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Gather everything the template needs."""
    entries, told = ledger["entries"], card(ledger, about)
    order = [line.position for line in told.claims]
    full = set(order if len(order) <= ALL_IN_FULL else order[:MOST_SEVERE])
    rows = [_row(place, line, entries[line.position], full) for place, line in enumerate(told.claims, start=1)]
    return {
        "card": told,
        "tone": {RELEASE: "pass", DO_NOT: "fail"}.get(told.word, "inconclusive"),
        "counts": ledger["counts"],
        "incomplete": [*(f"partial run: {reason}" for reason in ledger["partial"]), *reconcile(ledger)],
        "rows": rows,
        "most_told": MOST_TOLD,
        "shortened": len(order) - len(full),
        "claims": [_claim(row, entries[row["position"]]) for row in rows if row["in_full"]],
        "annex": annex.shown(ledger),
        "tool": about["tool"],
        "created": about["created"],
        "command": " ".join(about["command"]),
        "environment": sorted(about["environment"].items()),
    }


def _row(place: int, line: ClaimLine, entry: Mapping[str, Any], full: Collection[int]) -> dict[str, Any]:
    evidence = entry["evidence"]
    return {
        "number": place,
        "position": line.position,
        "in_full": line.position in full,
        "verdict": line.verdict,
        "mark": MARKS[line.verdict],
        "name": line.name,
        "says": line.says,
        "numbers": line.numbers,
        "reason": line.reason,
        "nodeid": line.nodeid,
        "text": evidence["claim"]["text"],
        "sentence": wording.sentence(entry),
        "label": evidence["label"],
    }


def _claim(row: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    evidence = entry["evidence"]
    return {
        **evidence,
        **row,
        "outcome": entry["outcome"],
        "advice": wording.next_steps(evidence),
        "plots": list(_plots(evidence)),
        "attacks": [
            (name, "deciding" if name in evidence["deciding"] else "tripwire", *_numbers(estimate))
            for name, estimate in evidence["attacks"].items()
        ],
        "controls": [
            (control["name"], "holds" if control["holds"] else "fails", control["says"], *_numbers(control["estimate"]))
            for control in wording.controls_of(evidence)
        ],
        "exposed": [_exposed(row) for row in evidence["most_exposed"]],
        "tables": [figure for figure in evidence["exhibits"] if figure["kind"] == "table"],
        "settings": sorted(evidence["claim"]["sources"].items()),
        "cost": _cost(entry),
        "provenance": list(_flat(evidence["provenance"])),
    }


def _plots(evidence: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    claim = evidence["claim"]
    rows = [("this model", "unlearned", evidence["estimate"])]
    for control in wording.controls_of(evidence):
        role = "original" if control["name"] == "original" else "retrained"
        rows.append((control["name"], role if control["name"].startswith(role) else "other", control["estimate"]))
    limits = [limit for limit in (claim["lowest"], claim["highest"]) if limit is not None]
    shown = "; ".join(f"{name} {interval(estimate)}" for name, _, estimate in rows)
    bounds = f"One-sided {evidence['estimate']['confidence']:.0%} bounds"
    yield {
        "title": f"Interval of the {claim['quantity']}",
        "says": f"{bounds}. {shown}. Allowed: {wording.allowed(claim)}.",
        "svg": plots.intervals(rows, limits, claim["quantity"]),
    }
    for figure in evidence["exhibits"]:
        if figure["kind"] in plots.DRAWN:
            yield {"title": figure["title"], "says": figure["says"], "svg": _drawn(figure)}


def _drawn(figure: Mapping[str, Any]) -> str:
    """Draw a plot, or nothing where its data do not allow one."""
    try:
        return plots.DRAWN[figure["kind"]](figure)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return ""


def _numbers(estimate: Mapping[str, Any]) -> tuple[str, str, str]:
    return number(estimate["value"]), bound(estimate["low"], "down"), bound(estimate["high"], "up")


def _exposed(row: Mapping[str, Any]) -> dict[str, Any]:
    image = ""
    if row.get("pixels"):
        image = "data:image/png;base64," + base64.b64encode(plots.picture(row["pixels"])).decode()
    return {"index": row["index"], "percentile": number(row["percentile"]), "image": image}


def _cost(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what was spent, as far as it was noted; models handed over have no time."""
    spent = entry["evidence"]["provenance"].get("seconds") or {}
    rows = [(f"{role} model", spent[role]) for role in ("original", "unlearned") if spent.get(role) is not None]
    references = [seconds for seconds in spent.get("references") or () if seconds is not None]
    if references:
        rows.append((f"{len(references)} retrained models", sum(references)))
    told = [(name, f"{seconds:,.1f} s to make (once; kept in the cache)") for name, seconds in rows]
    if entry.get("seconds") is not None:
        told.append(("this test", f"{entry['seconds']:,.1f} s in all, models made during it included"))
    return told


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested provenance into (path, text) rows."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for position, item in enumerate(value):
            yield from _flat(item, f"{path}[{position}]")
    else:
        yield path, "none" if value is None else str(value)
