"""Folds: strata in proportion, units whole, and scores of models that never saw what they score."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.statistics import folds, out_of_fold, rank_within_folds


def test_each_fold_has_its_share_of_each_stratum():
    strata = np.repeat([0, 1, 2], [50, 30, 20])
    fold = folds(strata)
    counts = np.array([[(strata[fold == k] == s).sum() for s in range(3)] for k in range(5)])
    assert (counts == [10, 6, 4]).all()


def test_a_unit_is_never_torn_apart():
    groups = np.random.default_rng(0).integers(0, 40, size=200)
    fold = folds(np.zeros(200, dtype=int), groups)
    assert all(len(set(fold[groups == unit])) == 1 for unit in np.unique(groups))
    assert len(set(fold)) == 5


def test_fewer_units_than_folds_make_fewer_folds():
    assert sorted(set(folds(np.zeros(3, dtype=int)))) == [0, 1, 2]
    assert set(folds(np.zeros(4, dtype=int), [7, 7, 7, 7])) == {0}


def test_the_same_seed_gives_the_same_folds_and_another_does_not():
    strata = np.zeros(100, dtype=int)
    assert (folds(strata, seed=3) == folds(strata, seed=3)).all()
    assert (folds(strata, seed=3) != folds(strata, seed=4)).any()


def test_what_is_scored_was_not_fitted():
    seen = []
    fold = folds(np.zeros(23, dtype=int))

    def score(fitted, held):
        seen.append((set(fitted), set(held)))
        return held.astype(float)

    assert (out_of_fold(fold, score) == np.arange(23)).all()
    assert all(fitted.isdisjoint(held) and len(fitted | held) == 23 for fitted, held in seen)


def test_ranks_within_folds_forget_each_fold_s_scale():
    rng = np.random.default_rng(0)
    fold = folds(np.zeros(100, dtype=int))
    scores = rng.normal(size=100)
    assert np.allclose(rank_within_folds(scores, fold), rank_within_folds(scores * 10.0**fold + 5 * fold, fold))


def test_pooled_raw_scores_of_folds_would_be_biased_where_ranks_are_not():
    # a "classifier" that answers the share of members it was fitted on: held-out members then score lower, by nothing
    # but the composition of folds
    member = np.random.default_rng(0).permutation(np.repeat([0, 1], 50))
    fold = np.arange(100) % 5
    raw = out_of_fold(fold, lambda fitted, held: np.full(len(held), member[fitted].mean()))
    ranked = rank_within_folds(raw, fold)
    assert raw[member == 1].mean() < raw[member == 0].mean()
    assert np.allclose(ranked, 0.0)
