"""Honest models are accused no more often than is allowed: `docs/judged/null_calibration.txt`, in reduced number.

Models here are of scikit-learn, the same on every processor. The bounds leave room: at the shares that the table
finds, which are below one in a hundred, a correct product would break one in less than a thousandth of all worlds.
"""

from __future__ import annotations

import tempfile
from collections import Counter

import pytest

from pytest_unlearn import audit_forgotten
from tests.worlds.honest import AUDITED, WORLDS
from tools.judged.null_calibration import CELLS, MOST, calibration_rule

BY_NAME = {world.name: world for world in WORLDS}
ACCUSED = tuple(MOST)


def test_single_trees_that_never_saw_the_forget_set_are_neither_failed_nor_invalid():
    """Of 24 trees three were FAIL and eight INVALID, when a tenth of the forget set was chosen by models' scores."""
    world, verdicts = BY_NAME["trees"], Counter()
    for draw in range(6):
        with tempfile.TemporaryDirectory() as folder:
            task, _ = world.task(draw, folder)
            for again in range(4):
                model = world.recipe(task.retain, seed=AUDITED + again)
                verdicts[str(audit_forgotten(model, task.forget, max_mia_auc=0.6).verdict)] += 1
    assert sum(verdicts[verdict] for verdict in ACCUSED) <= 2, verdicts


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("trees, 100 classes", "nearest neighbour")),
        "labels only service, two classes",
    ],
)
def test_coarse_models_that_never_saw_the_forget_set_are_neither_failed_nor_invalid(name):
    verdicts = Counter(str(BY_NAME[name].audit(draw)[0].verdict) for draw in range(1000, 1008))
    assert sum(verdicts[verdict] for verdict in ACCUSED) <= 2, verdicts


def test_the_rule_of_the_table_counts_audits_and_attacks():
    attacks = "margin, high: 25; margin, low: 25"
    verdicts = {"PASS": 20, "INCONCLUSIVE": 5, "FAIL": 0, "INVALID": 0}
    fine = {**verdicts, "attacks": attacks, "beyond the limit": "", "beyond one half": "margin, high: 1"}
    rows = [{"world": WORLDS[cell % len(WORLDS)].name, **fine} for cell in CELLS]
    statements = dict(calibration_rule(rows))
    assert all(statements.values())
    assert len(statements) == 1 + 2 * len(WORLDS) + 4
    accusing = {**rows[0], "PASS": 0, "FAIL": 12, "INVALID": 8, "beyond the limit": "margin, low: 25"}
    broken = [statement for statement, holds in calibration_rule([*rows[1:], accusing]) if not holds]
    assert broken == [
        "networks: FAIL 12 of 250, 4.8% (at most 5%), 95% upper bound 7.7%",
        "networks: INVALID 8 of 250, 3.2% (at most 2%), 95% upper bound 5.7%",
        "beyond the limit: margin, low: 25 of 3500, 0.7%; most in networks, 25 of 250, 10.0% (nominal 5%)",
    ], broken
