"""audit_algorithm: verdicts on methods, with models as what is sampled."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, assert_algorithm, audit_algorithm
from pytest_unlearn.claims.algorithm.runs import open_pool
from pytest_unlearn.testing.failures import AuditFailure
from unlearners import Retrain

RECIPE = EstimatorRecipe(DecisionTreeClassifier(max_features=2, min_samples_leaf=2))


def data(n, seed):
    """Two classes, three labels in ten wrong: a tree learns its training examples by heart."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    labels = np.where(rng.random(n) < 0.3, 1 - truth, truth)
    return (rng.normal(size=(n, 4)) + 1.5 * truth[:, None]).astype(np.float32), labels


def make_task(folder, forget=60, controls=120, retain=150, references=3, seed=0, **split):
    parts = Split(data(forget + retain, seed), forget=np.arange(forget), test=data(controls, seed + 100), **split)
    return UnlearningTask(parts, RECIPE, references=references, seed=seed, cache_dir=folder)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("cache"))


def keep(model, retain, forget, *, seed):
    """Does nothing."""
    return model


class SometimesKeep:
    """Retrains under every second seed only, and does nothing under the others."""

    def __call__(self, model, retain, forget, *, seed):
        return model if seed % 2 else RECIPE(retain, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("requests", ["drawn", "same"])
def test_an_exact_method_is_not_failed_and_one_that_does_nothing_is(task, requests):
    honest = audit_algorithm(Retrain(RECIPE), task, 0.65, runs=5, requests=requests)
    assert honest.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert audit_algorithm(keep, task, 0.55, runs=6, requests=requests).verdict is Verdict.FAIL


@pytest.mark.slow
def test_an_exact_method_passes_with_enough_runs(task):
    evidence = audit_algorithm(Retrain(RECIPE), task, 0.65, runs=16)
    assert evidence.verdict is Verdict.PASS
    assert evidence.controls.original.holds
    assert len(evidence.controls.retrained) == 3


def fixed_forest(dataset, *, seed):
    """A recipe that ignores its seed, as `random_state=0` does."""
    return EstimatorRecipe(RandomForestClassifier(20))(dataset, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [fixed_forest, EstimatorRecipe(RandomForestClassifier(20))], ids=["fixed", "seeded"])
def test_exact_retraining_of_forests_on_digits_passes(tmp_path, recipe):
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:900], order[900:]
    task = UnlearningTask(
        Split((x[train], y[train]), forget=range(100), test=(x[test], y[test])), recipe, cache_dir=tmp_path
    )
    assert audit_algorithm(Retrain(recipe), task, 0.55, runs=10).verdict is Verdict.PASS
    assert task.bootstrapped == (recipe is fixed_forest)
    assert audit_algorithm(keep, task, 0.55, runs=5).verdict is Verdict.FAIL


@pytest.mark.slow
def test_a_method_that_leaks_under_some_of_its_seeds_does_not_pass(task):
    evidence = audit_algorithm(SometimesKeep(), task, 0.65, runs=8)
    assert evidence.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
    table = next(exhibit for exhibit in evidence.figures if exhibit.title == "Run by run")
    aucs = np.array([row[3] for row in table.rows])
    odd = np.array([row[0] % 2 == 1 for row in table.rows])
    assert aucs[odd].min() > aucs[~odd].max()


@pytest.mark.slow
def test_the_spread_of_seeds_enters_the_interval(task):
    leaky = audit_algorithm(SometimesKeep(), task, 0.65, runs=8).attacks["confidence residual"]
    steady = audit_algorithm(keep, task, 0.65, runs=8).attacks["confidence residual"]
    assert leaky.high - leaky.low > 2 * (steady.high - steady.low)


@pytest.mark.slow
def test_a_request_too_small_for_itself_is_judged_as_one_of_many(tmp_path):
    task = make_task(tmp_path, forget=12, controls=200)
    evidence = audit_algorithm(keep, task, 0.58, runs=16)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.estimate.n_forget == 12


@pytest.mark.slow
def test_both_kinds_of_u_lira_decide_where_requests_are_drawn(task):
    drawn = audit_algorithm(keep, task, 0.65, runs=5)
    assert {"U-LiRA", "U-LiRA, unlearned null"} <= set(drawn.deciding)
    assert not any("U-LiRA" in name for name in audit_algorithm(keep, task, 0.65, runs=5, requests="same").attacks)
    assert not any("U-LiRA" in name for name in audit_algorithm(keep, task, 0.65, runs=4).attacks)


@pytest.mark.slow
def test_u_lira_finds_what_a_method_leaves_although_no_reference_looks_like_it(task):
    # the method blurs every model, so that none is like a retrained one, and leaves a trace on the request
    evidence = audit_algorithm(keep, task, 0.65, runs=12)
    assert evidence.attacks["U-LiRA, unlearned null"].low > 0.65


@pytest.mark.slow
def test_the_evidence_says_what_was_sampled_and_can_be_repeated(task):
    one, other = (audit_algorithm(keep, task, 0.65, runs=4).to_json() for _ in range(2))
    one["provenance"].pop("seconds"), other["provenance"].pop("seconds")
    assert one == other
    assert one["provenance"]["settings"]["seeds"] == [9000, 9001, 9002, 9003]
    assert "judged over 4 runs with fresh seeds" in one["reasons"][0]
    assert "nothing of one released model" in one["reasons"][0]


def test_a_drawn_request_has_the_classes_of_the_real_one(tmp_path):
    task = make_task(tmp_path, forget=41)
    pool = open_pool(task, "drawn")
    from pytest_unlearn.claims.algorithm.runs import _draw

    for seed in range(5):
        drawn = _draw(pool, np.random.default_rng(seed))
        assert np.bincount(pool.labels[drawn]).tolist() == np.bincount(task.forget.labels).tolist()
    assert len(pool.positions) == 82


def test_every_example_of_a_class_is_as_likely_to_be_drawn(tmp_path):
    pool = open_pool(make_task(tmp_path, forget=20, controls=30), "drawn")
    from pytest_unlearn.claims.algorithm.runs import _draw

    rng = np.random.default_rng(0)
    often = np.mean([_draw(pool, rng) for _ in range(4000)], axis=0)
    assert often == pytest.approx(np.full(len(pool.positions), 0.5), abs=4 * 0.5 / 4000**0.5)


def test_whole_groups_are_drawn(tmp_path):
    groups, owners = np.arange(210) // 3, 1000 + np.arange(120) // 3
    pool = open_pool(make_task(tmp_path, groups=groups, control_groups=owners), "drawn")
    from pytest_unlearn.claims.algorithm.runs import _draw

    for seed in range(10):
        drawn = _draw(pool, np.random.default_rng(seed))
        assert all(len(set(drawn[pool.units == unit])) == 1 for unit in np.unique(pool.units))
        assert 30 < drawn.sum() < 90


def test_assert_algorithm_raises_with_the_evidence(task):
    with pytest.raises(AuditFailure) as caught:
        assert_algorithm(keep, task, 0.65, runs=4)
    assert caught.value.evidence.claim.name == "algorithm"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"runs": 2}, "runs must be a whole number from 3"),
        ({"runs": 4.0}, "runs must be a whole number from 3"),
        ({"requests": "random"}, 'requests must be "drawn" or "same"'),
        ({"max_mia_auc": 1.5}, "max_mia_auc must be a number above 0.5"),
    ],
)
def test_what_makes_no_sense_is_refused(task, change, says):
    with pytest.raises(ValueError, match=says):
        audit_algorithm(keep, task, **change)


def test_it_needs_a_recipe_and_references(tmp_path):
    whole = make_task(tmp_path, references=0)
    with pytest.raises(ValueError, match="give the task references"):
        audit_algorithm(keep, whole)
    with pytest.raises(ValueError, match="with a recipe="):
        audit_algorithm(keep, UnlearningTask(whole.split, references=0))


def test_a_method_that_changes_its_input_is_stopped(task):
    def spoil(model, retain, forget, *, seed):
        model.tree_.value[:] = 0.5
        return model

    with pytest.raises(ValueError, match="changed in place"):
        audit_algorithm(spoil, task, runs=3)


@pytest.mark.long
@pytest.mark.slow
def test_over_twenty_worlds_an_exact_method_is_never_failed_and_its_interval_covers(tmp_path):
    found = [
        audit_algorithm(Retrain(RECIPE), make_task(tmp_path / str(seed), seed=seed), 0.65, runs=6) for seed in range(20)
    ]
    assert all(evidence.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE) for evidence in found)
    for name in found[0].deciding:
        estimates = [evidence.attacks[name] for evidence in found]
        assert np.mean([one.low <= 0.5 for one in estimates]) >= 0.85, name
        assert np.mean([one.high >= 0.5 for one in estimates]) >= (0.85 if "deviation" not in name else 0.0), name
