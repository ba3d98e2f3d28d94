"""Delete 25 men from every kind of model, and count them as rows: `python -m examples.wages [DRAWS]`."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from examples.wages.models import MORE_TREES, RECIPES, boost_on
from examples.wages.panel import numbers_to_delete, persons_to_delete
from pytest_unlearn import Evidence, Split, UnlearningTask, audit_forgotten, audit_utility
from unlearners import CertifiedNewton

LIMIT = 0.65
CACHE = ".unlearn/wages"
HEAD = """
| model | draw | | forgotten | AUC | accuracy against retrained |
|---|---|---|---|---|---|""".strip()


def audited(model: Any, task: UnlearningTask) -> Evidence:
    """Ask whether the men are forgotten."""
    return audit_forgotten(model, task.forget, max_mia_auc=LIMIT)


def row(name: str, draw: int, what: str, model: Any, task: UnlearningTask) -> str:
    """Audit one model."""
    found = audited(model, task)
    drop = audit_utility(model, task.test, max_drop=0.05, baseline="retrained").estimate.value
    auc = f"{found.estimate.value:.3f} [{found.estimate.low:.3f}, {found.estimate.high:.3f}]"
    return f"| {name} | {draw} | {what} | {found.verdict.value} | {auc} | {-100 * drop:+.1f} points |"


def table(draws: int) -> None:
    """Print the original, one that went on training, and a retrained one of every kind."""
    print(HEAD, flush=True)
    for name, recipe in RECIPES.items():
        for draw in range(draws):
            task = task_of(persons_to_delete, draw, recipe)
            models = {"original": task.original}
            if name in MORE_TREES:
                models["50 more trees"] = boost_on(name, task.original, task.retain)
            models["retrained"] = recipe(task.retain, seed=1000)
            for what, model in models.items():
                print(row(name, draw, what, model, task), flush=True)
    method = CertifiedNewton(regularisation=0.03, noise=3.0)  # with the defaults this request spends the budget
    for draw in range(draws):
        task = task_of(numbers_to_delete, draw, method.train)
        print(row("logistic regression", draw, "original", task.original, task), flush=True)
        removed = method(task.original, task.retain, task.forget, seed=0)
        print(row("logistic regression", draw, f"certified removal, {spent(removed)}", removed, task), flush=True)


def spent(model: Any) -> str:
    """Say what of the guarantee's budget was needed."""
    found = model.certificate
    again = ", retrained as it was spent" if found.retrainings else ""
    return f"epsilon {found.epsilon:g}, {found.spent / found.budget:.0%} of the budget{again}"


def as_rows(draws: int) -> None:
    """Count how often intervals of honest models hold one half, by men and as if rows were independent."""
    recipe, held, width = RECIPES["LightGBM"], {}, {}
    for as_rows in (False, True):
        for draw in range(draws):
            split = persons_to_delete(draw, as_rows=as_rows)
            task = UnlearningTask(split, recipe, cache_dir=f"{CACHE}/{'rows' if as_rows else 'men'}-{draw}")
            found = audited(recipe(task.retain, seed=1000), task).estimate
            held[as_rows] = held.get(as_rows, 0) + (found.low <= 0.5 <= found.high)
            width[as_rows] = width.get(as_rows, 0.0) + (found.high - found.low) / draws
    for as_rows, name in ((False, "25 men"), (True, "200 rows")):
        print(f"counted as {name}: intervals of mean width {width[as_rows]:.3f}; {held[as_rows]} of {draws} hold 0.5")


def task_of(split: Callable[[int], Split], draw: int, recipe: Any) -> UnlearningTask:
    return UnlearningTask(split(draw), recipe, cache_dir=f"{CACHE}/{split.__name__}-{draw}")


def main(draws: int) -> None:
    """Print everything."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    start = time.time()
    table(draws)
    as_rows(10 * draws)
    print(f"\n{time.time() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
