"""Runs of methods are read off the tests' code, and their power is what simulation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from pytest_unlearn import assert_algorithm, audit_algorithm
from pytest_unlearn.cli.plan.algorithm import Runs, power, runs_of
from pytest_unlearn.statistics import auc_measure, over_models

HOW_MANY = 7


def several(unlearner: Any, task: Any) -> None:
    assert_algorithm(unlearner, task)
    audit_algorithm(unlearner, task, 0.6, runs=6, requests="same")


def computed(unlearner: Any, task: Any) -> None:
    assert_algorithm(unlearner, task, runs=HOW_MANY)


def test_runs_are_read_off_the_code_of_tests() -> None:
    assert runs_of([several]) == (Runs(6, "same"), Runs(10, "drawn"))
    assert runs_of([computed]) == (Runs(10, "drawn", sure=False),)
    assert runs_of([several, several, len]) == runs_of([several])
    assert runs_of([]) == ()


@pytest.mark.parametrize("runs", [4, 10, 20])
def test_the_chance_of_an_exact_method_is_what_simulation_gives(runs: int) -> None:
    rng, units, limit, count = np.random.default_rng(0), 60, 0.55, 400
    inflation = 2.0 if runs >= 5 else 1.0
    passed = 0
    for _ in range(count):
        values = rng.normal(size=runs) * inflation**0.5 * (121 / (12 * 60 * 60)) ** 0.5 + 0.5
        found = over_models([auc_measure(*rng.normal(size=(2, units)))] * 2, same_examples=False, inflation=inflation)
        error = max(values.var(ddof=1), inflation * found.example_errors[0] ** 2) ** 0.5 / runs**0.5
        half = -special.stdtrit(runs - 1, 0.05) * error
        passed += values.mean() + half <= limit and values.mean() - half >= 1 - limit
    assert passed / count == pytest.approx(power(runs, limit, 0.95, units), abs=0.1)


def test_more_runs_never_have_less_power() -> None:
    chances = [power(runs, 0.55, 0.95, 100) for runs in range(5, 60)]
    assert np.all(np.diff(chances) >= 0)
    assert chances[-1] > 0.99
