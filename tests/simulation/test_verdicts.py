"""How often the verdict is wrong: simulated worlds with a right answer, and real ones in reduced number.

The full tables, every seed of them, are made by `make judged` and lie in docs/judged.
"""

import pytest

from tools.judged import tables

WORLDS = 5


def test_simulated_worlds_get_the_verdict_they_deserve():
    """In each of them one model has forgotten, one leaks, and one leaks just beyond the limit."""
    worlds = [tables.simulated(seed) for seed in range(WORLDS)]
    assert tables.count(worlds, "forgotten", "PASS") >= 0.85 * WORLDS
    assert tables.count(worlds, "forgotten", "FAIL", "INVALID") == 0
    assert tables.count(worlds, "just beyond the limit", "PASS") <= 1
    assert tables.count(worlds, "leaking", "FAIL") == WORLDS


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_digits_world_of_the_main_job(seed):
    row = tables.digits(seed)
    assert all(holds for _, holds in tables.digits_rule([row])), row


@pytest.mark.slow
def test_forests_whose_votes_tie():
    row = tables.forests(0)
    assert all(holds for _, holds in tables.forests_rule([row])), row


def test_logistic_regression_without_and_with_references():
    row = tables.logistic(0)
    assert all(holds for _, holds in tables.logistic_rule([row])), row


@pytest.mark.slow
def test_fashion_mnist_against_every_output_filter():
    row = tables.fashion(0, retrains=2)
    row["cell"] = 0
    assert tables.count([row], "retrain", "PASS") >= 1
    statements = tables.fashion_rule([row])[2:]
    assert all(holds for _, holds in statements), row


@pytest.mark.slow
def test_class_forgetting_with_matched_and_mismatched_controls():
    row = tables.class_forgetting(0)
    assert row["retrain, more controls"].startswith("PASS"), row
    assert row["retrain, controls of other classes"].startswith("INVALID"), row
