"""Runs of a method are jobs: made at once or in turn with one result, and each is kept as it is done."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.tree import DecisionTreeClassifier

from pytest_unlearn import EstimatorRecipe, Evidence, UnlearningTask, audit_algorithm
from pytest_unlearn.core.recorder import Recorder, recording
from tests.claims.algorithm import test_algorithm as trees
from unlearners import Retrain

RUNS = 6


class Reports:
    """Progress that keeps what it is told, and stops after some items as Ctrl-C does."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.totals, self.lines, self.now = stop_after, [], [], []

    def __call__(self, items: Iterable[Any], total: int, doing: str, line: Any, now: Any = None) -> Iterator[Any]:
        self.totals.append(total)
        self.now.append(now())
        for number, item in enumerate(items, start=1):
            self.lines.append(line(item))
            yield item
            self.now.append(now())
            if number == self.stop_after and total == RUNS:
                raise KeyboardInterrupt


def audited(task: UnlearningTask, method: Any, reports: Reports | None = None) -> Evidence:
    if reports is not None:
        task.progress = reports
    return audit_algorithm(method, task, 0.65, runs=RUNS)


def settled(evidence: Evidence) -> str:
    """All of it but times, and where models came from."""
    found = evidence.to_json()
    found["provenance"] = {name: found["provenance"].get(name) for name in ("seeds", "method", "runs", "requests")}
    return json.dumps({name: found[name] for name in ("verdict", "estimate", "attacks", "provenance", "exhibits")})


class Locked:
    """Retrains, and holds what neither a file nor another process can take."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        with self.lock:
            return trees.RECIPE(retain, seed=seed)


class Partial:
    """Trains further leaves on what remains, from the model's own rules: it needs the model that it is given."""

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        depth = int(model.get_depth())
        return EstimatorRecipe(DecisionTreeClassifier(max_features=2, max_depth=depth))(retain, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Retrain(trees.RECIPE), Partial()], ids=["retrain", "of the model"])
def test_runs_at_once_come_to_what_runs_in_turn_do(tmp_path: Path, method: Any) -> None:
    in_turn, at_once = trees.make_task(tmp_path / "1"), trees.make_task(tmp_path / "2")
    at_once.n_jobs = 2
    assert settled(audited(at_once, method)) == settled(audited(in_turn, method))
    kept = [sorted(one.name for one in (tmp_path / name).glob("*.json")) for name in "12"]
    assert kept[0] == kept[1]  # under the same keys, so that either finds what the other has made
    assert len(kept[0]) == 3 + 2 * RUNS


@pytest.mark.slow
def test_a_repeated_audit_makes_no_run_again_and_finds_the_same(tmp_path: Path) -> None:
    first, second = Reports(), Reports()
    before = audited(trees.make_task(tmp_path), Retrain(trees.RECIPE), first)
    assert RUNS in first.totals
    assert settled(audited(trees.make_task(tmp_path), Retrain(trees.RECIPE), second)) == settled(before)
    assert second.totals == []


@pytest.mark.slow
def test_more_runs_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    audited(trees.make_task(tmp_path), Retrain(trees.RECIPE))
    task, reports = trees.make_task(tmp_path), Reports()
    task.progress = reports
    audit_algorithm(Retrain(trees.RECIPE), task, 0.65, runs=RUNS + 2)
    assert reports.totals == [2]


@pytest.mark.slow
def test_an_interrupted_audit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        audited(trees.make_task(tmp_path), Retrain(trees.RECIPE), Reports(stop_after=4))
    again = Reports()
    found = audited(trees.make_task(tmp_path), Retrain(trees.RECIPE), again)
    assert again.totals == [RUNS - 4]
    assert settled(found) == settled(audited(trees.make_task(tmp_path / "other"), Retrain(trees.RECIPE)))


@pytest.mark.slow
def test_another_method_needs_no_originals_anew(tmp_path: Path) -> None:
    audited(trees.make_task(tmp_path), Retrain(trees.RECIPE))
    kept = len(list(tmp_path.glob("*.json")))
    audited(trees.make_task(tmp_path), Partial())
    assert len(list(tmp_path.glob("*.json"))) == kept + RUNS


def test_progress_counts_runs_and_says_how_long_they_take(tmp_path: Path) -> None:
    reports = Reports()
    audited(trees.make_task(tmp_path), Retrain(trees.RECIPE), reports)
    runs = [line for line in reports.now if "run" in line]
    assert runs[0] == f"run 1 of {RUNS}, for 0 s so far; {RUNS} runs to make"  # no guess before one was timed
    assert runs[3].startswith(f"run 4 of {RUNS}, for 0 s so far; about ")
    assert f"run {RUNS} of {RUNS} took " in reports.lines[-1]


@pytest.mark.slow
def test_under_a_gate_without_a_key_each_line_says_that_the_method_runs_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNLEARN_CACHE_KEY", raising=False)
    said = []
    for gate, key in ((True, ""), (True, "0123456789abcdef"), (False, "")):
        monkeypatch.setenv("UNLEARN_CACHE_KEY", key)
        reports = Reports()
        with recording(Recorder("test", {"command line": {"gate": gate}}, collapse=False)):
            audited(trees.make_task(tmp_path / f"{gate}{key}"), Retrain(trees.RECIPE), reports)
        said.append(any("without UNLEARN_CACHE_KEY it runs anew" in line for line in reports.now))
    assert said == [True, False, False]


@pytest.mark.slow
def test_a_method_that_cannot_be_sent_runs_here_and_says_so(tmp_path: Path) -> None:
    task = trees.make_task(tmp_path / "2")
    task.n_jobs = 2
    with pytest.warns(UserWarning, match="cannot be sent to other processes, so that its runs are made in turn"):
        found = audited(task, Locked())
    with pytest.warns(UserWarning, match="the method runs anew in every audit, as its models are not kept: .*lock"):
        in_turn = audited(trees.make_task(tmp_path / "1"), Locked())
    assert found.estimate == in_turn.estimate
    assert len(list((tmp_path / "2").glob("*.json"))) == 3 + RUNS  # its originals and references alone


def test_a_method_that_changes_its_input_is_stopped_however_often_it_is_asked(tmp_path: Path) -> None:
    def clears(model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        model.min_samples_leaf = 1
        return trees.RECIPE(retain, seed=seed)

    for _ in range(2):  # nothing that it returned is kept
        with pytest.raises(ValueError, match="was changed in place") as caught:
            audited(trees.make_task(tmp_path), clears)
    assert any("while running the method with seed" in note for note in caught.value.__notes__)
