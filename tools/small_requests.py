"""Write the tables of docs/explanation/small-requests.md: what a request of a size can be asked.

`python -m tools.small_requests` renews the part between the two marks; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from pytest_unlearn.claims.common.certify import POWER, RUNS_POWER, WEAK, Certifiable, certify, request

FILE = Path(__file__).parents[1] / "docs" / "explanation" / "small-requests.md"
BEGIN, END = "<!-- computed: begin -->", "<!-- computed: end -->"
SIZES, CONTROLS = (10, 20, 40, 60, 100, 200, 300, 400), (300, 1_000, 10_000)
LIMITS, ORIGINALS = (0.55, 0.575, 0.6, 0.65), (0.7, 0.8, 0.9)
AT, WEAKLY = 0.6, (0.58, WEAK, 0.65)


def at(forget: int, controls: int, limit: float = 0.55, original: float | None = None) -> Certifiable:
    """Say what can be said with a request, compared across classes."""
    return certify(request(forget, controls), limit=limit, confidence=0.95, original=original)


def render() -> str:
    """Write the tables."""
    needed = [
        "| controls | " + " | ".join(f"limit {limit:g}" for limit in LIMITS) + " |",
        "|" + "---|" * (len(LIMITS) + 1),
    ]
    for controls in CONTROLS:
        found = [at(40, controls, limit).needed for limit in LIMITS]
        needed.append(f"| {controls:,} | " + " | ".join("no number" if n is None else f"{n:,}" for n in found) + " |")
    head = ["forget examples", *(f"limit, {controls:,} controls" for controls in CONTROLS)]
    head += [f"reduction, original's AUC {auc:g}" for auc in ORIGINALS]
    head += [f"runs, originals' AUC {auc:g}" for auc in WEAKLY]
    sizes = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for size in SIZES:
        limits = [at(size, controls).likely_limit for controls in CONTROLS]
        reductions = [at(size, CONTROLS[-1], original=auc).reduction for auc in ORIGINALS]
        row = [f"{size:,}", *(f"{limit:g}" for limit in limits)]
        row += ["none" if one is None else f"{one:g}" for one in reductions]
        needed_runs = [request(size, CONTROLS[-1]).runs_needed(AT, 0.95, auc) for auc in WEAKLY]
        row += ["none" if one is None else f"{one}" for one in needed_runs]
        sizes.append("| " + " | ".join(row) + " |")
    return "\n".join(
        [
            f"Forget examples with which a perfect method passes {POWER:.0%} of the time:",
            "",
            *needed,
            "",
            "What a request of a size can be asked: the smallest limit, the largest `min_reduction` (with 10,000",
            f"controls), each passed by a perfect method {POWER:.0%} of the time (a reduction of 0.5 at least half of",
            f"the time); and the runs of `assert_algorithm` that it passes {RUNS_POWER:.0%} of the time (at {AT:g}),",
            "by the mean AUC over runs that their originals are recognised with:",
            "",
            *sizes,
        ]
    )


def renewed(text: str) -> str:
    """Return the page with its tables computed again."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{render()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    FILE.write_text(renewed(FILE.read_text(encoding="utf-8")), encoding="utf-8")
