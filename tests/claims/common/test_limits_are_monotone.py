"""A looser limit never turns a PASS into anything else: of every claim, in worlds that Hypothesis draws."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_unlearn import (
    audit_algorithm,
    audit_class_forgotten,
    audit_features_forgotten,
    audit_forgotten,
    audit_leakage_reduced,
    audit_no_residual,
    audit_not_relearnable,
)
from pytest_unlearn.core.evidence import Verdict
from tests.worlds.simulated import World, split

AUCS = (0.52, 0.55, 0.6, 0.7, 0.95)


def steady(audit, limits):
    """Whether each PASS is followed by PASSes only."""
    passed = [audit(limit).verdict is Verdict.PASS for limit in limits]
    assert passed == sorted(passed), list(zip(limits, passed, strict=True))


worlds = st.tuples(
    st.integers(0, 10**6),
    st.sampled_from([30, 100, 400]),
    st.sampled_from([200, 1000]),
    st.sampled_from([0.0, 0.4, 1.0, 2.5]),
    st.sampled_from([0.0, 0.2, 0.6]),
    st.sampled_from([2, 4]),
)


@pytest.mark.slow
@given(worlds)
@settings(max_examples=8, deadline=None)
def test_of_a_request_on_simulated_models(drawn):
    seed, n_forget, n_controls, boost, left, references = drawn
    world = World(split(n_forget=n_forget, n_controls=n_controls, seed=seed), seed=seed)
    task, model = world.task(references=references, boost=boost), world.model(left)
    steady(lambda limit: audit_forgotten(model, task.forget, limit), AUCS)
    steady(lambda least: audit_leakage_reduced(model, task.forget, least), (0.95, 0.5, 0.1))


@pytest.mark.slow
def test_the_limit_that_made_power_vanish_passes_throughout():
    """The original lies at .62: above its lower bound power used to be missing."""
    rng = np.random.default_rng(0)
    world = World(split(n_forget=600, n_controls=4000), difficulty=1.0, skill=1.5)
    task = world.task(boost=0.6)
    model = world.model(seed=int(rng.integers(100)))
    found = [audit_forgotten(model, task.forget, limit) for limit in (0.55, 0.58, 0.60, 0.65, 0.70)]
    assert [one.verdict for one in found] == [Verdict.PASS] * 5
    assert 0.55 < found[0].controls.original.estimate.low < 0.7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("audit", "limits"),
    [(audit_features_forgotten, AUCS), (audit_no_residual, AUCS), (audit_not_relearnable, (1.05, 1.3, 2.0, 5.0, 10.0))],
    ids=["features", "residual", "relearning"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_of_a_request_on_trained_networks(audit, limits, seed):
    from tests.worlds.hidden import fresh, random_task

    task = random_task()
    for model in (fresh(task, seed=500 + seed), task.original):
        steady(partial(audit, model, task.forget), limits)


def test_of_a_removed_class():
    pytest.importorskip("torch")  # whose module is skipped half-way without it
    from tests.worlds.removed_class import LIMITS, answering, fake_task

    task = fake_task()
    rest = {name: value for name, value in LIMITS.items() if name != "max_gap"}
    for seed in range(9, 14):
        model = answering([1, 2, 3], lost=0.02, seed=seed)
        steady(partial(audit_class_forgotten, model, task.forget, **rest), (0.02, 0.05, 0.1, 0.3, 0.6, 0.95))


@pytest.mark.slow
def test_of_a_method():
    from tests.worlds.hidden import random_task

    task = random_task()

    def exact(model, retain, forget, *, seed):
        return task.recipe(retain, seed=seed + 77)

    steady(lambda limit: audit_algorithm(exact, task, limit, runs=4), (0.55, 0.6, 0.7, 0.9))
