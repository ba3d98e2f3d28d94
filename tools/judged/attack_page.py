"""docs/attacks.md: what attacks declare, and what docs/judged/attacks.txt found (`python -m` this module)."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_unlearn.attacks.registry import ALWAYS, NAMED, Attack
from pytest_unlearn.claims.algorithm.aggregate import NULLS

ROOT = Path(__file__).parent.parent.parent
MEASURED, PAGE = ROOT / "docs" / "judged" / "attacks.txt", ROOT / "docs" / "attacks.md"
COUNTS = (1, 2, 4, 8, 16)
MODELS = ("original", "fine-tuned", "retrained")
INTRODUCTION = """# Attacks

Every attack is stated as an AUC of forget set against controls. `audit_forgotten` runs the first table on each model;
`audit_forgotten(..., attacks=[...])` adds those of the second by name, `attacks="all"` whatever can be asked of the
model. The deciding set, on which PASS depends, is the residual and the deviation of confidence and of margin (without
references: confidence and modified entropy); all others are tripwires, which can only make a verdict FAIL. A
*calibrated* attack has an AUC of 0.5 on a model that never saw the forget set; any other has whatever the forget
set's difficulty makes of it, so that it is judged by its difference to the retrained references, which is 0.

`attacks="online"` trains shadow models with halves of the request and of as many controls; two attacks that learn of
them (confidence, online; margin, online) decide in place of the residuals, which then watch. It is for
[small requests](explanation/small-requests.md).

Besides, each audit judges the first deciding attack on every class, and on the slices that it is given the confidence
residual, relative to what references have there. `audit_algorithm` adds U-LiRA, under two nulls ({nulls}).
"""
FINDINGS = """
## What they see

The digits network of `examples/digits_release_gate`: {seeds} seeds, 300 forget examples and 300 controls, by how many
retrained references the attacker has (`make judged`; every seed is in [judged/attacks.txt](judged/attacks.txt)).
Online attacks and U-LiRA have as many shadow runs instead, each trained on half of forget set and controls. Update
leakage compares two releases; its AUC on a retrained model is the risk of releasing both, and is no fault of the
method.

RMIA is ahead of the deciding set where labels are wrong, and behind it where they are not. It does not decide,
because outputs can be made to hide from it: with all logits of the original divided by 20 (seed 0, wrong labels, four
references) its AUC falls from .79 to .61, while the margin's residual stays at .73. Online attacks and U-LiRA are the
strongest from eight shadow runs on; each run is a training, so that they decide in `audit_algorithm`, which trains
them anyway.
"""
WORLDS = {"noisy": "A fifth of the labels is wrong", "clean": "No planted noise"}


def declared(attacks: tuple[Attack, ...]) -> list[str]:
    """A table of what attacks see, need and cost."""
    lines = ["| attack | sees | references | calibrated | cost | source |", "|---|---|---|---|---|---|"]
    for attack in attacks:
        calibrated = "yes" if attack.calibrated else "no"
        cells = (attack.name, ", ".join(attack.access), attack.least_references, calibrated, attack.cost, attack.source)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def measured(text: str, world: str) -> list[str]:
    """A table of mean AUCs, attacks by models and references."""
    lines = [
        "| attack | " + " | ".join(f"{model}, {count}" for model in MODELS for count in COUNTS) + " |",
        "|---" * (1 + len(MODELS) * len(COUNTS)) + "|",
    ]
    for name, found in re.findall(rf"holds: {world}, (.+?): (original .+)", text):
        values = [part.split()[1:] for part in found.split("; ")]
        lines.append(f"| {name} | " + " | ".join(value for part in values for value in part) + " |")
    return lines


def page(text: str) -> str:
    """The whole page."""
    seeds = len(re.findall(r"^cell ", text, re.MULTILINE))
    found = re.findall(r"holds?: (.*(?:above the loss attack|calibrated attacks within).*)", text, re.IGNORECASE)
    parts = [INTRODUCTION.format(nulls=" and ".join(sorted(NULLS.values()))), "## Run on every model", ""]
    parts += [*declared(ALWAYS), "", "## Run when they are named", "", *declared(NAMED), FINDINGS.format(seeds=seeds)]
    parts += [f"* {line}" for line in found]
    for world, title in WORLDS.items():
        parts += ["", f"### {title}", "", *measured(text, world)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(MEASURED.read_text()))
