"""Evidence -> the text of a failed assertion: the claim, what was observed, what stands beside it, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_unlearn.report.words import headline_of, interval, sizes


def explain(evidence: Mapping[str, Any]) -> str:
    """The failure text of one evidence (as JSON): forget examples by index only."""
    claim, verdict = evidence["claim"], evidence["verdict"]
    headline = headline_of(evidence)
    label = f" ({evidence['label']})" if evidence["label"] else ""
    rows = [("claim", _claim(claim, evidence["estimate"])), ("observed", _observed(evidence))]
    rows += _controls(evidence["controls"])
    rows.append(("evidence", sizes(evidence["estimate"])))
    rows += [("because" if not i else "", reason) for i, reason in enumerate(evidence["reasons"])]
    if evidence["most_exposed"]:
        shown = "  ".join(f"#{item['index']} {item['percentile']:.2f}" for item in evidence["most_exposed"])
        rows.append(("stand out", f"{shown}   (index in train, share of controls below it)"))
    needed = f"about {evidence['needed']:,} forget examples would settle it" if evidence["needed"] else ""
    steps = [
        *([needed] if needed and not any(needed in step for step in evidence["advice"]) else []),
        *evidence["advice"],
    ]
    rows += [("next" if not i else "", step) for i, step in enumerate(steps)]
    return "\n".join([f"{verdict}{label}: {headline}.", "", *(f"  {name:<11} {text}" for name, text in rows)])


def _claim(claim: Mapping[str, Any], estimate: Mapping[str, Any]) -> str:
    sources = ", ".join(f"{name} from {source}" for name, source in claim["sources"].items() if source != "default")
    return f"{claim['text']}   (one-sided {estimate['confidence']:.0%} bounds{'; ' + sources if sources else ''})"


def _observed(evidence: Mapping[str, Any]) -> str:
    others = len(evidence["attacks"])
    chosen = f"{evidence['decided_by']}, one of {others} attacks" if others > 1 else evidence["decided_by"]
    return f"{interval(evidence['estimate'])}   {chosen}"


def _controls(controls: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if controls["original"]:
        rows.append(("original", f"{interval(controls['original']['estimate'])}   {controls['original']['says']}"))
    for control in controls["retrained"]:
        rows.append((control["name"], f"{interval(control['estimate'])}   {control['attack']}"))
    if controls["blind"]:
        rows.append(("blind", f"{interval(controls['blind']['estimate'])}   {controls['blind']['says']}"))
    return rows
