"""Draw the first table of an example's README: `python -m examples.picture examples/graph/README.md ...`.

What is drawn is what stands there, so that text and picture cannot disagree.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path

COLOURS = {"PASS": "#2f6f9f", "INCONCLUSIVE": "#8a8a8a", "FAIL": "#c8553d", "INVALID": "#7a4b94"}
INTERVAL = re.compile(r"(-?\d\.\d+) \[(-?\d\.\d+), (-?\d\.\d+)\]")
VERDICT = re.compile("|".join(COLOURS))
NAME = "aucs.svg"  # beside the README


@dataclass(frozen=True, slots=True)
class Audit:
    """One audited model: what the table calls it, the first verdict of its row, and the first interval."""

    model: str
    verdict: str
    value: float
    low: float
    high: float


def audits(text: str) -> Iterator[Audit]:
    """Read the rows of the first table that have a verdict and an interval."""
    lines = dropwhile(lambda line: not line.startswith("|") or not INTERVAL.search(line), text.splitlines())
    for line in takewhile(lambda line: line.startswith("|"), lines):
        verdict, interval = VERDICT.search(line), INTERVAL.search(line)
        if verdict and interval:
            before = (cell.strip() for cell in line[: verdict.start()].split("|"))
            name = ", ".join(cell for cell in before if cell and not re.fullmatch(r"[+-]?[\d.]+", cell))
            yield Audit(name, verdict[0], *map(float, interval.groups()))


def draw(found: Sequence[Audit], path: Path) -> None:
    """Draw each model's AUC between its bounds, coloured by the verdict."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": path.parent.name, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7.5, 0.6 + 0.2 * len(found)), layout="constrained")
        panel = figure.subplots()
        panel.axvline(0.5, color="#888888", lw=0.8)
        for line, one in enumerate(found):
            panel.plot([one.low, one.high], [-line] * 2, color=COLOURS[one.verdict], lw=2, solid_capstyle="round")
            panel.plot([one.value], [-line], "o", ms=4, color=COLOURS[one.verdict])
        panel.set(xlim=(0.35, 1), xlabel="AUC", yticks=[-line for line in range(len(found))])
        panel.set_yticklabels([one.model for one in found])
        panel.tick_params(length=0)
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        there = dict.fromkeys(one.verdict for one in found)
        handles = [panel.plot([], [], "o-", ms=4, lw=2, color=COLOURS[verdict], label=verdict)[0] for verdict in there]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(there), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    for readme in map(Path, sys.argv[1:]):
        draw(list(audits(readme.read_text(encoding="utf-8"))), readme.parent / NAME)
