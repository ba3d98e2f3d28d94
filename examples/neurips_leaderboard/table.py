"""Rows -> the page in the docs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from statistics import mean, stdev
from typing import Any

from unlearners.tune import sign_test

T_95 = {2: 6.31, 3: 2.92, 4: 2.35, 5: 2.13}
"""Draws -> the one-sided 95% quantile of t with one degree of freedom less."""

COLUMNS = (
    *("rank", "method", "forget", "retain", "test", "gap", "leakage gone"),
    *("verdicts", "AUC", "effect", "time", "notes"),
)
HEAD = """# Leaderboard of the reference methods

Made by `make leaderboard` (`examples/neurips_leaderboard`): Fashion-MNIST, 1,300 training images of which 300 must be
forgotten, a small convolutional network; up to three draws (as many as there are verdicts in a row), each with its own
training images, original, four retrained references and unlearning seed. `make leaderboard` runs what is missing.
Controls are the 10,000 test images. **Settings were chosen on other draws**, whose images come from the other half of
the training images, never on the audited controls: the settings and all that was tried are in
`examples/neurips_leaderboard/chosen.json`. What is not there has its default settings.

* *rank*: 1 and the number of methods that are better with certainty, by the distance of the deciding attacks from 0.5
  plus the accuracy on test lost to retraining, paired over draws (one-sided t, 95%). Methods of equal rank are not
  told apart. Of fewer than three draws nothing of the kind is certain, and a method that ruins every second model
  would share the first place with retraining: no rank is given.
* *forget, retain, test*: accuracy, the mean over draws and their range; *gap*: its distance to the retrained models',
  the mean over forget, retain and test, and over draws.
* *leakage gone*: how much is gone of what the original showed, for each draw, with one-sided 95% bounds.
* *verdicts* of `audit_forgotten` at a limit of 0.55 (so within 0.45 and 0.55), for each draw; *over*: FAIL on the low
  side. *AUC*: of the attack that decided, with its interval, for each draw.
* *effect*: **yes** where answers on the forget sets became wrong, or right, by more than chance (exact sign test over
  all draws, 95%), or the lower bound of what is gone is above 0 in every draw. *none of N*: no setting of N tried had
  an effect on the draws that settings are chosen on.
* *time*: CPU time as a fraction of retraining the same kind of model, mean over draws, on a machine with other work.
* *worse than nothing*: where settings are chosen, the objective of the best setting with an effect (distance to the
  retrained models' accuracy, plus a tenth of the share of time) is above that of the original as it is. *effect
  not on most draws*: it is certain on those draws together, and on at most one of the three by itself. *unstable*: what
  is best on two of them is not good on the third.

SISA, Amnesiac and methods for linear models and trees are judged against retrained models of their own kind: compare
their accuracy within the row only.

"""


RANKED = 3  # draws that a rank takes


def render(rows: list[dict[str, Any]], chosen: dict[str, Any], names: Iterable[str], published: str = "") -> str:
    """The page: a table for each family, and what was not run."""
    ranks, parts = ranked(rows), [HEAD]
    for family in dict.fromkeys(row["family"] for row in rows):
        parts.append(f"## {family[0].upper()}{family[1:]}\n\n")
        parts.append(
            "| rank | method | forget | retain | test | gap | leakage gone | verdicts | AUC | effect | time | notes |\n"
        )
        parts.append("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
        mine = [row for row in rows if row["family"] == family]
        for name in dict.fromkeys(row["method"] for row in mine):
            parts.append(_line(name, [row for row in mine if row["method"] == name], ranks, chosen.get(name, {})))
        parts.append("\n")
    run = {row["method"] for row in rows}
    left = [name for name in names if name not in run]
    if left:
        parts.append(f"## Not run\n\nNot run with the present code and settings: {', '.join(left)}.\n\n")
    return "".join(parts) + re.sub(r"\{ours (.+?)\}", lambda found: beside(rows, found[1]), published)


def beside(rows: list[dict[str, Any]], name: str) -> str:
    """What stands here beside another project's figures: accuracy on test lost to retraining, AUC, time."""
    mine = [row for row in rows if row["method"] == name and not row["unsupported"]]
    if not mine:
        return "not run | | "
    lost = mean(row["test"] - row["retrained_test"] for row in mine)
    return f"{lost:+.3f} | {mean(row['auc'] for row in mine):.3f} | {mean(row['time_fraction'] for row in mine):.2f}"


def ranked(rows: list[dict[str, Any]]) -> dict[str, int]:
    """1 and how many methods are better with certainty; decoys and exact methods count as well."""
    costs: dict[str, dict[int, float]] = {}
    for row in rows:
        if not row["unsupported"]:
            costs.setdefault(row["method"], {})[row["draw"]] = cost(row)
    return {one: 1 + sum(_better(other, mine) for other in costs.values()) for one, mine in costs.items()}


def cost(row: dict[str, Any]) -> float:
    """How far the deciding attacks are from 0.5, plus the accuracy lost to retraining."""
    return float(row["furthest"] + max(0.0, row["retrained_test"] - row["test"]))


def _better(one: dict[int, float], other: dict[int, float]) -> bool:
    ahead = [other[draw] - one[draw] for draw in one if draw in other]
    n = len(ahead)
    return n in T_95 and mean(ahead) > T_95[n] * stdev(ahead) / n**0.5


def has_effect(rows: list[dict[str, Any]]) -> bool:
    """Whether anything on the forget sets differs from the original's with certainty."""
    wrong, right = (sum(row[key] for row in rows) for key in ("became_wrong", "became_right"))
    return sign_test(wrong, right) < 0.05 or all((row["reduction_low"] or 0.0) > 0 for row in rows)


def _line(name: str, rows: list[dict[str, Any]], ranks: dict[str, int], chosen: dict[str, Any]) -> str:
    if rows[0]["unsupported"]:
        return f"| | {name} | not applicable: {rows[0]['unsupported']} |{' |' * 9}\n"
    accuracies = (_with_range([row[key] for row in rows]) for key in ("forget", "retain", "test"))
    gone = "<br>".join(_gone(row) for row in rows)
    verdicts = ", ".join(row["verdict"] + (" (over)" if row["label"] == "over-forgotten" else "") for row in rows)
    intervals = "<br>".join(f"{row['auc']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" for row in rows)
    effect = "yes" if has_effect(rows) else "no"
    if chosen.get("effect") is False:
        effect += f"; none of {len(chosen['tried'])}"
    notes = ["worse than nothing"] * (chosen.get("objective", 0) > chosen.get("nothing", 1))
    notes += ["effect not on most draws"] * (chosen.get("effect") is True and not chosen.get("on_most", True))
    notes += ["unstable"] * (chosen.get("effect") is True and not chosen["stable"])
    cells = [
        *(
            str(ranks[name]) if len(rows) >= RANKED else "",
            name,
            *accuracies,
            f"{mean(row['gap'] for row in rows):.3f}",
            gone,
            verdicts,
            intervals,
        ),
        *(effect, f"{mean(row['time_fraction'] for row in rows):.2f}", ", ".join(notes)),
    ]
    return f"| {' | '.join(cells)} |\n"


def _gone(row: dict[str, Any]) -> str:
    if row["reduction"] is None or row["reduction"] != row["reduction"]:
        return "not asked"
    return f"{row['reduction']:.0%} [{row['reduction_low']:.0%}, {row['reduction_high']:.0%}]"


def _with_range(values: list[float]) -> str:
    return f"{mean(values):.3f} ({min(values):.2f} to {max(values):.2f})"
