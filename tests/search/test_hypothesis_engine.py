"""The engine of every search: all families have their turn, budgets hold, and what fails is made small."""

from __future__ import annotations

import itertools
import time
import warnings
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_unlearn import Budget, ForgetRequest, Split
from pytest_unlearn.search.budget import as_budget
from pytest_unlearn.search.confirmation import Attempt
from pytest_unlearn.search.hypothesis_engine import MOST_SHRINKING, search_requests
from pytest_unlearn.search.screening import CONFIRMATION, SEARCH, RequestResult
from pytest_unlearn.search.strategies import ALL, UNSIZED, WHOLE, available, resized, searched_forget_sets, turns_of
from tests.evidences import evidence

TRAIN, CLASSES, LARGEST = 900, 10, 180
CLASSES_OF = ("random", "whole-class", "class-fraction")


def split_of(groups=None):
    labels = np.arange(TRAIN) % CLASSES
    inputs = np.arange(2 * TRAIN, dtype=np.float32).reshape(-1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the split's own request plays no part
        return Split((inputs[:TRAIN], labels), forget=[0], test=(inputs[TRAIN:], labels), groups=groups)


def size_of(request):
    """How many examples a request would name of `TRAIN`."""
    if request.family == "sequence" or request.family == "union":
        return sum(size_of(part) for part in request.parts)
    return TRAIN // CLASSES if request.family in WHOLE else request.size


def search(fails=lambda request: False, budget=60, seed=0, *, families=None, groups=None, confirms=True, told=None):
    """A search in which no model is made: `fails` says what is seen of a request, `confirms` whether it is again."""
    split = split_of(groups)
    names = available(families, groups=groups is not None)
    evaluated = []

    def evaluate(request, stage):
        evaluated.append((request, stage))
        seen = fails(request) and (stage == SEARCH or (stage == CONFIRMATION and confirms))
        result = RequestResult(request, size_of(request), suspicious=seen, powerful=True)
        return Attempt(result, evidence=evidence("FAIL" if seen else "PASS"))

    def progress(items, total, doing, line):
        for item in items:
            (told if told is not None else []).append(line(item))
            yield item

    requests, turns = searched_forget_sets(split, names), turns_of(split, names)
    return search_requests(requests, evaluate, as_budget(budget), progress, seed=seed, due=turns.due), evaluated


def families_of(found):
    return Counter(result.request.family for result in found.results)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))])
@pytest.mark.parametrize("groups", [None, pytest.param(np.arange(TRAIN) // 6, marks=pytest.mark.slow)])
def test_every_family_has_its_turns_and_every_class_is_asked_for(seed, groups):
    found, _ = search(seed=seed, groups=groups)
    tried = families_of(found)
    assert set(tried) == set(available(None, groups=groups is not None))
    assert tried.pop("whole-class") == CLASSES
    assert set(tried.values()) <= {3, 4}
    assert len(set(found.results)) == 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_first_round_asks_for_the_largest_size_and_later_ones_for_any_that_may_be_seen(seed):
    requests = [result.request for result in search(seed=seed)[0].results if result.request.family not in UNSIZED]
    first = {request.family: request.size for request in reversed(requests) if not request.parts}
    assert set(first.values()) == {LARGEST}
    sizes = [request.size for request in requests if not request.parts]
    assert LARGEST**0.5 <= min(sizes) < 0.3 * LARGEST
    assert max(sum(part.size for part in request.parts) for request in requests) <= LARGEST


def test_the_same_seed_searches_alike_and_another_otherwise():
    searched = [search(budget=10, seed=seed)[0] for seed in (3, 3, 4)]
    assert searched[0] == searched[1] != searched[2]


@pytest.mark.slow
def test_a_seed_is_one_search_whatever_numbers_stand_in_the_modules_that_are_loaded(monkeypatch):
    providers = pytest.importorskip("hypothesis.internal.conjecture.providers")
    if not hasattr(providers, "_get_local_constants"):
        pytest.skip("this Hypothesis reads no sources")
    before = search(budget=40, seed=1)[0]
    numbers = type(providers.GLOBAL_CONSTANTS)(integers=set(range(3, 180)))
    monkeypatch.setattr(providers, "_get_local_constants", lambda: numbers)
    monkeypatch.setattr(providers, "CONSTANTS_CACHE", type(providers.CONSTANTS_CACHE)(1024))
    assert search(budget=40, seed=1)[0] == before


def test_a_family_without_further_requests_does_not_hold_up_the_others():
    tried = families_of(
        search(budget=40, families=["whole-class", "group", "random"], groups=np.arange(TRAIN) // 450)[0]
    )
    assert tried == {"whole-class": 10, "group": 2, "random": 28}


def test_a_search_ends_where_there_are_no_other_requests():
    assert len(search(families=["whole-class"])[0].results) == CLASSES


@pytest.mark.parametrize("budget", [Budget(requests=7), Budget(trainings=7), Budget(requests=7, trainings=50)])
def test_the_budget_is_kept(budget):
    assert len(search(budget=budget)[0].results) == 7  # each evaluation is one training here


@pytest.mark.slow
def test_a_budget_of_seconds_is_kept():
    started = time.monotonic()
    found, _ = search(lambda _: time.sleep(0.1), budget=timedelta(seconds=0.5), families=["random"])
    assert 1 <= len(found.results) <= 6
    assert time.monotonic() - started < 5


PLANTED = {
    "requests of 50 or more": lambda request: size_of(request) >= 50,
    "class 7": lambda request: "class" in request.family and request.label == 7 and size_of(request) >= 12,
    "near-duplicates in retain": lambda request: request.family == "near-duplicates" and request.size >= 11,
    "mislabelled examples": lambda request: request.family == "mislabelled" and request.size >= 11,
    "second of a sequence": lambda request: request.family == "sequence" and request.parts[-1].size >= 12,
}


@pytest.mark.slow
@pytest.mark.parametrize("weakness", PLANTED)
def test_a_weakness_of_one_kind_of_request_is_found_within_the_usual_budget(weakness):
    failures = [search(PLANTED[weakness], seed=seed)[0].failure for seed in range(10)]
    found = [failure for failure in failures if failure is not None]
    assert len(found) >= 8  # a family has three or four turns, and not each of them must show the weakness
    assert all(one.result.examples <= (53 if weakness == "requests of 50 or more" else 14) for one in found)


class TestShrinking:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize(
        ("fails", "families", "smallest"),
        [
            (lambda request: size_of(request) >= 50, None, ForgetRequest("random", size=50)),
            (lambda request: request.family == "cluster" and request.size >= 11, ("random", "cluster"), 11),
            (
                lambda request: "class" in request.family and request.label == 7 and size_of(request) >= 12,
                CLASSES_OF,
                12,
            ),
            (lambda request: request.family == "sequence" and request.parts[-1].size >= 12, None, 13),
            (lambda request: True, None, 1),
        ],
    )
    def test_it_comes_within_a_twentieth_of_the_smallest_in_forty_requests(self, fails, families, smallest, seed):
        found, evaluated = search(fails, budget=400, seed=seed, families=families)
        failure = found.failure.result
        least = smallest if isinstance(smallest, int) else smallest.size
        assert fails(failure.request)
        assert least <= failure.examples <= 1.06 * least
        assert isinstance(smallest, int) or failure.request == replace(smallest, size=failure.examples)
        assert found.shrinking <= MOST_SHRINKING
        assert len({request for request, _ in evaluated}) == len(found.attempts) + found.shrinking

    def test_it_keeps_to_the_families_that_were_named(self):
        found, evaluated = search(lambda request: size_of(request) >= 50, families=["outliers", "cluster"])
        assert {request.family for request, _ in evaluated} <= {"outliers", "cluster"}
        assert found.failure.result.request == ForgetRequest("cluster", size=found.failure.result.examples)

    def test_it_is_not_cut_short_by_the_clock_of_hypothesis(self, monkeypatch, capsys):
        from hypothesis.internal.conjecture import engine

        clock = itertools.count(step=100)  # Hypothesis shrinks for 300 seconds; here every evaluation takes a hundred
        now = [next(clock)]

        def fails(request):
            now[0] = next(clock)
            return size_of(request) >= 50

        whole = search(fails)[0]
        monkeypatch.setattr(engine, "time", SimpleNamespace(**{**vars(time), "perf_counter": lambda: now[0]}))
        assert search(fails)[0] == whole
        assert whole.shrinking > 5
        assert capsys.readouterr().out == ""

    def test_only_the_search_is_told_of_and_only_the_confirmation_counts(self):
        told = []
        found, _ = search(lambda request: size_of(request) >= 50, told=told)
        assert len(told) == len(found.attempts)
        assert found.shrinking > 0
        unconfirmed, _ = search(lambda request: size_of(request) >= 50, budget=5, confirms=False)
        assert unconfirmed.failure is None
        assert {attempt.rejected for attempt in unconfirmed.attempts if attempt.result.suspicious} == {"PASS"}


class TestShrinkingAcrossFamilies:
    @staticmethod
    def shrunk(fails, seed, families=None):
        names = available(families, groups=False)

        def evaluate(request, stage):
            seen = fails(request)
            return Attempt(RequestResult(request, size_of(request), suspicious=seen, powerful=True))

        requests, turns = searched_forget_sets(split_of(), names), turns_of(split_of(), names)
        smaller = partial(resized, families=names)
        quiet = lambda items, *_: items  # noqa: E731
        found = search_requests(requests, evaluate, as_budget(100), quiet, seed=seed, due=turns.due, resized=smaller)
        assert found.shrinking <= MOST_SHRINKING
        return found.failure.result

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize(
        ("weak", "least"),
        [
            (lambda one: one.family == "memorised" and one.size >= 8, 8),
            (lambda one: one.family == "entangled" and one.size >= 20, 20),
            (lambda one: one.family == "class-fraction" and one.size >= 11, 11),
        ],
    )
    def test_a_request_that_fails_for_what_few_of_it_share_is_made_one_of_these(self, weak, least, seed):
        found = self.shrunk(lambda one: size_of(one) == LARGEST or weak(one), seed)
        assert weak(found.request)
        assert least <= found.examples < 2 * least

    @pytest.mark.parametrize("seed", range(5))
    def test_between_a_size_that_fails_and_half_of_it_the_least_is_looked_for(self, seed):
        assert 50 <= self.shrunk(lambda one: size_of(one) >= 50, seed).examples <= 53

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("decisive", [0, -1], ids=["what comes first", "what comes last"])
    def test_a_sequence_stays_one(self, decisive, seed):
        found = self.shrunk(lambda one: one.family == "sequence" and one.parts[decisive].size >= 12, seed)
        assert found.request.family == "sequence"
        assert 13 <= found.examples <= 24

    def test_it_keeps_to_the_families_that_were_named(self):
        found = self.shrunk(lambda one: size_of(one) >= 9, 0, families=["outliers", "cluster"])
        assert found.request.family in ("outliers", "cluster")
        assert 9 <= found.examples < 18

    def test_a_single_example_is_not_halved(self):
        assert self.shrunk(lambda one: True, 0).examples == 1


def test_all_families_are_known_to_the_order():
    assert set(ALL) == set(available(None, groups=True))
