"""Placements added up by unit: the measure that placements one by one give."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_unlearn.statistics import auc_measure
from pytest_unlearn.statistics.auc.unit_sums import unit_sums
from tests.unit.statistics.auc.test_clusters import obuchowski, wins

KINDS = ("apart", "on both sides", "controls alone", "forget alone", "one example each", "named by text")


def whose(kind, rng, m, n):
    """Which unit each example is of."""
    if kind == "controls alone":
        return None, rng.integers(0, n, n)
    if kind == "forget alone":
        return rng.integers(0, m, m), None
    if kind == "one example each":
        return rng.permutation(m + n)[:m], np.arange(m + n, m + 2 * n)
    people = 60 if kind == "on both sides" else m
    ours, theirs = rng.integers(0, people, m), rng.integers(0 if people == 60 else m, people + n, n)
    return (ours.astype(str), theirs.astype(str)) if kind == "named by text" else (7 * ours, 7 * theirs)


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS), shift=st.sampled_from([0.0, 1.0, 9.0]))
@settings(max_examples=60, deadline=None)
def test_a_measure_of_units_is_that_of_their_examples_placements(seed, kind, shift):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(40, 400, 2)
    forget, controls = rng.normal(size=m) + shift, rng.normal(size=n)
    ours, theirs = whose(kind, rng, m, n)
    assert unit_sums(forget, controls, ours, theirs) is not None
    quick = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    one_stratum = {"forget_strata": np.zeros(m), "control_strata": np.zeros(n)}  # placements, example by example
    slow = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs, **one_stratum)
    for field in fields(slow):
        assert getattr(quick, field.name) == pytest.approx(getattr(slow, field.name), rel=1e-10, abs=1e-15)


def test_many_units_have_obuchowskis_variance():
    rng = np.random.default_rng(0)
    forget, controls, ours, theirs = rng.normal(size=90), rng.normal(size=120), np.arange(90) // 3, np.arange(120) // 4
    measure = auc_measure(forget, controls, forget_groups=ours, control_groups=theirs)
    assert measure.variance == pytest.approx(obuchowski(wins(forget, controls), ours, theirs), rel=1e-12)


def test_ties_and_a_side_of_one_unit_are_left_to_placements():
    groups = np.zeros(3, dtype=int), np.arange(3)
    assert unit_sums(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]), groups[1], groups[1]) is None
    assert unit_sums(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]), *groups) is None
