"""Sorting and numbering of many things give what numpy gives."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics.auc.ordering import counted, numbered, order_of

MANY = 40_000


def laws(size):
    rng = np.random.default_rng(0)
    normal = rng.normal(size=size)
    signs = rng.choice([-1.0, 1.0], size=size)
    return {
        "continuous": normal,
        "tied": normal.round(1),
        "all equal": np.full(size, -2.5),
        "zeros of both signs": signs * 0.0,
        "told apart by the last bits": 1.0 + rng.integers(0, 2000, size) * 2.0**-52,
        "of every size": signs * 10.0 ** rng.uniform(-308, 308, size),
        "denormal": signs * rng.integers(0, 50, size) * 5e-324,
        "sorted downwards": np.sort(normal)[::-1].copy(),
    }


@pytest.mark.parametrize("size", [1, 2, 100, MANY])
@pytest.mark.parametrize("law", laws(1))
def test_an_order_sorts_and_holds_each_position_once(law, size):
    scores = laws(size)[law]
    before = scores.copy()
    order, ordered = order_of(scores)
    assert (ordered == np.sort(scores)).all()
    assert (scores[order] == ordered).all()
    assert (np.sort(order) == np.arange(size)).all()
    assert (scores == before).all()


@pytest.mark.parametrize("kind", ["int64", "int8", "uint16", "bool", "float64", "<U6"])
@pytest.mark.parametrize("size", [1, 50, MANY])
@pytest.mark.parametrize("spread", [3, 100, 10**9])
def test_distinct_values_are_numbered_and_counted_as_by_numpy(kind, size, spread):
    values = (np.random.default_rng(0).integers(-spread, spread, size) % 10**12).astype(kind)
    names, numbers = numbered(values)
    theirs, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    assert (names.dtype, numbers.dtype) == (theirs.dtype, np.int64)
    assert (names == theirs).all()
    assert (numbers == inverse.reshape(-1)).all()
    assert all((ours == numpys).all() for ours, numpys in zip(counted(values), (theirs, counts), strict=True))


def test_numbers_beyond_64_bits_of_sign_are_left_to_numpy():
    values = np.full(MANY, 2**64 - 1, dtype=np.uint64)
    names, numbers = numbered(values)
    assert (names.tolist(), numbers.tolist()) == ([2**64 - 1], [0] * MANY)
