"""What a forget set can certify agrees with the rule that audits judge by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.cli.plan.power import COMPARISONS, Design, design
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


def test_the_part_that_is_found_is_what_simulation_gives() -> None:
    planned, rng = design(task(300, 900, match=None)), np.random.default_rng(0)
    part = planned.found_from(0.75, 0.55, 0.95)
    assert part is not None
    lift, failed = special.ndtri(0.75) * 2**0.5, 0
    for _ in range(400):
        remembered = np.arange(300) < round(part * 300)
        measure = auc_measure(rng.normal(size=300) + lift * remembered, rng.normal(size=900))
        failed += measure.at(1 - 0.05 / COMPARISONS).low > 0.55
    assert failed / 400 == pytest.approx(0.8, abs=0.08)


def test_more_memory_more_examples_and_wider_limits_change_which_part_is_found() -> None:
    few, many = design(task(100, 900)), design(task(1000, 9000))
    parts = [one.found_from(auc, 0.55, 0.95) for one in (few, many) for auc in (0.75, 0.9)]
    assert all(part is not None for part in parts)
    weak_few, strong_few, weak_many, strong_many = (part or 0.0 for part in parts)
    assert strong_few < weak_few
    assert strong_many < weak_many < weak_few
    assert many.found_from(0.75, 0.6, 0.95) > many.found_from(0.75, 0.55, 0.95)  # type: ignore[operator]
    assert few.found_from(0.56, 0.55, 0.95) is None
