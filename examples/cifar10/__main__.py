"""Retrain, unlearn, score, audit: `python -m examples.cifar10 [--requests random class mislabelled] [--draws N]`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.cifar10.images import FOLDER, cifar10
from examples.cifar10.requests import RECIPE, REQUESTS, world
from pytest_unlearn import UnlearningTask, audit_forgotten
from pytest_unlearn.metrics import starting_kit_mia
from pytest_unlearn.models.predict import evaluate
from unlearners import UNLEARNERS, Retrain

LIMIT = 0.65
METHODS = {
    "retrained": Retrain(RECIPE),
    # The starting kit's 5 epochs; its rate of 0.1 destroys this network.
    "fine-tuned": UNLEARNERS["fine-tune"](lr=0.01),
    # The same, drawn back to the original weights.
    "anchored": UNLEARNERS["l2-anchored-fine-tune"](lr=0.01, anchor=0.1),
}
HEAD = """
| request | draw | model | audit | AUC | starting kit's MIA | forget | test | test without the class | s |
|---|---|---|---|---|---|---|---|---|---|""".strip()


def row(request: str, draw: int, name: str, model: Any, task: UnlearningTask, seconds: float) -> str:
    """Score a model as the starting kit does, and audit it."""
    forget, controls, test = (evaluate(model, v, classes=10) for v in (task.forget, task.controls, task.test))
    evidence = audit_forgotten(model, task.forget, max_mia_auc=LIMIT)
    found = evidence.estimate
    others = test.labels != asked_class(task)
    cells = (
        f"{request} | {draw} | {name} | {evidence.verdict.value}{f' ({evidence.label})' if evidence.label else ''}",
        f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]",
        f"{starting_kit_mia(losses(forget), losses(controls)).value:.3f}",
        f"{right(forget).mean():.3f} | {right(test).mean():.3f} | {right(test)[others].mean():.3f} | {seconds:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def asked_class(task: UnlearningTask) -> int:
    """The class that most of the request is labelled with."""
    labels = [int(task.forget[i][1]) for i in range(len(task.forget))]
    return int(np.bincount(labels).argmax())


def losses(outputs: Any) -> Any:
    """Cross-entropy of each example."""
    logits = outputs.logits
    return np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(logits)), outputs.labels]


def right(outputs: Any) -> Any:
    """Whether each example is classified as labelled."""
    return outputs.logits.argmax(1) == outputs.labels


def audited(
    task: UnlearningTask, methods: Sequence[str], seed: int
) -> Iterator[tuple[str, Any, UnlearningTask, float]]:
    """Yield each model with the task that judges it, and the seconds that it took.

    Each of the two references is judged too, by the other one and the retrained model.
    """
    yield "original", task.original, task, 0.0
    made: dict[str, Any] = {}
    for name in ("retrained", *methods):
        began = time.time()
        made[name] = METHODS[name](task.original, task.retain, task.forget, seed=seed)
        yield name, made[name], task, time.time() - began
    for k, reference in enumerate(task.retrained):
        others = [made["retrained"], task.retrained[1 - k]]
        turned = UnlearningTask(task.split, original=task.original, references=others)
        yield f"reference {k + 1}", reference, turned, 0.0


def main(folder: Path, requests: Sequence[str], draws: Iterable[int], methods: Sequence[str]) -> None:
    """Print a line for each draw of images, request and model."""
    torch.set_num_threads(1)
    start = time.time()
    images = cifar10(folder)
    print(HEAD, flush=True)
    for draw in draws:
        of = world(images, draw)
        for request in requests:
            # All requests share a cache: the original is one, and is trained once.
            split = REQUESTS[request](of, draw)
            task = UnlearningTask(split, RECIPE, references=2, cache_dir=".unlearn/cifar10/cache", n_jobs=2)
            for name, model, judge, seconds in audited(task, methods, 500 + draw):
                print(row(request, draw, name, model, judge, seconds), flush=True)
    print(f"\n{time.time() - start:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where cifar-10-batches-py lies")
    parser.add_argument("--requests", nargs="+", choices=REQUESTS, default=["random"], help="what is asked to go")
    others = [name for name in METHODS if name != "retrained"]
    parser.add_argument("--methods", nargs="*", choices=others, default=others, help="what is tried beside retraining")
    parser.add_argument("--first", type=int, default=0, help="the first draw of images")
    parser.add_argument("--draws", type=int, default=1, help="how many draws of images are trained on")
    asked = parser.parse_args()
    main(asked.folder, asked.requests, range(asked.first, asked.first + asked.draws), asked.methods)
