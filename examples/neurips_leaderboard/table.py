"""Rows -> the page in the docs."""

from __future__ import annotations

from statistics import mean
from typing import Any

HEAD = """# Leaderboard of the reference methods

Made by `make leaderboard` (`examples/neurips_leaderboard`): Fashion-MNIST, 2,600 training images of which 600 must be
forgotten, a small convolutional network; draws 0, 1 and 2, each with its own training images, original, four retrained
references and unlearning seed. Controls are the 10,000 test images. **Settings were chosen on a development draw**
whose training images and controls come from the other half of the training images, never on the audited controls: the
settings and all that was tried are in `examples/neurips_leaderboard/chosen.json`. What is not there has its default
settings.

Accuracies are means over the draws. The verdict is that of `audit_forgotten` at a limit of 0.55 (so within 0.45 and
0.55), for draws 0, 1, 2; *over* says that a FAIL is on the low side. AUC is that of the attack that decided, with its
interval (one-sided 95% bounds), for each draw. Time is CPU time as a fraction of retraining the same kind of model,
mean over draws. SISA, Amnesiac and the methods for linear models and naive Bayes are judged against retrained models
of their own kind: compare their accuracy within the row only.

"""


def render(rows: list[dict[str, Any]]) -> str:
    """The page: a table for each family."""
    parts = [HEAD]
    for family in dict.fromkeys(row["family"] for row in rows):
        parts.append(f"## {family[0].upper()}{family[1:]}\n\n")
        parts.append("| method | forget | retain | test | retrained test | verdicts | AUC | time |\n")
        parts.append("|---|---|---|---|---|---|---|---|\n")
        mine = [row for row in rows if row["family"] == family]
        for name in dict.fromkeys(row["method"] for row in mine):
            parts.append(_line(name, [row for row in mine if row["method"] == name]))
        parts.append("\n")
    return "".join(parts)


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    if rows[0]["unsupported"]:
        return f"| {name} | not applicable: {rows[0]['unsupported']} | | | | | | |\n"
    means = (f"{mean(row[key] for row in rows):.3f}" for key in ("forget", "retain", "test", "retrained_test"))
    verdicts = ", ".join(row["verdict"] + (" (over)" if row["label"] == "over-forgotten" else "") for row in rows)
    intervals = "<br>".join(f"{row['auc']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for row in rows)
    fraction = mean(row["time_fraction"] for row in rows)
    return f"| {name} | {' | '.join(means)} | {verdicts} | {intervals} | {fraction:.2f} |\n"
