"""Costs as ratios within one process: absolute times depend on the machine."""

import time

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from pytest_unlearn.attacks.attack import Pairing, auc_of_scores
from pytest_unlearn.attacks.lira import offline_scores
from pytest_unlearn.attacks.registry import OF_A_PART
from pytest_unlearn.attacks.rmia import share_exceeded
from pytest_unlearn.attacks.subgroups import worst_class_of
from pytest_unlearn.core.evidence import Scores
from pytest_unlearn.statistics import auc_measure
from tests.benchmarks.comparison import compare
from tests.published.online_lira import online_scores
from tests.published.online_rmia import online_rmia_scores

pytestmark = pytest.mark.benchmark


def test_an_auc_with_its_interval_costs_at_most_twice_sorting_the_two_sides(benchmark):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=500_000), rng.normal(size=500_000)

    def sorting():
        start = time.perf_counter()
        np.sort(forget)
        np.sort(controls)
        return time.perf_counter() - start

    benchmark.pedantic(lambda: auc_measure(forget, controls).at(0.95), rounds=9, warmup_rounds=1)
    ratio = benchmark.stats.stats.median / float(np.median([sorting() for _ in range(9)]))
    benchmark.extra_info["ratio to sorting the two sides"] = ratio
    assert ratio < 2


@pytest.mark.parametrize("attack", ["lira", "rmia"])
def test_an_attack_takes_a_tenth_of_a_plain_implementation_at_64_references(benchmark, attack):
    rng = np.random.default_rng(0)
    models, examples = 64, 10_000
    references, target = np.log(rng.random((models, examples))), np.log(rng.random(examples))
    included = rng.permuted(np.tile(np.arange(models)[:, None] < models // 2, (1, examples)), axis=0)
    population, theirs = np.log(rng.random(examples)), np.log(rng.random((models, examples)))

    def ours():
        if attack == "lira":
            return online_scores(target, references, included, variance="each")
        return online_rmia_scores(target, references, population, theirs, included)

    def plain():
        if attack == "lira":
            return np.array([_ratio(references[:, e], included[:, e], target[e]) for e in range(examples)])
        out = np.exp(theirs).mean(axis=0)
        gains = np.exp(population) / ((1.3 * out + 0.7) / 2)
        own = np.exp(references)
        return np.array(
            [np.mean(_gain(own[:, e], included[:, e], np.exp(target[e])) / gains > 1) for e in range(examples)]
        )

    start = time.perf_counter()
    expected = plain()
    slow = time.perf_counter() - start
    found = benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    benchmark.extra_info["share of a plain implementation's time"] = benchmark.stats.stats.median / slow
    assert benchmark.stats.stats.median < slow / 10


def _ratio(statistics, included, value):
    inside, outside = statistics[included], statistics[~included]
    return norm.logpdf(value, inside.mean(), inside.std(ddof=1)) - norm.logpdf(
        value, outside.mean(), outside.std(ddof=1)
    )


def _gain(probabilities, included, value):
    return value / ((probabilities[included].mean() + probabilities[~included].mean()) / 2)


MILLION = 1_000_000


def millions(kind):
    rng = np.random.default_rng(0)
    half = MILLION // 2
    forget, controls = rng.normal(0.1, size=half), rng.normal(size=half)
    if kind == "tied":
        return (forget.round(2), controls.round(2)), {}
    if kind == "stratified":
        return (forget, controls), {name: rng.integers(0, 10, half) for name in ("forget_strata", "control_strata")}
    groups = rng.permutation(MILLION) // 5
    return (forget, controls), {"forget_groups": groups[:half], "control_groups": groups[half:]}


@pytest.mark.parametrize(("kind", "least"), [("tied", 3.0), ("stratified", 3.0), ("clustered", 3.0)])
def test_an_interval_of_a_million_scores_takes_a_fraction_of_the_library_s_value_alone(benchmark, kind, least):
    sides, labels = millions(kind)
    member, scores = np.repeat([1, 0], MILLION // 2), np.concatenate(sides)
    times = []

    def library():
        start = time.perf_counter()
        roc_auc_score(member, scores)
        times.append(time.perf_counter() - start)

    benchmark.pedantic(lambda: auc_measure(*sides, **labels).at(0.95), setup=library, rounds=5, warmup_rounds=1)
    ratio = float(np.median(times)) / benchmark.stats.stats.median
    benchmark.extra_info["times faster than scikit-learn's value alone"] = ratio
    assert ratio > least


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside four references"])
def test_a_thousand_class_slices_of_100_000_controls_take_little_more_than_one_stratified_auc(benchmark, beside):
    rng = np.random.default_rng(0)
    strata = rng.permutation(20_000) % 1000, rng.permutation(100_000) % 1000
    pairing = Pairing(forget_strata=strata[0], control_strata=strata[1])
    sides = [rng.normal(size=one.size) for one in strata]
    rows = [rng.normal(size=(4, one.size)) if beside else None for one in strata]
    scores = Scores(forget=sides[0], controls=sides[1], reference_forget=rows[0], reference_controls=rows[1])
    worst, _ = worst_class_of(pairing, OF_A_PART)
    name = "1,000 class slices" + (", beside four references" if beside else "")
    of = "one stratified AUC" + (" beside as many references" if beside else "")
    compare(
        benchmark,
        (name, lambda: worst.measure(scores, pairing).at(0.95)),
        (of, lambda: auc_of_scores(scores, pairing).at(0.95)),
        at_most=3,
    )


def test_lira_takes_little_longer_than_the_two_contractions_it_consists_of(benchmark):
    rng = np.random.default_rng(0)
    references, target, times = rng.normal(size=(64, 10_000)), rng.normal(size=10_000), []

    def contractions():
        start = time.perf_counter()
        mean = np.einsum("me->e", references) / 64
        spread = np.einsum("me,me->e", references, references) / 64 - mean**2
        (target - mean) / np.sqrt(spread)
        times.append(time.perf_counter() - start)

    benchmark.pedantic(lambda: offline_scores(target, references, variance="each"), setup=contractions, rounds=25)
    ratio = benchmark.stats.stats.median / float(np.median(times))
    benchmark.extra_info["times the contractions"] = ratio
    assert ratio < 2


def test_rmia_takes_a_thirtieth_of_comparing_every_pair(benchmark):
    rng = np.random.default_rng(0)
    gains, others, times = rng.normal(size=10_000), rng.normal(size=2_500), []

    def pairwise():
        start = time.perf_counter()
        (gains[:, None] > others[None]).mean(axis=1)
        times.append(time.perf_counter() - start)

    benchmark.pedantic(lambda: share_exceeded(gains, others, 1.0, 0.0), setup=pairwise, rounds=9)
    ratio = float(np.median(times)) / benchmark.stats.stats.median
    benchmark.extra_info["times faster than every pair"] = ratio
    assert ratio > 20
