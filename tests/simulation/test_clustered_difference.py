"""Simulations with 20 authors of 20 questions: identical laws are rarely told apart, and never called equal by luck."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics.accuracy.clustered import clustered_difference

pytestmark = pytest.mark.slow
AUTHORS, EACH, CORRELATION, DRAWS = 20, 20, 0.5, 2000
GROUPS = np.repeat(np.arange(AUTHORS), EACH)
ERROR = 3 * math.sqrt(0.05 * 0.95 / DRAWS)


def model(rng, groups=GROUPS, shift=0.0):
    """One model's scores: what it knows of an author, and of each question besides."""
    author = rng.normal(size=groups.max() + 1)[groups]
    return shift + math.sqrt(CORRELATION) * author + math.sqrt(1 - CORRELATION) * rng.normal(size=groups.size)


def found(draw, margin=0.3, draws=DRAWS, **options):
    """The share of draws called different (5% on both sides), and called equivalent: what `equivalence` answers."""
    differ, equal = 0, 0
    for _ in range(draws):
        measure = clustered_difference(*draw(), bounded=False, **options)
        both, each = measure.at(0.975), measure.at(0.95)
        differ += both.low > 0.0 or both.high < 0.0
        equal += -margin < each.low and each.high < margin
    return differ / draws, equal / draws


def test_identical_laws_are_told_apart_by_chance_alone_where_ks_does_so_half_of_the_time():
    rng = np.random.default_rng(0)
    alarms, _ = found(lambda: (model(rng), model(rng), GROUPS))
    assert alarms <= 0.05 + ERROR
    assert alarms >= 0.05 - ERROR  # and it is no worse a test than it must be
    ks = [stats.ks_2samp(model(rng), model(rng)).pvalue < 0.05 for _ in range(400)]
    assert 0.45 < np.mean(ks) < 0.65


def test_difficulties_that_models_share_cost_nothing():
    rng = np.random.default_rng(1)
    hard = 5 * rng.normal(size=GROUPS.size)
    assert found(lambda: (model(rng) + hard, model(rng) + hard, GROUPS))[0] <= 0.05 + ERROR


def test_three_references():
    rng = np.random.default_rng(2)
    alarms, _ = found(lambda: (model(rng), np.array([model(rng) for _ in range(3)]), GROUPS))
    assert alarms <= 0.05 + ERROR


@pytest.mark.parametrize("sparse", [False, True], ids=["t", "Wilson"])
@pytest.mark.parametrize("known", [0.5, 0.05])
def test_right_and_wrong_answers(known, sparse):
    rng = np.random.default_rng(3)
    cut = stats.norm.isf(known)
    alarms, _ = found(lambda: ((model(rng) > cut) * 1.0, (model(rng) > cut) * 1.0, GROUPS), sparse=sparse)
    assert alarms <= 0.05 + ERROR


def test_authors_of_unequal_fame():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(20), np.linspace(5, 60, 20).astype(int))
    assert found(lambda: (model(rng, groups), model(rng, groups), groups))[0] <= 0.05 + ERROR


def test_a_difference_of_the_margin_is_rarely_called_none():
    rng = np.random.default_rng(5)
    margin = 0.6
    for shift in (margin, -margin):
        _, equal = found(lambda shift=shift: (model(rng, shift=shift), model(rng), GROUPS), margin)
        assert equal <= 0.05 + ERROR
    # and identical laws are called so where the margin is three standard errors
    width = math.sqrt(2 * (CORRELATION + (1 - CORRELATION) / EACH) / AUTHORS)
    assert found(lambda: (model(rng), model(rng), GROUPS), 3.5 * width)[1] > 0.8
