"""The judged table of attacks: what each sees in an original, a fine-tuned and a retrained model, by references."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_unlearn import UnlearningTask
from pytest_unlearn.attacks import Attack
from pytest_unlearn.audits.case import open_case
from pytest_unlearn.audits.examination import can_run
from pytest_unlearn.catalogue import ALWAYS, NAMED
from pytest_unlearn.statistics import auc_measure
from tests import worlds
from unlearners import FineTune

Row = dict[str, Any]
REFERENCES = (1, 2, 4, 8, 16)
JUDGED = 4
LOSS = "confidence"  # ranks as the loss does
ATTACKS: tuple[Attack, ...] = (*ALWAYS, *NAMED)
# Judged against 0.5 by themselves; the others only by their difference to the references.
CALIBRATED = tuple(attack.name for attack in ATTACKS if attack.calibrated and attack.least_references <= JUDGED)


def attacks(seed: int) -> Row:
    """AUCs in the digits world of the main job, with a fifth of labels wrong and without: 300 forget, 300 controls."""
    example = worlds.digits_example()
    row: Row = {}
    for world, noise in (("noisy", example.NOISE), ("clean", 0.0)):
        task = UnlearningTask(
            example.digits(seed, noise),
            example.RECIPE,
            references=max(REFERENCES),
            seed=seed,
            cache_dir=tempfile.mkdtemp(),
        )
        models = {
            "original": task.original,
            "fine-tuned": FineTune()(task.original, task.retain, task.forget, seed=seed),
            "retrained": example.RECIPE(task.retain, seed=seed + 500_000),
        }
        case = open_case(
            task.forget, nonmembers=None, baseline=None, references=None, match="inherit", output=None,
            require_controls=True,
        ).for_attacks(ATTACKS)  # fmt: skip
        original = case.known_answers(task.original)
        references = [replace(case.known_answers(model), original=original) for model in task.retrained]
        for name, model in models.items():
            mine = original if name == "original" else replace(case.answers(model), original=original)
            for attack in ATTACKS:
                found = {}
                for count in REFERENCES:
                    if can_run(attack, mine, references[:count]):
                        alone = {"references", "original"}.isdisjoint(attack.access) and not attack.calibrated
                        scores = attack.score(mine, [] if alone else references[:count], case.pairing)
                        found[count] = auc_measure(scores.forget, scores.controls, **case.pairing.labels).value
                row |= {f"{world}, {name}, {k} references, {attack.name}": round(v, 4) for k, v in found.items()}
    return row


def mean(rows: list[Row], *names: Any) -> float:
    """The mean AUC over seeds; NaN for what cannot be run."""
    return float(np.mean([row.get(", ".join(map(str, names)), np.nan) for row in rows]))


def attacks_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    """In the clean world references add .05 or more; calibrated attacks are at .5 on a held-out retrained model."""
    four = f"{JUDGED} references"
    best = max(CALIBRATED, key=lambda attack: mean(rows, "clean", "original", four, attack))
    gain = mean(rows, "clean", "original", four, best) - mean(rows, "clean", "original", four, LOSS)
    honest = {
        f"{world}, {attack}": mean(rows, world, "retrained", four, attack)
        for world in ("noisy", "clean")
        for attack in CALIBRATED
    }
    furthest = max(honest, key=lambda name: abs(honest[name] - 0.5))
    return [
        (f"clean digits, original: {best} is {gain:+.3f} above the loss attack (at least +.05)", gain >= 0.05),
        (
            f"retrained: calibrated attacks within .5 +- {abs(honest[furthest] - 0.5):.3f} (.02); furthest: {furthest}",
            abs(honest[furthest] - 0.5) <= 0.02,
        ),
        *((line, True) for line in summary(rows)),
    ]


def summary(rows: list[Row]) -> list[str]:
    """Means over seeds: a line for each attack, models by references."""
    lines = [f"means over {len(rows)} seeds, by 1, 2, 4, 8, 16 references:"]
    for world in ("noisy", "clean"):
        for attack in ATTACKS:
            shown = "; ".join(
                f"{model} "
                + " ".join(_shown(mean(rows, world, model, f"{k} references", attack.name)) for k in REFERENCES)
                for model in ("original", "fine-tuned", "retrained")
            )
            lines.append(f"{world}, {attack.name}: {shown}")
    return lines


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"
