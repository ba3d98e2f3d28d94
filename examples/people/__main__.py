"""Forget persons, or ten photographs each of others, with every method: `python -m examples.people [DRAWS]`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from examples.people.network import Retrieval, recipe
from examples.people.requests import Album, album, ten_photographs, whole_persons
from pytest_unlearn import Split, UnlearningTask, audit_class_forgotten, audit_forgotten, audit_matches_retrained
from pytest_unlearn.data.view import View
from pytest_unlearn.models.predict import evaluate
from unlearners import UNLEARNERS, Retrain

MAX_GAP = 0.05
LIMITS = {"persons": 0.6, "ten photographs": 0.7}  # sixty persons are sixty units, whose photographs may all be alike
REQUESTS: dict[str, Callable[[Album, int], Split]] = {"persons": whole_persons, "ten photographs": ten_photographs}
HEAD = """
| request | draw | model | recognised as trained on | AUC | class | retrieval | retrieval, AUC | accuracy, others | s |
|---|---|---|---|---|---|---|---|---|---|""".strip()


def methods(training: Any, request: str) -> dict[str, Callable[..., Any]]:
    """List what is tried; the first is exact. UNSIR and filtration remove whole classes and nothing else."""
    found: dict[str, Callable[..., Any]] = {
        "retrained": Retrain(training),
        "fine-tuned": UNLEARNERS["fine-tune"](lr=0.05),
        "incompetent teacher": UNLEARNERS["incompetent-teacher"](epochs=3, lr=1e-3, retain_share=1.0),
    }
    if request == "persons":
        found["UNSIR"] = UNLEARNERS["unsir"](samples_per_class=20, lr=2e-3, repair_lr=1e-3)
        found["linear filtration"] = UNLEARNERS["linear-filtration"]()
    return found


def retrieval_task(task: UnlearningTask, gallery: torch.Tensor) -> UnlearningTask:
    """The same request to networks that lost their last layer and are asked for the nearest person of a gallery."""
    return UnlearningTask(
        task.split,
        original=Retrieval(task.original, gallery),
        references=[Retrieval(reference, gallery) for reference in task.retrained],
    )


def photographs_of(split: Split, task: UnlearningTask, *, asked: bool) -> View:
    """Photographs that nobody trained on, of those who asked or of everybody else."""
    who = np.unique([int(split.train[i][1]) for i in split.forget_indices])
    theirs = np.isin([int(split.test[i][1]) for i in range(len(split.test))], who)
    return View("unseen photographs", split.test, np.flatnonzero(theirs == asked), task)


def row(
    request: str, draw: int, name: str, model: Any, task: UnlearningTask, lookup: UnlearningTask, took: float
) -> str:
    """Audit a model twice: as it was trained, and as a network for retrieval."""
    evidence = audit_forgotten(model, task.forget, max_mia_auc=LIMITS[request])
    of_class = "-"
    if request == "persons":
        of_class = audit_class_forgotten(model, task.forget, max_gap=MAX_GAP, max_drop=MAX_GAP).verdict.value
    searched = Retrieval(model, lookup.original.gallery)
    theirs = photographs_of(task.split, lookup, asked=True)
    same = audit_matches_retrained(searched, theirs, max_gap=MAX_GAP)
    members = audit_forgotten(searched, lookup.forget, max_mia_auc=LIMITS[request])
    others = evaluate(model, photographs_of(task.split, task, asked=False), classes=task.split.classes)
    accuracy = (others.logits.argmax(1) == others.labels).mean()
    cells = (
        f"{request} | {draw} | {name} | {evidence.verdict.value} | {bounds(evidence)} | {of_class}",
        f"{same.verdict.value} {same.estimate.value:+.3f} | {members.verdict.value} {bounds(members)}",
        f"{accuracy:.3f} | {took:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def bounds(evidence: Any) -> str:
    """The estimate between its bounds."""
    found = evidence.estimate
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def task_of(request: str, draw: int, *, cache_dir: Path, most: int | None = None, epochs: int = 15) -> Any:
    """The request to the network, and to the same network for retrieval."""
    of = album(draw, most=most)
    split = REQUESTS[request](of, draw)
    # Both requests share a cache: the original is one, and is trained once.
    task = UnlearningTask(split, recipe(of.persons, epochs), cache_dir=cache_dir, n_jobs=2)
    return task, retrieval_task(task, of.gallery)


def main(draws: int) -> None:
    """Print a line for each request, draw and model."""
    torch.set_num_threads(1)
    start = time.time()
    print(HEAD, flush=True)
    for request in REQUESTS:
        for draw in range(draws):
            task, lookup = task_of(request, draw, cache_dir=Path(f".unlearn/people/{draw}"))
            print(row(request, draw, "original", task.original, task, lookup, 0.0), flush=True)
            for name, method in methods(task.recipe, request).items():
                began = time.time()
                model = method(task.original, task.retain, task.forget, seed=500 + draw)
                print(row(request, draw, name, model, task, lookup, time.time() - began), flush=True)
    print(f"\n{time.time() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
