"""Hold the PASS of a stored report to its own numbers: tripwires, figures, shares.

Each function yields what contradicts a PASS, a clause each. None of it needs model, data or scores; what is edited so
that all of it agrees takes the scores to be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import NormalDist
from typing import Any

from pytest_unlearn.core.claim_limit import AUC, DROP
from pytest_unlearn.core.claim_table import TABLE

Numbers = Mapping[str, Any]
ROUNDED = 6e-5  # cells of tables hold four digits
POOLED = 2e-3  # an average of as many rounded cells as there are classes
FEW_DEGREES = 4.0  # as much wider than by the normal law may simultaneous bounds be
ACCUSED = "beyond the limit {limit:g} with all attacks counted, which is a FAIL"


def contradictions(evidence: Numbers) -> Iterator[str]:
    """Yield why evidence (as JSON) cannot be the PASS that it says it is."""
    attacks: Mapping[str, Numbers] = evidence.get("attacks") or {}
    if evidence["label"]:
        yield f"it is labelled {evidence['label']!r}, as failures are"
    deciding, decided_by = evidence.get("deciding") or (), evidence["decided_by"]
    if deciding and decided_by not in deciding:
        yield f"{decided_by} settled it, which does not decide"
    if decided_by in attacks and attacks[decided_by] != evidence["estimate"]:
        yield f"its estimate is not that of {decided_by}, which settled it"
    for name, estimate in attacks.items():
        yield from _tripwire(name, estimate, evidence)
    yield from _controls(evidence)
    yield from _share(evidence)
    if attacks:
        for figure in evidence.get("exhibits") or ():
            yield from (f"{figure['title']!r} shows that {what}" for what in _figure(figure, evidence, attacks))


def _tripwire(name: str, estimate: Numbers, evidence: Numbers) -> Iterator[str]:
    """Yield where an attack, deciding or not, is so far beyond the limits that the verdict is FAIL."""
    bounds = (evidence.get("simultaneous") or {}).get(name)
    if bounds is None:
        yield from _surely_beyond(name, estimate, evidence, evidence["claim"])
        return
    value, low, high = estimate["value"], bounds["low"], bounds["high"]
    if None not in (value, low, high) and not low <= value <= high:
        yield f"{name} {value:g} lies outside its simultaneous interval [{low:g}, {high:g}]"
    if _above(low, bounds["highest"]):
        yield f"{name} is {low:g} at least, {ACCUSED.format(limit=bounds['highest'])}"
    if _above(bounds["lowest"], high):
        yield f"{name} is {high:g} at most, {ACCUSED.format(limit=bounds['lowest'])}"
    for side, end in (("highest", 1), ("lowest", -1)):
        limit, ours = evidence["claim"].get(side), bounds[side]
        if limit is not None and ours is not None and _of_auc(evidence) and end * (ours - limit) > ROUNDED:
            yield f"{name} was judged at {ours:g}, beyond the claim's {limit:g}"
    # Bounds that are wide enough to excuse anything, or none, excuse nothing.
    yield from _surely_beyond(name, estimate, evidence, bounds, slack=FEW_DEGREES)


def _surely_beyond(
    name: str, estimate: Numbers, evidence: Numbers, limits: Numbers, slack: float = 1.0
) -> Iterator[str]:
    """Yield the same whatever the simultaneous bounds, by the normal law and twice as many attacks."""
    value, low, high = (estimate[end] for end in ("value", "low", "high"))
    if not _of_auc(evidence) or None in (value, low, high) or not 0.5 < estimate["confidence"] < 1:
        return
    alpha, quantile = 1 - estimate["confidence"], NormalDist().inv_cdf
    times = slack * quantile(1 - alpha / (2 * len(evidence["attacks"]))) / quantile(1 - alpha)
    lowest, highest = limits.get("lowest"), limits.get("highest")
    if _above(low, highest) and value - highest > times * (value - low):
        yield f"{name} {value:g} [{low:g}, {high:g}] is {ACCUSED.format(limit=highest)}"
    if _above(lowest, high) and lowest - value > times * (high - value):
        yield f"{name} {value:g} [{low:g}, {high:g}] is {ACCUSED.format(limit=lowest)}"


def _controls(evidence: Numbers) -> Iterator[str]:
    """Yield that a control is missing which the settings ask for, of a claim that has both if it is PASS."""
    controls, settings = evidence.get("controls"), evidence["provenance"].get("settings") or {}
    has_both = _of_auc(evidence) and TABLE[evidence["claim"]["name"]].stores_scores
    if has_both and controls is not None and settings.get("require_controls") is True:
        if controls.get("original") is None:
            yield "controls were required, and there is no original"
        if not controls.get("retrained"):
            yield "controls were required, and there is no reference"


def _share(evidence: Numbers) -> Iterator[str]:
    """Yield where the leakage reduction is not what the share left leaves."""
    left, reduction = evidence.get("share_left"), evidence.get("leakage_reduction")
    if not left or "leakage_reduction" not in evidence:
        return
    ends = (("value", "value"), ("low", "high"), ("high", "low"))
    for ours, theirs in ends:
        gone, rest = (reduction or {}).get(ours), left[theirs]
        if gone is None or rest is None or abs(gone - (1 - rest)) > ROUNDED:
            yield "its leakage reduction is not 1 - the share left"
            return


def _figure(figure: Numbers, evidence: Numbers, attacks: Mapping[str, Numbers]) -> Iterator[str]:
    """Yield what a figure shows and the attacks' estimates deny."""
    try:
        if figure["kind"] == "table":
            columns = {name: k for k, name in enumerate(figure["columns"])}
            for row in figure["rows"]:
                yield from _row(str(row[0]), {name: row[k] for name, k in columns.items()}, attacks)
            yield from _average(figure, evidence, columns)
        elif figure["kind"] == "curves" and figure.get("diagonal"):
            yield from _area(figure, attacks)
        elif figure["kind"] == "histograms":
            yield from _shares(figure)
    except (KeyError, IndexError, TypeError, ValueError):
        yield "it is not made of the numbers that such a figure holds"


def _row(name: str, cells: Numbers, attacks: Mapping[str, Numbers]) -> Iterator[str]:
    """Yield where a table's row is about an attack and has other numbers."""
    about = next((one for one in (name, f"slice {name}") if one in attacks), "")
    if name == "excess, as 0.5 + difference":
        about = "update leakage" if "update leakage" in attacks else ""
    columns = {"reduction": "value", "AUC": "value", "low": "low", "high": "high"}
    if about and "low" in cells:
        for column, end in columns.items():
            told, found = cells.get(column), attacks[about][end]
            if column in cells and (told is None or found is None or abs(told - found) > ROUNDED):
                yield f"{about} has {column} {told}, and its estimate says {found}"


def _average(figure: Numbers, evidence: Numbers, columns: Mapping[str, int]) -> Iterator[str]:
    """Yield where the classes do not add up to the whole."""
    if figure["title"] != "Class by class":
        return
    weight, part = ("forget", "AUC") if "AUC" in columns else ("examples", "difference")
    rows = [(row[columns[weight]], row[columns[part]]) for row in figure["rows"]]
    estimate = evidence["estimate"]
    whole, shown = estimate["value"], sum(count for count, _ in rows)
    within = (evidence["provenance"].get("settings") or {}).get("match") == "class"
    if shown != estimate["n_forget"] or any(value is None for _, value in rows) or (part == "AUC" and not within):
        return
    mean = sum(count * value for count, value in rows) / shown
    drop = part == "difference" and TABLE[evidence["claim"]["name"]].limit is DROP
    comparable = part == "difference" or f"({evidence['decided_by']})" in figure["says"]
    if comparable and abs((-mean if drop else mean) - whole) > POOLED:
        yield f"its classes make {-mean if drop else mean:.4f} of the whole, and the estimate is {whole:.4f}"


def _area(figure: Numbers, attacks: Mapping[str, Numbers]) -> Iterator[str]:
    """Yield where no curve through the points has the area that the attack's estimate says."""
    name = max((one for one in attacks if f"({one})" in figure["says"]), key=len, default="")
    rates, caught = (figure["series"].get("unlearned") or ([], []))[:2]
    points = list(pairwise(zip([0.0, *rates], [0.0, *caught], strict=True)))
    if not all(0 <= x <= u <= 1 and 0 <= y <= v <= 1 for (x, y), (u, v) in points):
        yield "its curve is none: it falls, or leaves the square"
    elif name and points:
        least = sum((u - x) * y for (x, y), (u, _) in points)
        most = sum((u - x) * v for (x, _), (u, v) in points)
        value = attacks[name]["value"]
        # Ties count against the attacker on the curve, and by half in the estimate.
        if not least - POOLED <= value <= most + (1 - most) / 2 + POOLED:
            yield f"the area of {name} is from {least:.3f} to {most:.3f}, and its estimate is {value:.3f}"


def _shares(figure: Numbers) -> Iterator[str]:
    """Yield where the bins of a set do not hold all of it."""
    for name, sets in figure["panels"].items():
        for shares in sets:
            if len(shares) != len(figure["edges"]) - 1 or not 0.98 <= sum(shares) <= 1.02 or min(shares) < 0:
                yield f"the bins of the {name} model do not hold every example"


def _of_auc(evidence: Numbers) -> bool:
    """Tell whether all attacks of a claim are on the scale of its limits, and about one model."""
    spec = TABLE.get(evidence["claim"]["name"])
    return spec is not None and spec.limit is AUC and spec.of_this_model


def _above(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit
