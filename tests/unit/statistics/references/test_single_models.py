"""Single models that are unlike retrained ones are named, and of equal laws hardly ever one."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics import outlier_models
from pytest_unlearn.statistics.epsilon.per_example import distinguishable_examples


def models(count, examples, seed, common=0.5):
    """Margins of models that vary as a whole and example by example, as trained ones do."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, examples)) + common * rng.normal(size=(count, 1))


@pytest.mark.slow
@pytest.mark.parametrize("common", [0.0, 0.5, 3.0])
def test_of_equal_laws_one_is_named_no_more_often_than_stated(common):
    named = 0
    for seed in range(2000):
        pool = models(48, 20, seed, common)
        named += len(outlier_models(pool[:16], pool[16:], 0.95)) > 0
    assert named / 2000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert named > 0  # the bounds are no wider than they need be


@pytest.mark.parametrize("shift", [-4.0, 4.0])
def test_one_of_sixteen_is_found_whatever_the_others_are(shift):
    pool = models(48, 300, 0)
    pool[3] += shift
    assert outlier_models(pool[:16], pool[16:]).tolist() == [3]
    assert not len(distinguishable_examples(pool[:16], pool[16:])[1])


def test_equal_models_are_not_apart_and_a_hair_s_breadth_is():
    same = np.ones((4, 5))
    assert not len(outlier_models(same, np.ones((8, 5))))
    assert len(outlier_models(same + 1e-9, np.ones((8, 5)))) == 4


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="pass the same ones"):
        outlier_models(np.ones((4, 5)), np.ones((8, 6)))
    with pytest.raises(ValueError, match="finite"):
        outlier_models(np.full((4, 5), np.nan), np.ones((8, 5)))
