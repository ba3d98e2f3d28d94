"""The terminal's lines on a search for failing requests: what was tried, the worst of it, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SEARCHES = "survives"  # the claim whose evidence is a search


def search_lines(entry: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Lines below a claim, each with whether it may be broken: a line to be copied may not."""
    evidence = entry["evidence"]
    if evidence["claim"]["name"] != SEARCHES:
        return
    reasons = evidence.get("reasons", ())
    tables = {
        exhibit["title"]: exhibit["rows"] for exhibit in evidence.get("exhibits", ()) if exhibit["kind"] == "table"
    }
    yield from ((reason, True) for reason in reasons[:1])
    if families := tables.get("Requests by family"):
        tried = ", ".join(
            f"{family} {count}" + (f" ({bad} suspicious)" if bad else "") for family, count, _, bad in families
        )
        yield f"by family: {tried}", True
    for stage, request, examples, value, low, high in tables.get("The worst request", ()):
        seen = "" if value is None else f" {value:.3f} [{low:.3f}, {high:.3f}]"
        yield f"{stage}:{seen} on {examples} examples, {request}", True
    yield from ((reason, False) for reason in reasons if reason.startswith("replay: "))
