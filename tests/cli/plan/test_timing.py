"""Times are extrapolated from small samples in which every class occurs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.cli.plan import timing
from pytest_unlearn.cli.plan.algorithm import Runs
from pytest_unlearn.cli.plan.command import Trainings, cost
from pytest_unlearn.cli.plan.timing import Pace
from pytest_unlearn.data.view import View
from pytest_unlearn.training import Job, StoredModel


@pytest.fixture
def retain() -> View:
    """2,000 retained examples, of which two are of a rare class."""
    x = np.random.default_rng(0).normal(size=(2100, 2))
    y = np.where(np.arange(2100) % 1000 == 7, 2, np.arange(2100) % 2)
    return UnlearningTask(Split((x[:2010], y[:2010]), forget=range(10), test=(x[2010:], y[2010:]), match=None)).retain


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`work(seconds)`: what takes so long by the clock of `timing`, whatever else the machine does."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    def pass_by(seconds: float) -> None:
        clock.now += seconds

    return pass_by


def test_samples_are_small_and_hold_every_class(retain: View) -> None:
    small, large = timing.samples(retain, 0)
    assert len(small) < len(large) < 300
    for sample in (small, large):
        assert set(sample.labels) == set(retain.labels)
        assert set(sample.indices) <= set(retain.indices)
        assert abs(np.mean(sample.labels == 0) - 0.5) < 0.05
    assert np.array_equal(timing.samples(retain, 0)[1].indices, large.indices)


def test_a_recipe_is_timed_in_a_straight_line(retain: View, work: Callable[[float], None]) -> None:
    sizes = []

    def recipe(dataset: Any, *, seed: int) -> None:
        work(0.05 + 0.0005 * len(dataset) + 9 * (not sizes))  # the first run pays for what is loaded only once
        sizes.append(len(dataset))

    pace = timing.probe(recipe, retain, 0)
    assert len(sizes) == 3
    assert pace.seconds(2000) == pytest.approx(1.05)
    assert f"samples of {sizes[0]} and {sizes[2]} examples" in pace.source


def test_a_recipe_that_gets_no_slower_is_never_timed_at_nothing(retain: View, work: Callable[[float], None]) -> None:
    pace = timing.probe(lambda dataset, *, seed: work(0.05 if len(dataset) < 100 else 0.01), retain, 0)
    assert pace.seconds(10_000) > 0.1


def test_a_slow_recipe_is_run_once(retain: View, work: Callable[[float], None]) -> None:
    calls = []

    def recipe(dataset: Any, *, seed: int) -> None:
        calls.append(len(dataset))
        work(11.0)

    pace = timing.probe(recipe, retain, 0)
    assert len(calls) == 1
    assert pace.seconds(2 * calls[0]) == 22.0


def test_too_few_examples_are_said() -> None:
    x = np.arange(20.0).reshape(10, 2)
    split = Split((x[:4], np.zeros(4, dtype=int)), forget=[0], test=(x[4:], np.zeros(6, dtype=int)))
    with pytest.raises(ValueError, match="3 retained examples are too few"):
        timing.samples(UnlearningTask(split).retain, 0)


def test_noted_times_count_by_example() -> None:
    def cached(seconds: Any, size: int) -> tuple[Job, StoredModel]:
        return Job(None, range(size), 0, "k"), StoredModel("k", "skops", 1, {"seconds": seconds}, 0.0, 0.0)

    pace = timing.noted([cached(2.0, 100), cached(4.0, 200), cached("?", 1)])
    assert pace is not None
    assert pace.seconds(1000) == 20.0
    assert pace.source == "as long as 2 trainings in the cache took"
    assert timing.noted([cached(None, 5)]) is None


def test_rounds_of_jobs() -> None:
    assert [timing.rounds(count, 2) for count in range(5)] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (1.2, "about 1 second"),
        (58, "about 58 seconds"),
        (120, "about 2 minutes"),
        (3600, "about 60 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert timing.duration(seconds) == words


def test_shadow_models_and_runs_are_trained_too_and_count() -> None:
    task = SimpleNamespace(n_jobs=1, split=SimpleNamespace(train=range(100)), retain=range(90))

    def minutes(shadows: int, runs: int) -> str:
        jobs = [Job(None, None, k, f"{k}") for k in range(shadows + runs)]
        about = {0: (Runs(runs, "drawn"), jobs[shadows:])}
        needed = Trainings((), (), about, tuple(jobs[:shadows]), {}, frozenset(job.key for job in jobs), False)
        told = list(cost(SimpleNamespace(task=task, own_original=True, own_references=True), needed, PACE))
        return told[-1]

    assert minutes(16, 0).startswith("time: about 16 minutes of training, roughly")
    assert minutes(16, 50).startswith("time: about 66 minutes of training, roughly")


PACE = Pace(lambda examples: 60.0, "measured")
