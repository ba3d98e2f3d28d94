"""The comparison that is planned is the audit's own, and the part that it finds what simulation gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.cli.plan.power import COMPARISONS, design
from pytest_unlearn.statistics import auc_measure, can_certify


def task(forget: int, controls: int, classes: int = 4, **rest: object) -> UnlearningTask:
    x = np.random.default_rng(0).normal(size=(forget + 10 + controls, 3))
    train = forget + 10
    y = np.arange(len(x)) % classes
    split = Split((x[:train], y[:train]), forget=range(forget), test=(x[train:], y[train:]), **rest)  # type: ignore[arg-type]
    return UnlearningTask(split, lambda dataset, *, seed: pytest.fail("a model was trained"))


@pytest.mark.parametrize(("forget", "controls", "match"), [(100, 300, "class"), (400, 400, None), (90, 40, "class")])
def test_the_smallest_limit_is_where_audits_begin_to_certify(forget: int, controls: int, match: str | None) -> None:
    smallest = design(task(forget, controls, match=match)).request.smallest_limit(0.95)
    strata = {"forget_strata": np.arange(forget) % 4, "control_strata": (np.arange(controls) + forget + 10) % 4}
    for limit, possible in ((smallest + 1e-9, True), (smallest - 1e-6, False)):
        assert can_certify(limit, 0.95, forget, controls, **(strata if match else {})) is possible


def test_people_are_units_on_both_sides() -> None:
    people = np.arange(600) % 4 + np.arange(600) // 40 * 4  # ten examples of one class each
    planned = design(task(300, 600, groups=np.arange(310) // 10, control_groups=people))
    assert planned.grouped
    assert (planned.request.units, planned.request.control_units) == (30, 60)
    assert design(task(20, 100, groups=np.array([0] * 20 + list(range(1, 11))))).request.units == 1


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
