"""The judged table of attacks: what each sees in an original, a fine-tuned and a retrained model, by references."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn import UnlearningTask
from pytest_unlearn.attacks import Pairing, deciding_set, tripwires
from pytest_unlearn.attacks.lira import offline_lira
from pytest_unlearn.attacks.rmia import offline_rmia
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.evidence import Answers, Scores
from pytest_unlearn.outputs import evaluate
from pytest_unlearn.statistics import auc_measure
from tests import worlds
from unlearners import FineTune

Row = dict[str, Any]
REFERENCES = (1, 2, 4, 8, 16)
JUDGED = 4
LOSS = "confidence"  # ranks as the loss does
SCORES: dict[str, Callable[[Answers, Sequence[Answers], Pairing], Scores]] = {
    **{
        attack.name: attack.score
        for attack in (*deciding_set(references=True, classes=10), *tripwires(references=True, classes=10))
    },
    "LiRA, offline, pooled": partial(offline_lira, logit_scaled_confidence, variance="pooled"),
    "RMIA, offline": offline_rmia,
}
# Judged against 0.5 by themselves; the others only by their difference to the references.
CALIBRATED = tuple(
    name for name in SCORES if any(word in name for word in ("residual", "deviation", "difference", "LiRA", "RMIA"))
)


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
        references = [answers(task, model) for model in task.retrained]
        for name, model in models.items():
            mine = answers(task, model)
            for count in REFERENCES:
                for attack, score in SCORES.items():
                    row[f"{world}, {name}, {count} references, {attack}"] = round(
                        auc_of(score, mine, references[:count]), 4
                    )
    return row


def answers(task: UnlearningTask, model: Any) -> Answers:
    """What a model answers on the two sets."""
    forget, controls = (evaluate(model, view, classes=task.split.classes) for view in (task.forget, task.controls))
    return Answers(forget=forget, controls=controls)


def auc_of(score: Callable[..., Scores], mine: Answers, references: Sequence[Answers]) -> float:
    """The AUC of an attack's scores, class by class."""
    strata = {"forget_strata": mine.forget.labels, "control_strata": mine.controls.labels}
    scores = score(mine, references, Pairing(**strata))
    return auc_measure(scores.forget, scores.controls, **strata).value


def mean(rows: list[Row], *names: Any) -> float:
    """The mean AUC over seeds."""
    return float(np.mean([row[", ".join(map(str, names))] for row in rows]))


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
        for attack in SCORES:
            shown = "; ".join(
                f"{model} " + " ".join(f"{mean(rows, world, model, f'{k} references', attack):.3f}" for k in REFERENCES)
                for model in ("original", "fine-tuned", "retrained")
            )
            lines.append(f"{world}, {attack}: {shown}")
    return lines
