"""Render the page from plain values: the card, the claims and their pictures.

Everything can be read without a script; the one that there is folds, filters and copies links, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_unlearn.core.numbers import bound, number
from pytest_unlearn.report import annex, glossary, wording
from pytest_unlearn.report.decision import DO_NOT, RELEASE, ClaimLine, card
from pytest_unlearn.report.html import pictures, plots
from pytest_unlearn.report.ledger import reconcile

HERE = Path(__file__).parent
ALL_IN_FULL = 40  # as many claims are always shown in full
MOST_SEVERE = 12  # of more, as many are: two thousand plots would neither be read nor fit
MOST_TOLD = 12  # claims in words on the card
FEW = 6  # claims whose common picture stands on the card
MOST_OPEN = 5  # claims that are unfolded: those that most need attention, if they are not proven
SHARED = "What is not listed here is as most claims have it, in the table at the end of the page."
MARKS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "INVALID": "!", wording.NOT_TESTABLE: "–"}


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the whole report as one page: strings escaped, plots as inline SVG."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    # The browser runs this script and no other: its digest is in the page's policy, of exactly what stands there.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page: str = _template().render(style=style, script=script, script_digest=digest, **_page(ledger, about))
    return page + "\n"


@functools.cache
def _template() -> Any:
    """Compile the page's template, once."""
    import jinja2

    strict: dict[str, Any] = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    loader = jinja2.FileSystemLoader(HERE)
    environment = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **strict)
    environment.filters["terms"] = glossary.linked
    return environment.get_template("page.html")


def _page(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Gather everything the template needs."""
    entries, told = ledger["entries"], card(ledger, about)
    order = [line.position for line in told.claims]
    full = set(order if len(order) <= ALL_IN_FULL else order[:MOST_SEVERE])
    rows = [_row(place, line, entries[line.position], full) for place, line in enumerate(told.claims, start=1)]
    claims = {row["number"]: _claim(row, entries[row["position"]]) for row in rows if row["in_full"]}
    shared = _shared([claim["provenance"] for claim in claims.values()])
    return {
        "card": told,
        "tone": {RELEASE: "pass", DO_NOT: "fail"}.get(told.word, "inconclusive"),
        "mark": {RELEASE: "✓", DO_NOT: "✗"}.get(told.word, "?"),
        "counts": ledger["counts"],
        "incomplete": [*(f"partial run: {reason}" for reason in ledger["partial"]), *reconcile(ledger)],
        "rows": rows,
        "most_told": MOST_TOLD,
        "few": FEW,
        "shortened": len(order) - len(full),
        "overview": pictures.overview(told.claims, entries) if 1 < len(order) <= ALL_IN_FULL else None,
        "claims": {
            number: {**claim, "provenance": _apart(claim["provenance"], shared)} for number, claim in claims.items()
        },
        "common": sorted(shared.items()),
        "shared": SHARED if shared else "",
        "annex": annex.shown(ledger, about),
        "terms": [(glossary.anchor(term), term, says) for term, says in glossary.TERMS.items()],
        "tool": about["tool"],
        "created": about["created"],
        "command": " ".join(about["command"]),
        "environment": sorted(about["environment"].items()),
    }


def _row(place: int, line: ClaimLine, entry: Mapping[str, Any], full: Collection[int]) -> dict[str, Any]:
    evidence = entry["evidence"]
    headline = wording.headline_of(evidence)
    return {
        "number": place,
        "position": line.position,
        "in_full": line.position in full,
        "open": line.verdict not in ("PASS", wording.NOT_TESTABLE) and place <= MOST_OPEN,
        "verdict": line.verdict,
        "kind": line.verdict.lower().replace(" ", "-"),
        "mark": MARKS[line.verdict],
        "name": line.name,
        "says": line.says,
        "numbers": line.numbers,
        "reason": line.reason,
        "nodeid": line.nodeid,
        "headline": headline[:1].upper() + headline[1:],
        "text": evidence["claim"]["text"],
        "sentence": wording.sentence(entry),
        "label": evidence["label"],
    }


def _claim(row: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    evidence = entry["evidence"]
    found: dict[str, list[pictures.Picture]] = {"first": [], "more": [], "table": []}
    for place, picture in pictures.all_of(evidence, f"c{row['number']}"):
        found[place].append(picture)
    beside = {picture.title: picture for picture in found["table"] if picture.svg}
    return {
        **evidence,
        **row,
        "outcome": entry["outcome"],
        "advice": wording.next_steps(evidence),
        "first": found["first"],
        "more": found["more"],
        "attacks": []
        if len(evidence["attacks"]) > 1  # whose picture has a table of its own
        else [
            (name, "deciding" if name in evidence["deciding"] else "tripwire", *_numbers(estimate))
            for name, estimate in evidence["attacks"].items()
        ],
        "controls": [
            (control["name"], "holds" if control["holds"] else "fails", control["says"])
            for control in wording.controls_of(evidence)
        ],
        "exposed": [_exposed(row) for row in evidence["most_exposed"]],
        "tables": [
            {**figure, "drawn": beside.get(figure["title"]), "rows": [_cells(row) for row in figure["rows"]]}
            for figure in evidence["exhibits"]
            if figure["kind"] == "table"
        ],
        "settings": sorted(evidence["claim"]["sources"].items()),
        "cost": _cost(entry),
        "provenance": list(_flat(evidence["provenance"])),
    }


def _cells(row: Collection[Any]) -> list[str]:
    """Write the cells of a table: numbers with three digits."""
    return ["n/a" if cell is None else number(cell) if isinstance(cell, float) else str(cell) for cell in row]


def _numbers(estimate: Mapping[str, Any]) -> tuple[str, str, str]:
    return number(estimate["value"]), bound(estimate["low"], "down"), bound(estimate["high"], "up")


def _exposed(row: Mapping[str, Any]) -> dict[str, Any]:
    image = ""
    if row.get("pixels"):
        image = "data:image/png;base64," + base64.b64encode(plots.picture(row["pixels"])).decode()
    return {"name": wording.example(row), "percentile": number(row["percentile"]), "image": image}


def _cost(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what was spent, as far as it was noted; models handed over have no time."""
    spent = entry["evidence"]["provenance"].get("seconds") or {}
    rows = [(f"{role} model", spent[role]) for role in ("original", "unlearned") if spent.get(role) is not None]
    references = [seconds for seconds in spent.get("references") or () if seconds is not None]
    if references:
        rows.append((f"{len(references)} retrained models", sum(references)))
    told = [(name, f"{number(seconds)} s to make (once; kept in the cache)") for name, seconds in rows]
    if entry.get("seconds") is not None:
        told.append(("this test", f"{number(entry['seconds'])} s in all, models made during it included"))
    return told


def _shared(several: Sequence[Sequence[tuple[str, str]]]) -> dict[str, str]:
    """Return the rows that many claims share, each with what most of them say."""
    if len(several) < FEW:
        return {}
    counts = Counter(row for rows in several for row in dict.fromkeys(rows))
    shared: dict[str, str] = {}
    for (what, value), count in counts.most_common():
        if count > len(several) / 2 and all(any(name == what for name, _ in rows) for rows in several):
            shared.setdefault(what, value)
    return shared


def _apart(rows: Sequence[tuple[str, str]], shared: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the rows of a claim that are not as most claims have them."""
    return [(what, value) for what, value in rows if shared.get(what) != value]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested provenance into (path, text) rows."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        for position, item in enumerate(value):
            yield from _flat(item, f"{path}[{position}]")
    elif value != "":
        yield path, "none" if value is None else str(value)
