"""The number of runs that is named first lets a perfect method pass nine times in ten, by the rule that judges.

Models are tables of logits, which train in no time. Their originals are recognised weakly, as those of small networks
that were trained with augmentation are: a mean AUC of about 0.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import Evidence, UnlearningTask, Verdict, audit_algorithm
from pytest_unlearn.claims.common.certify import WEAK, certify, request
from tests.worlds.tables import Retrained, table_task

CLASSES, LIMIT = 10, 0.6
BOOST = {200: 0.47, 100: 0.52, 40: 0.62}  # of what is trained on, by the size of the request
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@dataclass(frozen=True)
class Kept:
    """What a method leaves of what a training adds to the request's labels."""

    added: float

    def __call__(self, seed: int, labels: Any) -> float:
        return self.added


def named(n_forget: int) -> int:
    """The number of runs that is named before anything is known of the original."""
    found = certify(request(n_forget, 1000), limit=LIMIT, confidence=0.95).runs
    assert found is not None
    return found


def audits(folder: Path, n_forget: int, share: float, draws: int) -> list[Evidence]:
    """Audit a method in worlds of their own, each with as many runs as are named."""
    found = []
    for world in range(draws):
        task = table_task(folder, forget=n_forget, controls=1000, world=world, classes=CLASSES)
        recipe = replace(task.recipe, boost=BOOST[n_forget])
        task = UnlearningTask(task.split, recipe, references=4, cache_dir=folder)
        method = Retrained(recipe, push=Kept(share * recipe.boost)) if share else Retrained(recipe)
        found.append(audit_algorithm(method, task, LIMIT, runs=named(n_forget)))
    return found


@pytest.mark.parametrize(
    ("n_forget", "draws"),
    [(200, 6), pytest.param(100, 40, marks=pytest.mark.long), pytest.param(40, 40, marks=pytest.mark.long)],
)
def test_a_perfect_method_passes_with_the_number_that_is_named_first(tmp_path: Path, n_forget: int, draws: int) -> None:
    found = audits(tmp_path, n_forget, 0.0, draws)
    seen = [one.controls.original.estimate.value for one in found if one.controls.original is not None]
    assert 0.57 < np.mean(seen) < WEAK + 0.01  # by the attack that shows them best
    passed = sum(one.verdict is Verdict.PASS for one in found)
    assert passed >= (draws - 1 if draws < 10 else 0.85 * draws)  # 0.9 but for what 40 draws leave to chance
    assert not any(one.verdict in (Verdict.FAIL, Verdict.INVALID) for one in found)


@pytest.mark.parametrize(("share", "draws"), [(1.0, 2), (0.7, 4), pytest.param(0.7, 20, marks=pytest.mark.long)])
def test_a_method_that_keeps_most_passes_never(tmp_path: Path, share: float, draws: int) -> None:
    assert not any(one.verdict is Verdict.PASS for one in audits(tmp_path, 200, share, draws))
