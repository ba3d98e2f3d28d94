"""How often the verdict is wrong: simulated worlds with a right answer, and real ones in reduced number.

The full tables, every seed of them, are made by `make judged` and lie in docs/judged.
"""

from collections import Counter

import pytest

from pytest_unlearn import Verdict, audit_forgotten
from tests.audits.fakes import World, split
from tests.judged import tables

WORLDS = 60


@pytest.fixture(scope="module")
def verdicts():
    """Verdicts of a forgotten, a barely leaking and a leaking model over many worlds of 600 forget examples."""
    counts = {boost: Counter() for boost in (0.0, 0.25, 1.5)}
    for seed in range(WORLDS):
        world = World(split(seed=seed), seed=seed)
        task = world.task(references=3)
        for boost, count in counts.items():
            count[audit_forgotten(world.model(boost), task.forget).verdict] += 1
    return counts


def test_a_forgotten_model_nearly_always_passes_and_never_fails(verdicts):
    assert verdicts[0.0][Verdict.PASS] >= 0.85 * WORLDS
    assert verdicts[0.0][Verdict.FAIL] == 0


def test_a_leak_at_the_limit_passes_at_most_at_the_nominal_rate(verdicts):
    """A boost of 0.25 puts the AUC at about 0.56: with 95% bounds a PASS is a wrong one."""
    assert verdicts[0.25][Verdict.PASS] <= 0.05 * WORLDS


def test_a_leaking_model_always_fails(verdicts):
    assert verdicts[1.5][Verdict.FAIL] == WORLDS


@pytest.mark.parametrize("seed", [0, 1])
def test_the_digits_world_of_the_main_job(seed):
    row = tables.digits(seed)
    assert all(holds for _, holds in tables.digits_rule([row])), row


@pytest.mark.parametrize("seed", [0, 1])
def test_forests_whose_votes_tie(seed):
    row = tables.forests(seed)
    assert all(holds for _, holds in tables.forests_rule([row])), row


def test_logistic_regression_without_and_with_references():
    row = tables.logistic(0)
    assert all(holds for _, holds in tables.logistic_rule([row])), row


def test_fashion_mnist_against_every_output_filter():
    row = tables.fashion(0, retrains=2)
    row["cell"] = 0
    assert tables.count([row], "retrain", "PASS") >= 1
    statements = tables.fashion_rule([row])[2:]
    assert all(holds for _, holds in statements), row


@pytest.mark.slow
def test_class_forgetting_with_matched_and_mismatched_controls():
    row = tables.class_forgetting(0)
    assert row["retrain"].startswith("PASS"), row
    assert row["retrain, controls of other classes"].startswith("INVALID"), row
