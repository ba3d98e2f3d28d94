"""Figures of the canary audit: models, law of alignments, single triggers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from pytest_unlearn.claims.canaries import Canaries
from pytest_unlearn.claims.canaries.findings import Seen, with_confusion
from pytest_unlearn.claims.common.evidence import rounded
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.core.figures import Cell, Figure, Histograms, Table

EDGES = np.linspace(-4, 4, 25)  # in standard deviations of what chance gives; the outermost bins take what is beyond
MOST_TRIGGERS = 40


def canary_figures(
    canaries: Canaries, target: Seen, before: Seen | None, references: Sequence[Seen], confidence: float
) -> tuple[Figure, ...]:
    """Draw every figure of one audit: canaries are counted, never shown."""
    shown = [("this model", target), *([("original", before)] if before is not None else [])]
    named = [*shown, *((f"retrained {k}", seen) for k, seen in enumerate(references))]
    found: list[Figure] = [_models(canaries, named, references, confidence)]
    if canaries.kind == "gaussian":
        found.append(_alignments([(name, seen.aligned) for name, seen in shown]))
    if canaries.kind == "backdoor":
        found.append(_triggers(target))
    if canaries.kind == "confusion":
        found.append(_confusion(named))
    return tuple(found)


def _models(
    canaries: Canaries, named: Sequence[tuple[str, Seen]], references: Sequence[Seen], confidence: float
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, seen in named:
        for finding in with_confusion(seen, [other for other in references if other is not seen], confidence):
            chance = None if finding.chance is None else float(f"{finding.chance:.3g}")
            rows.append((name, finding.name, finding.estimate.n_forget, *rounded(finding.estimate), chance))
    return Table(
        title="What each model shows of the canaries",
        caption=f"{len(canaries)} {canaries.kind} canaries. The last column is the exact probability that a model "
        "which never saw them shows as much or more.",
        columns=("model", "attack", "trials", "effect", "low", "high", "by chance"),
        rows=tuple(rows),
    )


def _alignments(named: Sequence[tuple[str, FloatArray]]) -> Histograms:
    chance = np.diff(norm.cdf(np.r_[-np.inf, EDGES[1:-1], np.inf]))
    panels = {}
    for name, values in named:
        counts = np.histogram(np.clip(values, EDGES[0], EDGES[-1]), bins=EDGES)[0]
        panels[name] = (tuple((counts / max(len(values), 1)).tolist()), tuple(chance.tolist()))
    return Histograms(
        title="Alignment of canaries with the noise planted in them",
        caption="How far the model's gradient at each clean input points along its noise, beside the standard normal "
        "law that holds for every model that never saw the noise.",
        x_label="alignment",
        edges=tuple(EDGES.tolist()),
        sets=("canaries", "chance"),
        panels=panels,
    )


def _triggers(target: Seen) -> Table:
    left_out = f" The first {MOST_TRIGGERS} of {len(target.rows)}." if len(target.rows) > MOST_TRIGGERS else ""
    return Table(
        title="Trigger by trigger",
        caption=f"Whether the audited model gives triggered inputs the class that was drawn for the trigger.{left_out}",
        columns=("trigger", "canaries", "most answers are the target", "pushes most to the target", "share of answers"),
        rows=target.rows[:MOST_TRIGGERS],
    )


def _confusion(named: Sequence[tuple[str, Seen]]) -> Table:
    return Table(
        title="Confusion of unseen examples",
        caption="Share of the held-out examples of the two classes that each model takes for the other class.",
        columns=("model", "examples", "confused"),
        rows=tuple((name, len(seen.confused), round(float(seen.confused.mean()), 4)) for name, seen in named),
    )
