"""Running one method on one world, and judging what comes out."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.neurips_leaderboard.methods import Method, Settings
from examples.neurips_leaderboard.world import World
from pytest_unlearn import Split, UnlearningTask, audit_forgotten
from pytest_unlearn.models.predict import evaluate

MAX_MIA_AUC = 0.55
DECIDING = ("confidence residual", "confidence deviation", "margin residual", "margin deviation")


@dataclass(frozen=True)
class Row:
    """What a method did on one draw; where it does not apply, `unsupported` is its sentence and the rest is empty."""

    method: str
    settings: Settings
    unsupported: str = ""
    forget: float = np.nan
    retain: float = np.nan
    test: float = np.nan
    retrained_test: float = np.nan
    verdict: str = ""
    label: str = ""
    attack: str = ""
    auc: float = np.nan
    low: float = np.nan
    high: float = np.nan
    furthest: float = np.nan
    time_fraction: float = np.nan
    gap: float = np.nan
    reduction: float = np.nan
    reduction_low: float = np.nan
    reduction_high: float = np.nan
    became_wrong: int = 0
    became_right: int = 0

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass
class Bench:
    """A world and its tasks; models are trained once for each kind of model."""

    world: World
    cache: Path

    def __post_init__(self) -> None:
        self._tasks: dict[str, tuple[UnlearningTask, float]] = {}

    def task(self, method: Method, unlearner: Any) -> tuple[UnlearningTask, float]:
        """The task with models of the kind this method needs, and the CPU seconds of a retraining."""
        key = method.name if method.recipe is not None else "network"
        if key not in self._tasks:
            recipe = method.trained_by(unlearner)
            split = _flat(self.world.split) if method.flat else self.world.split
            task = UnlearningTask(split, recipe, cache_dir=self.cache)
            start = time.process_time()
            recipe(task.retain, seed=0)
            self._tasks[key] = task, time.process_time() - start
        return self._tasks[key]

    def judge(self, method: Method, settings: Settings, *, seed: int = 0) -> Row:
        """Unlearn, time it, audit it."""
        unlearner = method.make(self.world, settings)
        task, retraining = self.task(method, unlearner)
        original = task.original
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a method that diverges is judged by what it returns
            try:
                model = unlearner(original, task.retain, task.forget, seed=seed)
            except TypeError as refusal:
                if type(refusal).__name__ != "Unsupported":
                    raise
                return Row(method.name, settings, unsupported=str(refusal))
        seconds = time.process_time() - start
        evidence = audit_forgotten(model, task.forget, max_mia_auc=MAX_MIA_AUC)
        estimates = {name: attack.value for name, attack in evidence.attacks.items()}
        parts = (task.forget, task.retain, task.test)
        forget, retain, test = (accuracy(model, part) for part in parts)
        retrained = [float(np.mean([accuracy(reference, part) for reference in task.retrained])) for part in parts]
        before, now = right(original, task.forget), right(model, task.forget)
        gone = evidence.leakage_reduction
        return Row(
            method.name,
            settings,
            forget=forget,
            retain=retain,
            test=test,
            retrained_test=retrained[2],
            verdict=evidence.verdict.value,
            label=evidence.label,
            attack=evidence.estimate.method,
            auc=evidence.estimate.value,
            low=evidence.estimate.low,
            high=evidence.estimate.high,
            furthest=max(abs(estimates[name] - 0.5) for name in DECIDING if name in estimates),
            time_fraction=seconds / retraining,
            gap=float(np.mean(np.abs(np.subtract((forget, retain, test), retrained)))),
            reduction=np.nan if gone is None else gone.value,
            reduction_low=np.nan if gone is None else gone.low,
            reduction_high=np.nan if gone is None else gone.high,
            became_wrong=int((before & ~now).sum()),
            became_right=int((now & ~before).sum()),
        )


def accuracy(model: Any, view: Any) -> float:
    """The share of a view that is classified as labelled."""
    return float(right(model, view).mean())


def right(model: Any, view: Any) -> Any:
    """Of each example, whether it is classified as labelled."""
    outputs = evaluate(model, view, classes=view.task.split.classes)
    return outputs.logits.argmax(1) == outputs.labels


def _flat(split: Split) -> Split:
    """Images as rows of at most unit length, for linear models."""

    def rows(examples: Any) -> tuple[Any, Any]:
        x = np.stack([np.asarray(examples[i][0]) for i in range(len(examples))]).reshape(len(examples), -1)
        return x / np.sqrt(x.shape[1], dtype=x.dtype), np.array([int(examples[i][1]) for i in range(len(examples))])

    return Split(rows(split.train), forget=split.forget_indices, test=rows(split.test))
