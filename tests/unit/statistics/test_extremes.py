"""The extreme of several AUCs: bounds that hold for all parts together."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics import ExtremeMeasure, auc_measure


def parts(rng, shifts, size=60, controls=200):
    return [auc_measure(rng.normal(shift, 1, size), rng.normal(size=controls)) for shift in shifts]


@pytest.mark.parametrize("side", ["high", "low"])
def test_one_part_alone_is_itself(side):
    part = parts(np.random.default_rng(0), [0.3])[0]
    whole, alone = ExtremeMeasure(parts=[part], side=side).at(0.95), part.at(0.95)
    assert (whole.value, whole.low, whole.high) == (alone.value, alone.low, alone.high)


def test_bounds_are_those_of_a_stricter_confidence_shared_by_all_parts():
    found = parts(np.random.default_rng(0), [0.0, 0.5, -0.5])
    strict = [part.at(1 - 0.05 / 3) for part in found]
    high, low = (ExtremeMeasure(parts=found, side=side).at(0.95) for side in ("high", "low"))
    assert (high.value, high.low, high.high) == (
        max(part.value for part in found), max(one.low for one in strict), max(one.high for one in strict),
    )  # fmt: skip
    assert (low.value, low.low, low.high) == (
        min(part.value for part in found), min(one.low for one in strict), min(one.high for one in strict),
    )  # fmt: skip
    assert "largest of 3" in high.method


def test_among_ten_innocent_parts_one_is_accused_in_at_most_a_twentieth_of_worlds():
    # the largest of ten values is above .55 nearly always; its simultaneous lower bound is above .5 in 5% at most
    rng = np.random.default_rng(0)
    worlds = [ExtremeMeasure(parts=parts(rng, [0.0] * 10, size=30), side="high") for _ in range(300)]
    assert np.mean([world.value > 0.55 for world in worlds]) > 0.8
    assert np.mean([world.at(0.95).low > 0.5 for world in worlds]) <= 0.08  # .05 and two standard errors


def test_a_leak_in_one_part_is_found_among_ten():
    rng = np.random.default_rng(1)
    assert ExtremeMeasure(parts=parts(rng, [0.0] * 9 + [2.0]), side="high").at(0.95).low > 0.8
