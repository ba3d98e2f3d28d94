"""Look at one request again: fresh seeds, controls that no search has seen, and models retrained without it."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.audits.forgotten import audit_forgotten
from pytest_unlearn.evidence import Evidence
from pytest_unlearn.split import Split
from pytest_unlearn.stress.families import resolve
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench
from pytest_unlearn.task import UnlearningTask

FRESH_SEED = 70_000  # far from the seeds of references, of the pool, and of what people audit
REFERENCES = 4


def confirm(bench: Bench, request: ForgetRequest) -> Evidence:
    """The evidence on one request by the full audit, none of whose parts the search has touched but the original."""
    steps = resolve(request, bench.facts)
    forget = np.unique(np.concatenate(steps))
    split = bench.task.split
    task = UnlearningTask(
        Split(split.train, forget, split.test, controls=bench.fresh, groups=split.groups, match=split.match),
        bench.task.recipe,
        original=bench.task.original,
        references=REFERENCES,
        seed=bench.task.seed + FRESH_SEED,
        cache_dir=bench.task.store.directory,
        device=bench.task.device,
        n_jobs=bench.task.n_jobs,
    )
    model = bench.unlearn(steps, bench.task.seed + FRESH_SEED)
    return audit_forgotten(model, task.forget, bench.limit, confidence=bench.confidence)
