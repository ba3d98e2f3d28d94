"""Word one evidence, as JSON, wherever it is shown: numbers, sizes, sentences.

`explain` is the text of a failing test, and what printing an `Evidence` gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.numbers import Limits, counts, interval
from pytest_unlearn.core.table_view import TableView
from pytest_unlearn.core.text import shown

HEADLINES: Mapping[tuple[str, str], str] = TableView(
    lambda: {(name, verdict): text for name, spec in TABLE.items() for verdict, text in spec.headlines.items()}
)
"""What a verdict means for its claim."""
DEFAULTS = {
    "PASS": "the claim holds at the stated confidence",
    "FAIL": "the claim is refuted",
    "INCONCLUSIVE": "too few examples to prove or refute the claim",
    "INVALID": "this audit cannot be interpreted",
}


def explain(evidence: Mapping[str, Any]) -> str:
    """Write the failure text of one evidence (as JSON).

    Of forget examples it says the index or, of files, the id.
    """
    evidence = shown(evidence)
    lines = (f"  {name:<11} {text}" for name, texts in rows_of(evidence) for name, text in _named_once(name, texts))
    return "\n".join([f"{title_of(evidence)}.", "", *lines])


def title_of(evidence: Mapping[str, Any]) -> str:
    """Write the verdict, the kind of failure, and what they mean."""
    label = f" ({evidence['label']})" if evidence["label"] else ""
    return f"{evidence['verdict']}{label}: {headline_of(evidence)}"


def rows_of(evidence: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """List what is told of an evidence: names, each with its lines."""
    bounds = "; ".join(filter(None, (bounds_of(evidence), other_bounds_of(evidence, "controls"))))
    rows = [("claim", [_claim(evidence["claim"], bounds)]), ("observed", [_observed(evidence)])]
    if evidence.get("share_left"):
        rows.append(("gone", [gone(evidence)]))
    rows += _controls(evidence["controls"])
    rows.append(("evidence", [sizes(evidence["estimate"])]))
    rows.append(("because", list(evidence["reasons"])))
    if evidence["most_exposed"]:
        exposed = "  ".join(f"{example(item)} {item['percentile']:.2f}" for item in evidence["most_exposed"])
        which = "" if evidence["most_exposed"][0].get("named") else "index in train, "
        rows.append(("stand out", [f"{exposed}   ({which}share of controls below it)"]))
    rows.append(("next", next_steps(evidence)))
    return [(name, texts) for name, texts in rows if texts]


def example(exposed: Mapping[str, Any]) -> str:
    """Name an exposed example: by its index in train, or as its file does."""
    return str(exposed.get("named") or f"#{exposed['index']}").removesuffix(" (counted from 0)")


def _named_once(name: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    return ((name if not k else "", text) for k, text in enumerate(texts))


def _claim(claim: Mapping[str, Any], bounds: str) -> str:
    sources = ", ".join(f"{name} from {source}" for name, source in claim["sources"].items() if source != "default")
    return f"{claim['text']}   ({bounds}{'; ' + sources if sources else ''})"


def _observed(evidence: Mapping[str, Any]) -> str:
    others = len(evidence["attacks"])
    chosen = f"{evidence['decided_by']}, one of {others} attacks" if others > 1 else evidence["decided_by"]
    return f"{seen(evidence)}   {chosen}"


def _controls(controls: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    rows = []
    if controls["original"]:
        original = controls["original"]
        by = "" if original["attack"] in original["says"] else f", by {original['attack']}"
        rows.append(("original", [f"{interval(original['estimate'])}   {original['says']}{by}"]))
    rows += [(one["name"], [f"{interval(one['estimate'])}   {one['attack']}"]) for one in controls["retrained"]]
    if controls["blind"]:
        rows.append(("blind", [f"{interval(controls['blind']['estimate'])}   {controls['blind']['says']}"]))
    return rows


def headline_of(evidence: Mapping[str, Any]) -> str:
    """Say what a verdict means for its claim, without numbers."""
    verdict = evidence["verdict"]
    if evidence.get("not_testable"):
        return f"not testable here: {evidence['not_testable']}"
    return HEADLINES.get((evidence["claim"]["name"], verdict), DEFAULTS[verdict])


def gone(evidence: Mapping[str, Any]) -> str:
    """Say how much of what the original showed is gone, at least."""
    reduction = evidence["leakage_reduction"]
    least = reduction["low"]
    if least is None or least <= 0:
        return "it is not certain that any of what the original showed is gone"
    return (
        f"at least {math.floor(100 * least)}% of what the original showed is gone (estimate {reduction['value']:.0%})"
    )


def allowed(claim: Mapping[str, Any]) -> str:
    """Say a claim's limits without its quantity: "at most 0.55"."""
    text = str(claim["text"])
    return text.removeprefix(claim["quantity"]).strip() or text


def next_steps(evidence: Mapping[str, Any]) -> list[str]:
    """List the advice, first how many examples would settle the claim.

    Unless the advice speaks of that itself, or of what to do instead of waiting for them.
    """
    needed = f"about {evidence['needed']:,} forget examples would settle it" if evidence["needed"] else ""
    given = list(evidence["advice"])
    said = any("forget examples" in step or "assert_" in step for step in given)
    return given if not needed or said else [needed, *given]


def controls_of(evidence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the controls that evidence has."""
    controls = evidence["controls"]
    return [control for control in (controls["original"], *controls["retrained"], controls.get("blind")) if control]


def decisive(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the estimate with the bounds that decided, by Holm where that did."""
    return evidence.get("holm") or evidence["estimate"]  # type: ignore[no-any-return]


def bounds_of(evidence: Mapping[str, Any]) -> str:
    """Name the bounds that decided."""
    level = f"one-sided {decisive(evidence)['confidence']:.0%} bounds"
    return f"{level}, corrected for all attacks together" if evidence.get("holm") else level


def other_bounds_of(evidence: Mapping[str, Any], what: str) -> str:
    """Name the bounds of single attacks and controls where others decided."""
    if not evidence.get("holm"):
        return ""
    return f"{what}: one-sided {evidence['estimate']['confidence']:.0%} bounds, each by itself"


def limits_of(claim: Mapping[str, Any]) -> Limits:
    """Return the lowest and the highest that a claim allows."""
    return claim.get("lowest"), claim.get("highest")


def seen(evidence: Mapping[str, Any]) -> str:
    """Write the estimate and the bounds that decided: `0.620 [0.580, 0.660]`."""
    return interval(decisive(evidence), limits_of(evidence["claim"]))


def sizes(estimate: Mapping[str, Any]) -> str:
    """Say how many examples, pairs or requests an estimate rests on."""
    if counts(estimate):
        return f"{estimate['n_forget']:,} requests"
    if estimate["method"].startswith("median of"):
        return f"{estimate['n_forget']:,} pairs of runs"
    if not estimate["n_controls"]:
        return f"{estimate['n_forget']:,} examples, paired"
    return f"{estimate['n_forget']:,} forget examples, {estimate['n_controls']:,} controls"
