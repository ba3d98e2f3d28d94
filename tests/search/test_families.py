"""Each family names the examples that it is named after."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import EstimatorRecipe, ForgetRequest, Split, UnlearningTask
from pytest_unlearn.search.dataset_stats import DatasetStats
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.fold_models import folds


@pytest.fixture(scope="module")
def stats(world):
    return DatasetStats(world.task)


def of(stats, family, **settings):
    (positions,) = resolve(ForgetRequest(family, **settings), stats)
    return positions


def test_classes(stats):
    whole = of(stats, "whole-class", label=3)
    assert (stats.labels[whole] == 3).all()
    assert len(whole) == (stats.labels == 3).sum()
    assert set(of(stats, "class-fraction", label=3, size=9)) < set(whole)
    rarest = np.bincount(stats.labels).argmin()
    assert set(stats.labels[of(stats, "minority", size=12)]) == {rarest}
    assert len(of(stats, "single", size=50)) == 1


def test_planted_labels_are_found_by_their_neighbours(stats, world):
    assert world.wrong[of(stats, "mislabelled", size=80)].mean() > 0.85
    assert world.wrong[of(stats, "random", size=80)].mean() < 0.4


@pytest.mark.slow
def test_neighbours(stats):
    ball = of(stats, "cluster", size=20, seed=3)
    spread = stats.inputs[ball].std(axis=0).mean()
    assert spread < 0.8 * stats.inputs[of(stats, "random", size=20, seed=3)].std(axis=0).mean()
    half = of(stats, "near-duplicates", size=10, seed=3)
    assert set(half) < set(ball)  # every other one of the same neighbours: the rest stay
    assert set(of(stats, "cluster", size=20, seed=3, space="features")) != set(ball)


@pytest.mark.slow
def test_what_the_original_makes_of_them(world):
    plain = EstimatorRecipe(LogisticRegression(C=0.1, max_iter=500))  # a forest has no loss on what it has seen
    stats = DatasetStats(UnlearningTask(world.task.split, plain, references=0, cache_dir=world.task.store.directory))
    hardest, easiest = (stats.loss[of(stats, name, size=30)].mean() for name in ("hardest", "easiest"))
    assert hardest > 3 * stats.loss.mean()
    assert easiest < 0.3 * stats.loss.mean()
    assert np.abs(stats.margin[of(stats, "boundary", size=30)]).max() < np.quantile(np.abs(stats.margin), 0.1)
    centre = stats.distance_to_centre
    assert centre[of(stats, "entangled", size=30)].max() < np.quantile(centre, 0.1)


@pytest.mark.slow
def test_what_depends_on_having_been_trained_on_is_memorised(stats, world):
    assert world.wrong[of(stats, "memorised", size=60)].mean() > 0.6
    assert stats.memorisation[world.wrong].mean() > stats.memorisation[~world.wrong].mean() + 0.2


def test_later_seeds_vary_within_the_top(stats):
    top = set(of(stats, "outliers", size=60))
    other = of(stats, "outliers", size=30, seed=4)
    assert set(other) <= top
    assert set(other) != set(of(stats, "outliers", size=30))


def test_a_sequence_has_steps_and_a_union_has_one(stats):
    parts = (ForgetRequest("random", size=5), ForgetRequest("whole-class", label=1))
    steps = resolve(ForgetRequest("sequence", parts=parts), stats)
    assert [len(step) for step in steps] == [5, (stats.labels == 1).sum()]
    (union,) = resolve(ForgetRequest("union", parts=parts), stats)
    assert set(union) == set(steps[0]) | set(steps[1])


def test_groups(world):
    split = world.task.split
    owners = np.arange(600) // 30
    grouped = Split(split.train, forget=[0], test=split.test, groups=owners)
    stats = DatasetStats(UnlearningTask(grouped, references=0))
    chosen = of(stats, "group", label=4)
    assert len(chosen) == 30
    assert len(set(owners[chosen])) == 1
    with pytest.raises(ValueError, match=r"Split\(..., groups=ids\)"):
        of(DatasetStats(world.task), "group")


def test_an_unknown_family_is_named_with_those_there_are(stats):
    with pytest.raises(ValueError, match="no family 'nonsense' .* there are random, single"):
        of(stats, "nonsense")


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_pool_leaves_every_example_out_equally_often(repeats):
    included = folds(103, repeats, seed=0)
    assert ((~included).sum(axis=0) == repeats).all()
    assert included.sum(axis=1).min() >= 82


def test_stand_ins_never_saw_what_they_answer_for(stats):
    pool = stats.fold_models
    forget = np.array([3, 50, 200, 599])
    for k, (answers, _) in enumerate(pool.references(forget)):
        for column, example in enumerate(forget):
            unseen = [m for m in range(len(pool.included)) if not pool.included[m, example]]
            assert any(np.array_equal(answers[column], pool.train[m, example]) for m in unseen), (k, example)
