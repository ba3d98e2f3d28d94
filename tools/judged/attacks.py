"""The judged table of attacks: what each sees in an original, a fine-tuned and a retrained model, by references."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_unlearn import UnlearningTask
from pytest_unlearn.attacks.registry import ALWAYS, NAMED, Attack
from pytest_unlearn.attacks.rmia import rmia_scores
from pytest_unlearn.attacks.signals import log_probability, logit_scaled_confidence
from pytest_unlearn.attacks.u_lira import unlearning_lira_scores
from pytest_unlearn.claims.algorithm.aggregate import rearranged
from pytest_unlearn.claims.algorithm.runs import open_pool, simulate
from pytest_unlearn.claims.common.findings import can_run
from pytest_unlearn.claims.common.inputs import resolve_inputs
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.statistics import auc_measure
from tests.published.online_lira import online_scores
from tests.worlds import real as worlds
from unlearners import FineTune

SHADOWED = ("LiRA, online", "RMIA, online", "U-LiRA, unlearned null")  # their references are shadow runs
Row = dict[str, Any]
REFERENCES = (1, 2, 4, 8, 16)
JUDGED = 4
LOSS = "confidence"  # ranks as the loss does
ATTACKS: tuple[Attack, ...] = (*ALWAYS, *NAMED)
BY_REFERENCES = tuple(
    attack.name for attack in ATTACKS if "references" in attack.access and attack.least_references <= JUDGED
)
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
        inputs = resolve_inputs(
            task.forget, nonmembers=None, baseline=None, references=None, match="inherit", output=None,
            require_controls=True,
        ).for_attacks(ATTACKS)  # fmt: skip
        shadows = _shadows(task)
        original = inputs.answers(task.original)
        references = [replace(inputs.answers(model), original=original) for model in task.retrained]
        for name, model in models.items():
            mine = original if name == "original" else replace(inputs.answers(model), original=original)
            for attack in ATTACKS:
                found = {}
                for count in REFERENCES:
                    if can_run(attack, mine, references[:count]):
                        alone = {"references", "original"}.isdisjoint(attack.access) and not attack.calibrated
                        scores = attack.score(mine, [] if alone else references[:count], inputs.pairing)
                        found[count] = auc_measure(scores.forget, scores.controls, **inputs.pairing.labels).value
                row[f"{world}, {name}, {attack.name}"] = shown(found)
            for attack_name, found in shadows(mine).items():
                row[f"{world}, {name}, {attack_name}"] = shown(found)
    return row


def shown(found: dict[int, float]) -> str:
    """AUCs by number of references; a dash for what cannot be run with so few."""
    return " ".join(f"{found[count]:.4f}" if count in found else "-" for count in REFERENCES)


def _shadows(task: UnlearningTask) -> Callable[[Answers], dict[str, dict[int, float]]]:
    """The attacks by shadow runs: as many trainings on half of forget and controls, each fine-tuned on retain after."""
    pool = open_pool(task, "drawn")
    runs = simulate(FineTune(), task, pool, max(REFERENCES), None)
    first = np.arange(len(pool.positions)) < pool.size
    before = [rearranged(run.original, run.drawn, first) for run in runs]
    after = [rearranged(run.unlearned, run.drawn, first) for run in runs]
    drawn = np.array([run.drawn for run in runs])
    chosen = pool.positions[pool.size :] - len(task.retain) - pool.size
    labels = {"forget_strata": pool.labels[first], "control_strata": pool.labels[~first]}

    def values(signal: Callable[[Outputs], Any], answers: Answers) -> Any:
        return np.concatenate([signal(answers.forget), signal(answers.controls)])

    def scored(mine: Answers) -> dict[str, dict[int, float]]:
        kept = Outputs(logits=mine.controls.logits[chosen], labels=mine.controls.labels[chosen])
        mine = Answers(forget=mine.forget, controls=kept)
        found: dict[str, dict[int, float]] = {name: {} for name in SHADOWED}
        confident = np.array([values(logit_scaled_confidence, one) for one in before])
        unlearned = np.array([values(logit_scaled_confidence, one) for one in after])
        likely = np.array([values(log_probability, one) for one in before])
        for count in REFERENCES[2:]:
            able = drawn[:count].any(axis=0) & ~drawn[:count].all(axis=0)
            target, logs = values(logit_scaled_confidence, mine), values(log_probability, mine)
            lira, rmia = np.zeros(len(target)), np.full(len(target), 0.5)
            lira[able] = online_scores(target[able], confident[:count, able], drawn[:count, able])
            rmia[able] = rmia_scores(
                logs[able],
                likely[:count, able],
                logs[~first],
                likely[:count, ~first],
                included=drawn[:count, able],
                a=1.0,
            )
            u_lira = unlearning_lira_scores(target, unlearned[:count], unlearned[:count], drawn[:count])
            for name, scores in zip(SHADOWED, (lira, rmia, u_lira), strict=True):
                found[name][count] = auc_measure(scores[first], scores[~first], **labels).value
        return found

    return scored


def mean(rows: list[Row], world: str, model: str, attack: str, count: int = JUDGED) -> float:
    """The mean AUC over seeds; NaN for what cannot be run."""
    cells = [row[f"{world}, {model}, {attack}"].split()[REFERENCES.index(count)] for row in rows]
    return float("nan") if "-" in cells else float(np.mean([float(cell) for cell in cells]))


def attacks_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    """In the clean world references add .05 or more; calibrated attacks are at .5 on a held-out retrained model."""
    best = max(BY_REFERENCES, key=lambda attack: mean(rows, "clean", "original", attack))
    gain = mean(rows, "clean", "original", best) - mean(rows, "clean", "original", LOSS)
    honest = {
        f"{world}, {attack}": mean(rows, world, "retrained", attack)
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
        for name in (*(attack.name for attack in ATTACKS if attack.name != "LiRA"), *SHADOWED):
            means = {
                model: {count: mean(rows, world, model, name, count) for count in REFERENCES}
                for model in ("original", "fine-tuned", "retrained")
            }
            known = {model: {k: v for k, v in found.items() if not np.isnan(v)} for model, found in means.items()}
            lines.append(f"{world}, {name}: " + "; ".join(f"{model} {shown(found)}" for model, found in known.items()))
    return lines
