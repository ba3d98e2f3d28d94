"""Say what each choice of controls does to honest models and to leaks: `python -m examples.shift [DRAWS [PICTURE]]`."""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.shift.models import RECIPE, leaky, more_trees, saved
from examples.shift.picture import draw as draw_aucs
from examples.shift.shifts import SHIFTS, Shift
from pytest_unlearn import Evidence, UnlearningTask, audit_forgotten
from pytest_unlearn.core.figures import Table
from pytest_unlearn.data.view import View

LIMIT = 0.55  # at which choices are compared: strict, so that what accuses honest models shows
KNOWN, REFERENCES = "known", 4
CHOICES: dict[str, tuple[Any, bool]] = {  # what controls are matched by, and whether there are references
    "all controls": ("class", False),
    "matched by what is known": (KNOWN, False),
    "matched by propensity": ("propensity", False),
    "references": ("class", True),
    "references, matched": (KNOWN, True),
}
WEIGHTS = "weighted by propensity"
VERDICTS = ("PASS", "INCONCLUSIVE", "FAIL", "INVALID")


@dataclass(frozen=True, slots=True)
class Row:
    """What an audit of a model said, in one draw of a shift."""

    shift: str
    choice: str
    model: str
    verdict: str
    auc: float
    reason: str = ""


def rows(name: str, draw: int, choices: Iterable[str] = tuple(CHOICES), *, release: bool = True) -> Iterator[Row]:
    """Train the forests of a draw, and audit an honest one and a leak by each choice; with references, releases too."""
    shift = SHIFTS[name]
    task = UnlearningTask(shift.split(draw, "class"), references=0)
    everything = View("train", task.split.train, np.arange(len(task.split.train)), task)
    original = RECIPE(everything, seed=draw)
    honest, other, *references = (RECIPE(task.retain, seed=1000 * (draw + 1) + k) for k in range(2 + REFERENCES))
    for choice in choices:
        match, referenced = CHOICES[choice]
        compared = _task(shift, draw, match, original, references if referenced else [])
        models = {"honest": saved(honest, compared), "leaky": leaky(compared, original, honest, other)}
        for what, model in models.items():
            found = audit_forgotten(model, compared.forget, max_mia_auc=LIMIT, require_controls=referenced)
            yield _row(name, choice, what, found)
            yield from _weighted(name, what, found) if match == "propensity" else ()
    if not release:
        return
    compared = _task(shift, draw, shift.release, original, references)
    more = more_trees(original, task.retain)
    for what, model in {"original": original, "20 more trees": more, "retrained": honest}.items():
        yield _row(name, "release", what, audit_forgotten(model, compared.forget, max_mia_auc=shift.limit))


def _task(shift: Shift, draw: int, match: Any, original: Any, references: list[Any]) -> UnlearningTask:
    """Give a task the answers of models that were asked once."""
    split = shift.split(draw, shift.known if match == KNOWN else match)
    plain = UnlearningTask(split, references=0)
    told = [saved(one, plain) for one in references]
    return UnlearningTask(split, original=saved(original, plain), references=told or 0)


def _row(shift: str, choice: str, model: str, found: Evidence) -> Row:
    first = next(iter(found.attacks.values())).value  # the confidence, or its residual
    reason = next(iter(found.reasons), "") if found.verdict.value in ("FAIL", "INVALID") else ""
    return Row(shift, choice, model, found.verdict.value, round(first, 4), reason)


def _weighted(shift: str, model: str, found: Evidence) -> Iterator[Row]:
    """Judge the importance-weighted AUC of the confidence, which an audit shows beside its strata."""
    for figure in found.figures:
        if isinstance(figure, Table) and figure.title == "Matched controls" and figure.rows:
            value, low, high = (float(cell) for cell in figure.rows[0][-3:])  # type: ignore[arg-type]
            beyond = "FAIL" if low > LIMIT or high < 1 - LIMIT else "INCONCLUSIVE"
            verdict = "PASS" if high <= LIMIT and low >= 1 - LIMIT else beyond
            yield Row(shift, WEIGHTS, model, verdict, value)


def comparison(found: list[Row]) -> Iterator[str]:
    """Yield a line for each shift and choice."""
    yield f"| shift | controls | honest: {', '.join(VERDICTS)} | AUC | leak found | AUC |"
    yield "|---|---|---|---|---|---|"
    for shift in SHIFTS:
        for choice in dict.fromkeys(row.choice for row in found if row.choice != "release"):
            of = {what: _select(found, shift, choice, what) for what in ("honest", "leaky")}
            if not of["honest"]:
                continue
            caught = sum(row.verdict == "FAIL" for row in of["leaky"])
            yield (
                f"| {shift} | {choice} | {_counts(of['honest'])} | {_mean(of['honest'])} | "
                f"{caught} of {len(of['leaky'])} | {_mean(of['leaky'])} |"
            )


def releases(found: list[Row]) -> Iterator[str]:
    """Yield a line for each model that somebody might release."""
    yield f"| shift | model | {', '.join(VERDICTS)} | AUC |"
    yield "|---|---|---|---|"
    for shift in SHIFTS:
        for what in ("original", "20 more trees", "retrained"):
            several = _select(found, shift, "release", what)
            yield f"| {shift} | {what} | {_counts(several)} | {_mean(several)} |"


def _select(found: list[Row], shift: str, choice: str, model: str) -> list[Row]:
    return [row for row in found if (row.shift, row.choice, row.model) == (shift, choice, model)]


def _counts(several: list[Row]) -> str:
    counts = Counter(row.verdict for row in several)
    return ", ".join(str(counts[verdict]) for verdict in VERDICTS)


def _mean(several: list[Row]) -> str:
    return f"{np.mean([row.auc for row in several]):.3f}" if several else "-"


def aucs(found: list[Row]) -> dict[tuple[str, str, str], list[float]]:
    """Collect the AUCs that are drawn, by shift, choice and model."""
    told: dict[tuple[str, str, str], list[float]] = {}
    for row in found:
        if row.choice != "release":
            told.setdefault((row.shift, row.choice, row.model), []).append(row.auc)
    return told


def main(draws: int, picture: str = "") -> None:
    """Print both tables, and draw the second."""
    warnings.simplefilter("ignore")
    start = time.time()
    found = [row for name in SHIFTS for draw in range(draws) for row in rows(name, draw)]
    if picture:
        draw_aucs(aucs(found), LIMIT, Path(picture))
    print(*releases(found), "", *comparison(found), f"\n{time.time() - start:.0f} s", sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1, *sys.argv[2:3])
