"""Forget all shirts, and ask three times whether it worked: `python -m examples.class_forgetting [DRAWS]`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from examples.fashion_mnist import fashion_mnist
from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_forgotten
from pytest_unlearn.models.predict import evaluate
from unlearners import UNLEARNERS

SHIRT = 6
TRAIN = 6000
LIMIT = 0.55

HEAD = """
| model | trained shirts | unseen shirts | other classes | nine-way | class-blind AUC | matched AUC | audit |
|---|---|---|---|---|---|---|---|""".strip()

FINE_TUNE = UNLEARNERS["fine-tune"]()  # the starting kit's: 5 epochs, lr 0.1
ANCHORED = UNLEARNERS["l2-anchored-fine-tune"](anchor=0.1)  # the same training, drawn back to the original weights


def build() -> nn.Module:
    """A small convolutional network."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


RECIPE = TorchRecipe(build, epochs=30, batch_size=64, learning_rate=1e-3)


def world(draw: int, train: int = TRAIN) -> Split:
    """All shirts among the training images must go; controls are the shirts that were not drawn for training."""
    x, y, x_test, y_test = fashion_mnist()
    rows = np.random.default_rng(draw).choice(len(y), size=train, replace=False)
    unused = np.setdiff1d(np.flatnonzero(y == SHIRT), rows)
    shirts = np.concatenate([x_test[y_test == SHIRT], x[unused]])
    controls = (shirts, np.full(len(shirts), SHIRT))
    return Split((x[rows], y[rows]), forget=np.flatnonzero(y[rows] == SHIRT), test=(x_test, y_test), controls=controls)


@dataclass(frozen=True)
class Measured:
    """One model, seen three ways.

    Attributes:
        forget, unseen: share of trained and of never-seen shirts that are still called shirts.
        others: accuracy on the test images of the nine other classes.
        nine_way: the same when "shirt" is not among the answers: what was lost apart from the class itself.
        blind: AUC of the confidence in the label, trained shirts against test images of the other classes.
        matched: the same against never-seen shirts.
        verdict, auc: the audit's, which also compares with retrained models.
    """

    forget: float
    unseen: float
    others: float
    nine_way: float
    blind: float
    matched: float
    verdict: str
    auc: tuple[float, float, float]


def measure(model: Any, task: UnlearningTask) -> Measured:
    """Ask a model about trained shirts, never-seen shirts and everything else."""
    parts = {}
    for view in (task.forget, task.controls, task.test):
        outputs = evaluate(model, view, classes=task.split.classes)
        logits, labels = outputs.logits, outputs.labels
        own = logits[np.arange(len(labels)), labels]
        rest = np.where(np.arange(logits.shape[1]) == labels[:, None], -np.inf, logits)
        nine = np.where(np.arange(logits.shape[1]) == SHIRT, -np.inf, logits).argmax(1) == labels
        parts[view.name] = labels, logits.argmax(1) == labels, own - np.logaddexp.reduce(rest, axis=1), nine
    others = parts["test"][0] != SHIRT
    members = parts["forget"][2]
    evidence = audit_forgotten(model, task.forget, max_mia_auc=LIMIT)
    return Measured(
        forget=parts["forget"][1].mean(),
        unseen=parts["controls"][1].mean(),
        others=parts["test"][1][others].mean(),
        nine_way=parts["test"][3][others].mean(),
        blind=auc(members, parts["test"][2][others]),
        matched=auc(members, parts["controls"][2]),
        verdict=evidence.verdict.value + (f" ({evidence.label})" if evidence.label else ""),
        auc=(evidence.estimate.value, evidence.estimate.low, evidence.estimate.high),
    )


def auc(members: Any, strangers: Any) -> float:
    """Probability that a member scores above a stranger."""
    labels = np.repeat([1, 0], [len(members), len(strangers)])
    return float(roc_auc_score(labels, np.concatenate([members, strangers])))


def models(task: UnlearningTask) -> dict[str, Any]:
    """The original, a fresh retrain, and the two attempts."""
    return {
        "original": task.original,
        "retrained": RECIPE(task.retain, seed=500),
        "fine-tuned": FINE_TUNE(task.original, task.retain, task.forget, seed=0),
        "anchored": ANCHORED(task.original, task.retain, task.forget, seed=0),
    }


def main(draws: int) -> None:
    """Print a table for each draw."""
    torch.set_num_threads(1)
    start = time.time()
    for draw in range(draws):
        task = UnlearningTask(world(draw), RECIPE, cache_dir=f".unlearn/class_forgetting/{draw}", n_jobs=2)
        print(f"\ndraw {draw}: {len(task.forget)} trained shirts, {len(task.controls)} never seen\n")
        print(HEAD, flush=True)
        for name, model in models(task).items():
            m = measure(model, task)
            audit = f"{m.verdict} {m.auc[0]:.3f} [{m.auc[1]:.3f}, {m.auc[2]:.3f}]"
            shares = f"{m.forget:.3f} | {m.unseen:.3f} | {m.others:.4f} | {m.nine_way:.4f}"
            print(f"| {name} | {shares} | {m.blind:.3f} | {m.matched:.3f} | {audit} |", flush=True)
    print(f"\n{time.time() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
