"""Look at one request with models of its own: while searching, and again with fresh seeds, controls and references."""

from __future__ import annotations

import warnings

import numpy as np

from pytest_unlearn.audits.forgotten import audit_forgotten
from pytest_unlearn.evidence import Evidence
from pytest_unlearn.split import Split
from pytest_unlearn.stress.attempt import Attempt, guarded
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.stages import CONFIRMATION, Stage
from pytest_unlearn.stress.trial import Bench, trial_of
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.unlearned import UnlearnedRequest


def task_for(bench: Bench, request: ForgetRequest, stage: Stage) -> UnlearningTask:
    """The task to audit a request with: references and controls of this stage."""
    split = bench.task.split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a request may well ask for some rows of a group only
        asked = Split(
            split.train,
            np.unique(np.concatenate(bench.steps(request))),
            split.test,
            controls=bench.controls(stage.half),
            groups=split.groups,
            match=split.match,
            control_groups=bench.control_groups(stage.half),
        )
    task = UnlearningTask(
        asked,
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
    return task


def unlearned(bench: Bench, request: ForgetRequest, stage: Stage) -> UnlearnedRequest:
    """What the method leaves of the original after a request, and the task to audit it with."""
    return UnlearnedRequest(bench.model(request, stage), task_for(bench, request, stage))


def confirm(bench: Bench, request: ForgetRequest, stage: Stage = CONFIRMATION) -> Evidence:
    """The evidence on one request by the full audit, none of whose parts the search has touched but the original."""
    seen = unlearned(bench, request, stage)
    return audit_forgotten(seen.model, seen.task.forget, bench.limit, confidence=bench.confidence)


def look(bench: Bench, request: ForgetRequest, stage: Stage) -> Attempt:
    """Screen a request while searching; audit it in every other stage."""

    def looked() -> Attempt:
        if stage.half == 0:
            return Attempt(bench.screened(request, bench.model(request, stage), stage))
        evidence = confirm(bench, request, stage)
        trial = trial_of(bench.untested(request, ""), evidence.to_json(), stage.references + 1)
        return Attempt(trial, evidence=evidence)

    return guarded(bench, request, looked)
