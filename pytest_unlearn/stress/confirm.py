"""Look at one request with models of its own: while searching, and again with fresh seeds, controls and references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_unlearn.audits.forgotten import audit_forgotten
from pytest_unlearn.evidence import Evidence
from pytest_unlearn.split import Split
from pytest_unlearn.stress.families import resolve
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench, unlearn_in_steps
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.unlearned import UnlearnedRequest


@dataclass(frozen=True)
class Stage:
    """With which seeds, how many references and which half of the controls a request is looked at."""

    first_seed: int
    references: int
    half: int


SEARCH = Stage(first_seed=0, references=2, half=0)
CONFIRMATION = Stage(first_seed=70_000, references=4, half=1)  # seeds far from all others, and from what people audit


def unlearned(bench: Bench, request: ForgetRequest, stage: Stage) -> UnlearnedRequest:
    """What the method leaves of the original after a request, and the task to audit it with."""
    steps = resolve(request, bench.facts)
    split = bench.task.split
    task = UnlearningTask(
        Split(
            split.train,
            np.unique(np.concatenate(steps)),
            split.test,
            controls=bench.controls(stage.half),
            groups=split.groups,
            match=split.match,
        ),
        bench.task.recipe,
        original=bench.task.original,
        references=stage.references,
        seed=bench.task.seed + stage.first_seed,
        cache_dir=bench.task.store.directory,
        device=bench.task.device,
        n_jobs=bench.task.n_jobs,
        fresh=bench.task.fresh,
    )
    task.progress = bench.task.progress
    return UnlearnedRequest(unlearn_in_steps(bench.task, bench.unlearner, steps, task.seed), task)


def confirm(bench: Bench, request: ForgetRequest) -> Evidence:
    """The evidence on one request by the full audit, none of whose parts the search has touched but the original."""
    seen = unlearned(bench, request, CONFIRMATION)
    return audit_forgotten(seen.model, seen.task.forget, bench.limit, confidence=bench.confidence)
