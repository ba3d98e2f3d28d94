"""What a forget set can certify agrees with the rule that audits judge by."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.cli.plan.power import Design, design
from pytest_unlearn.statistics import auc_measure, can_certify


def task(forget: int, controls: int, classes: int = 4, **rest: object) -> UnlearningTask:
    x = np.random.default_rng(0).normal(size=(forget + 10 + controls, 3))
    train = forget + 10
    y = np.arange(len(x)) % classes
    split = Split((x[:train], y[:train]), forget=range(forget), test=(x[train:], y[train:]), **rest)  # type: ignore[arg-type]
    return UnlearningTask(split, lambda dataset, *, seed: pytest.fail("a model was trained"))


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("forget", "controls", "match"), [(100, 300, "class"), (400, 400, None), (90, 40, "class")])
def test_the_smallest_limit_is_where_audits_begin_to_certify(
    forget: int, controls: int, match: str | None, confidence: float
) -> None:
    planned = design(task(forget, controls, match=match))
    smallest = planned.smallest_limit(confidence)
    strata = {"forget_strata": np.arange(forget) % 4, "control_strata": (np.arange(controls) + forget + 10) % 4}
    for limit, possible in ((smallest + 1e-9, True), (smallest - 1e-6, False)):
        arguments = strata if match else {}
        assert can_certify(limit, confidence, forget, controls, **arguments) is possible


def test_a_handful_of_examples_is_held_to_the_interval_that_judges_it() -> None:
    planned = design(task(8, 400, classes=1))
    scores = np.arange(196, 204) - 0.5  # all in the middle of the controls: an AUC of 1/2 with the least variance
    judged = auc_measure(scores, np.arange(400.0)).at(0.95)
    assert abs(judged.value - 0.5) < 0.002
    assert planned.smallest_limit(0.95) == pytest.approx(judged.high, abs=0.002)
    assert planned.smallest_limit(0.95) > 0.5 + 1.645 * planned.error


def test_a_single_unit_certifies_nothing() -> None:
    planned = design(task(20, 100, groups=np.array([0] * 20 + list(range(1, 11)))))
    assert planned.units == 1
    assert planned.smallest_limit(0.95) == 1.0
    assert planned.power(0.9, 0.95) == 0.0


def test_few_people_among_the_controls_certify_less() -> None:
    people = np.arange(600) % 4 + np.arange(600) // 40 * 4  # ten examples of one class each
    plain, clones = design(task(300, 600)), design(task(300, 600, control_groups=people))
    assert (plain.control_units, clones.control_units) == (600, 60)
    assert clones.smallest_limit(0.95) > plain.smallest_limit(0.95) + 0.02
    assert clones.needed(0.55, 0.95) > plain.needed(0.55, 0.95)
    assert design(task(300, 600, control_groups=np.zeros(600, int))).smallest_limit(0.95) == 1.0


def test_the_chance_of_a_perfect_method_is_what_simulation_gives() -> None:
    planned = design(task(300, 300, match=None))
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        bounds = auc_measure(rng.normal(size=300), rng.normal(size=300)).at(0.95)
        passed += bounds.high <= 0.58 and bounds.low >= 0.42
    assert abs(passed / 400 - planned.power(0.58, 0.95)) < 0.08


@pytest.mark.parametrize("limit", [0.52, 0.55, 0.6])
def test_as_many_examples_as_it_asks_for_are_enough(limit: float) -> None:
    least, likely = design(task(50, 100)).needed(limit, 0.95)
    sizes: list[tuple[int, Design]] = [(n, design(task(n, 2 * n))) for n in (least, likely) if n < 2000]
    for n, planned in sizes:
        assert planned.smallest_limit(0.95) <= limit + 0.002
        if n == likely:
            assert planned.power(limit, 0.95) == pytest.approx(0.8, abs=0.02)
    assert least < likely
