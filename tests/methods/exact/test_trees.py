"""Rows deleted from trees: what is left is the forest that was never grown on them, and costs a fraction of it."""

from __future__ import annotations

import pickle
import time
from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from unlearners import DaRE, UnlearnableExtraTrees, Unsupported
from unlearners.exact.forest import UnlearnableForestClassifier

KINDS = {"dare": {"random_depth": 2, "thresholds": 5}, "extra-trees": {}, "random": {"random_depth": 99}}
kinds = pytest.mark.parametrize("kind", KINDS)


def data(n, seed, *, discrete=False):
    x, y = make_classification(n, 6, n_informative=4, n_classes=3, random_state=seed)
    return (np.round(x) if discrete else x), y


def shape(node):
    """A tree in nested tuples."""
    if node.left is None:
        return tuple(node.counts.tolist())
    return node.feature, node.threshold, shape(node.left), shape(node.right)


@kinds
@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("k", [1, 30])
def test_deleting_is_bit_for_bit_growing_on_what_is_left(kind, discrete, k):
    for seed in range(2):
        x, y = data(70, seed, discrete=discrete)
        forest = UnlearnableForestClassifier(3, random_state=seed, **KINDS[kind]).fit(x, y)
        gone = np.random.default_rng(seed).choice(70, k, replace=False)
        kept = np.setdiff1d(np.arange(70), gone)
        at_once, again, one_by_one = forest.without(gone), clone(forest).fit(x[kept], y[kept]), forest
        for row in gone:
            one_by_one = one_by_one.without([row])
        expected = [shape(root) for root in again._roots]
        assert [shape(root) for root in at_once._roots] == expected
        assert [shape(root) for root in one_by_one._roots] == expected


@kinds
def test_the_forest_that_was_deleted_from_is_as_before(kind):
    x, y = data(120, 0)
    forest = UnlearnableForestClassifier(3, **KINDS[kind]).fit(x, y)
    before = pickle.dumps(forest)
    left = forest.without(np.arange(40))
    assert pickle.dumps(forest) == before
    with pytest.raises(ValueError, match="read-only"):
        left._roots[0].counts[0] = 7


POINTS = [(0, 0), (10, 3), (4, 10), (8, 9), (1, 6), (6, 4), (3, 2), (9, 7)]
GONE = [1, 4, 7]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"random_depth": 1, "thresholds": 3}, {}], ids=["dare", "extra-trees"])
def test_a_tree_after_a_deletion_has_the_law_of_a_retrained_one(settings):
    """10,000 trees of each, with random numbers of their own: chi-square over which rows a tree parts by which feature.

    Every node chooses among candidates of both features, and a row at the end of each range goes.
    """
    x, y = np.array(POINTS) / 10, np.array([0, 1, 0, 1, 1, 1, 0, 0])
    kept = np.setdiff1d(np.arange(len(x)), GONE)
    settings = {**settings, "max_depth": 2, "max_features": 2, "n_estimators": 100}

    def look(node):
        return node.counts.tobytes() if node.left is None else (node.feature, look(node.left), look(node.right))

    def table(*, deleting):
        found = Counter()
        for i in range(100):
            forest = UnlearnableForestClassifier(**settings, random_state=2 * i + deleting)
            forest = forest.fit(x, y).without(GONE) if deleting else forest.fit(x[kept], y[kept])
            found.update(map(look, forest._roots))
        return found

    deleted, fresh = table(deleting=True), table(deleting=False)
    assert deleted.total() == fresh.total() == 10_000
    common = [key for key in deleted | fresh if deleted[key] + fresh[key] >= 20]
    assert len(common) > 9
    assert chi2_contingency([[t[key] for key in common] for t in (deleted, fresh)]).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["dare", "extra-trees"])
def test_a_deletion_of_ten_thousand_rows_costs_less_than_a_tenth_of_growing(kind, seed):
    """On average: a deletion that overturns a split near the root may cost most of a tree."""
    x, y = data(10_000, seed)
    start = time.process_time()
    forest = UnlearnableForestClassifier(1, random_state=seed, **KINDS[kind]).fit(x, y)
    growing = time.process_time() - start
    rows = np.random.default_rng(seed).choice(10_000, 100, replace=False)
    start = time.process_time()
    for row in rows:
        forest.without([row])
    assert (time.process_time() - start) / 100 < growing / 10


@kinds
def test_forests_classify(kind):
    x, y = data(600, 0)
    forest = UnlearnableForestClassifier(10, **KINDS[kind]).fit(x[:400], y[:400])
    assert forest.score(x[:400], y[:400]) == 1
    alone = DecisionTreeClassifier(random_state=0).fit(x[:400], y[:400]).score(x[400:], y[400:])
    assert forest.score(x[400:], y[400:]) > alone - (0.15 if kind == "random" else 0.05)
    assert np.allclose(forest.predict_proba(x).sum(1), 1)


@pytest.mark.parametrize("method", [DaRE(trees=2), UnlearnableExtraTrees(trees=2)])
def test_the_method_deletes_what_it_is_asked_to(method):
    x, y = data(90, 0)
    rows = [(row.astype(np.float32), int(label)) for row, label in zip(x, y, strict=True)]
    forest = method.train(rows, seed=5)
    unlearned = method(forest, rows[:70], rows[70:], seed=1)
    again = method.train(rows[:70], seed=5)
    assert [shape(root) for root in unlearned._roots] == [shape(root) for root in again._roots]
    assert not unlearned._table.x[70:].any()
    assert forest._table.x[70:].any()
    assert method(forest, rows, [], seed=1) is not forest


def test_copies_of_a_row_leave_one_at_a_time():
    x, y = data(30, 0)
    rows = list(zip(np.repeat(x, 2, 0), np.repeat(y, 2).tolist(), strict=True))
    method = DaRE(trees=1)
    unlearned = method(method.train(rows, seed=0), rows[1:], rows[:1], seed=0)
    assert len(unlearned.held()[0]) == 59


def test_a_class_that_vanishes_leaves_the_classes():
    x, y = data(60, 0)
    forest = UnlearnableForestClassifier(2).fit(x, y).without(np.flatnonzero(y == 1))
    again = UnlearnableForestClassifier(2).fit(x[y != 1], y[y != 1])
    assert forest.classes_.tolist() == again.classes_.tolist() == [0, 2]
    assert np.array_equal(forest.predict_proba(x), again.predict_proba(x))


def test_what_cannot_be_deleted_is_refused():
    x, y = data(30, 0)
    forest = UnlearnableForestClassifier(1).fit(x, y)
    for rows in ([30], [-1]):
        with pytest.raises(IndexError, match="does not hold"):
            forest.without(rows)
    with pytest.raises(IndexError, match="already forgotten"):
        forest.without([3]).without([3])
    with pytest.raises(ValueError, match="no row"):
        forest.without(np.arange(30))
    rows = list(zip(x, y.tolist(), strict=True))
    with pytest.raises(ValueError, match="not what the forest was grown from"):
        DaRE()(forest, rows[:20], rows[20:29], seed=0)
    with pytest.raises(ValueError, match="was not grown from"):
        DaRE()(forest, rows[:29], [(x[0] + 1, 0)], seed=0)
    with pytest.raises(Unsupported, match="needs an UnlearnableForestClassifier"):
        DaRE()(DecisionTreeClassifier().fit(x, y), rows[:20], rows[20:], seed=0)


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"random_depth": -1}, {"thresholds": 0}, {"max_features": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DaRE(**wrong)


def test_a_forest_says_how_many_features_it_knows() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    forest = UnlearnableForestClassifier(2).fit(x, np.arange(40) % 2)
    with pytest.raises(ValueError, match="fitted on 3 features, and X has 2"):
        forest.predict_proba(x[:, :2])
