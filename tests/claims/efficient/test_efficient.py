"""audit_efficient: time as a fraction of retraining, in pairs, on bounds that a few pairs can bear."""

import itertools
import json
import math
import time

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, Verdict, assert_efficient, audit_efficient
from pytest_unlearn.claims.efficient.stopwatch import Counted
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.testing.failures import explain
from unlearners import FineTune, Retrain

DATA = load_breast_cancer()
X = ((DATA.data - DATA.data.mean(0)) / DATA.data.std(0)).astype(np.float32)
SPLIT = Split((X[:300], DATA.target[:300]), forget=np.arange(60), test=(X[300:], DATA.target[300:]))
MODEL = DummyClassifier().fit(X, DATA.target)


def build():
    """30-16-2."""
    return nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))


class Watch:
    """A clock that shows exactly what work is said to have taken, whatever else the machine does."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def recipe(self, seconds):
        """A recipe that takes so long, one number a run or the same for all."""
        durations = iter(seconds) if hasattr(seconds, "__iter__") else itertools.repeat(seconds)

        def train(dataset, *, seed):
            self.now += next(durations)
            return MODEL

        return train

    def method(self, seconds):
        """A method that does."""
        train = self.recipe(seconds)
        return lambda model, retain, forget, *, seed: train(retain, seed=seed)


def judged(method, recipe, **kwargs):
    watch = Watch()
    return audit_efficient(watch.method(method), task(watch.recipe(recipe)), clock=watch, **kwargs)


def task(recipe):
    return UnlearningTask(SPLIT, recipe, original=MODEL, references=0)


@pytest.mark.parametrize(("seconds", "verdict"), [(0.3, "PASS"), (0.59, "PASS"), (0.61, "FAIL"), (3, "FAIL")])
def test_time_is_compared_with_retraining(seconds, verdict):
    evidence = judged(seconds, 3)
    assert evidence.verdict.value == verdict
    assert evidence.estimate.value == pytest.approx(seconds / 3)
    assert (evidence.estimate.low, evidence.estimate.high) == pytest.approx((seconds / 3, seconds / 3))
    assert evidence.controls.retrained[0].estimate.value == pytest.approx(1)
    assert verdict == "FAIL" or not list(unproven(evidence.to_json()))
    json.dumps(evidence.to_json(), allow_nan=False)


def test_a_real_fine_tuning_of_one_epoch_costs_a_fraction_of_retraining_for_twenty():
    recipe = TorchRecipe(build, epochs=20, batch_size=64)
    real = UnlearningTask(SPLIT, recipe, original=recipe(SPLIT.train, seed=0), references=0)
    evidence = assert_efficient(FineTune(epochs=1), real, max_fraction=0.6, clock=time.process_time)
    assert 0.01 < evidence.estimate.value < 0.4


@pytest.mark.slow
def test_retraining_costs_what_retraining_costs():
    recipe = TorchRecipe(build, epochs=40, batch_size=32)
    real = UnlearningTask(SPLIT, recipe, original=recipe(SPLIT.train, seed=0), references=0)
    evidence = audit_efficient(Retrain(recipe), real)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.estimate.value == pytest.approx(1, rel=0.3)


def test_four_pairs_bound_nothing_and_the_advice_says_how_many_do():
    evidence = judged(0.1, 3, repeats=4)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert evidence.estimate.high == math.inf
    assert evidence.to_json()["estimate"]["high"] is None
    assert "repeats=5" in evidence.advice[0]
    assert "n/a" in explain(evidence.to_json())
    assert "4 pairs of runs" in explain(evidence.to_json())


def test_pairs_on_both_sides_of_the_limit_are_inconclusive():
    evidence = judged([0, 0.1, 3, 0.1, 0.1, 0.1], 3)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "repeats=18" in evidence.advice[0]
    even = [0, *[0.1, 3] * 4]
    assert "choose another limit" in judged(even, 3, repeats=8).advice[0]
    assert judged([0, 0.1, 3, *[0.1] * 6], 3, repeats=8).verdict is Verdict.PASS


def test_a_slow_first_run_is_off_the_clock():
    assert judged([100, *[0.1] * 5], [0.001, *[3] * 5]).estimate.high == pytest.approx(0.1 / 3)


def test_work_that_waits_for_the_first_question_is_on_the_clock():
    watch = Watch()

    def postponing(model, retain, forget, *, seed):
        def answer(x):
            watch.now += 2.9
            return np.zeros((len(x), 2))

        return answer

    evidence = audit_efficient(postponing, task(watch.recipe(3)), clock=watch)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.estimate.value == pytest.approx(2.9 / 3)


def test_a_machine_that_slows_down_favours_neither_side():
    slower = [1, 1.2, 1.4, 1.6, 1.8, 2]
    assert judged([0.15 * s for s in slower], slower).estimate.high == pytest.approx(0.15)


def test_a_machine_three_times_as_slow_in_the_end_measures_nothing():
    evidence = judged(0.1, [1, 1, 1, 3, 3, 3])
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "not steady" in evidence.reasons[1]
    assert not evidence.controls.retrained[0].holds


def test_the_side_that_runs_first_alternates():
    ran = []

    def noting(name):
        return lambda *args, seed, **kwargs: ran.append((name, seed)) or MODEL

    audit_efficient(noting("method"), task(lambda dataset, *, seed: noting("recipe")(seed=seed)), repeats=2)
    assert [name for name, _ in ran] == ["method", "recipe", "method", "recipe", "recipe", "method"]
    assert len({seed for _, seed in ran}) == 3


def test_what_a_clock_cannot_resolve_is_not_judged():
    evidence = judged(1e-5, 1e-4)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "clock" in evidence.reasons[1]


def test_examples_are_counted_unless_they_are_taken_whole():
    counted = Counted(task(None).retain)
    for index in (0, 1, -1):
        counted[index]
    assert counted.rows == 3
    assert list(counted.labels) == list(SPLIT.train.labels[60:])
    assert counted.rows == 3
    assert sum(len(y) for _, y in counted.loader(32)) == 240
    assert counted.rows == 243
    counted.arrays()
    assert counted.rows is None


def test_the_examples_each_side_reads_are_reported():
    def one_by_one(dataset, *, seed):
        for _ in range(3):
            for index in range(len(dataset)):
                dataset[index]
        return MODEL

    def forget_only(model, retain, forget, *, seed):
        assert len(retain) == 240
        list(forget)
        return MODEL

    evidence = audit_efficient(forget_only, task(one_by_one))
    assert evidence.figures[0].rows[0][-2:] == (60, 720)
    whole = audit_efficient(lambda model, retain, forget, *, seed: retain.arrays(), task(one_by_one), repeats=1)
    assert whole.figures[0].rows[0][-2:] == ("unknown", 720)


class Tape:
    """A dataset that counts how often it is read."""

    def __init__(self):
        self.reads = 0

    def __len__(self):
        return 300

    def __getitem__(self, index):
        self.reads += 1
        return X[index], int(DATA.target[index])


def test_what_one_run_read_is_read_again_by_the_next():
    tape, reads = Tape(), []
    split = Split(tape, forget=np.arange(60), test=(X[300:], DATA.target[300:]))

    def reading(*views, seed):
        before = tape.reads
        for view in views[-2:]:
            view.inputs(np.arange(len(view)))
        reads.append(tape.reads - before)
        return MODEL

    audit_efficient(reading, UnlearningTask(split, reading, original=MODEL, references=0), repeats=2)
    methods, retrainings = {reads[0], reads[2], reads[5]}, {reads[1], reads[3], reads[4]}
    assert (len(methods), len(retrainings)) == (1, 1)
    assert min(methods) >= 300
    assert min(retrainings) >= 240


def test_nothing_is_stored(tmp_path):
    recipe = TorchRecipe(build, epochs=1)
    given = UnlearningTask(SPLIT, recipe, original=recipe(SPLIT.train, seed=0), cache_dir=tmp_path / "cache")
    audit_efficient(FineTune(epochs=1), given, repeats=1)
    assert not (tmp_path / "cache").exists()


def test_a_method_that_changes_its_input_is_an_error():
    import torch

    def spoil(model, retain, forget, *, seed):
        with torch.no_grad():
            model[0].weight.add_(1)
        return model

    changed = UnlearningTask(SPLIT, Watch().recipe(1), original=build(), references=0)
    with pytest.raises(ValueError, match="changed in place"):
        audit_efficient(spoil, changed, repeats=1)


def test_bad_input_is_refused_in_a_sentence():
    slow = task(Watch().recipe(1))
    with pytest.raises(ValueError, match="with a recipe="):
        audit_efficient(FineTune(), UnlearningTask(SPLIT, original=MODEL))
    for repeats in (0, 2.5, True, "5"):
        with pytest.raises(ValueError, match="repeats must be a whole number"):
            audit_efficient(FineTune(), slow, repeats=repeats)
    for fraction in (0, 1.5, "x"):
        with pytest.raises(ValueError, match="max_fraction must be"):
            audit_efficient(FineTune(), slow, fraction)
    with pytest.raises(TypeError, match="cannot be"):
        audit_efficient("scrub", slow)
    with pytest.raises(TypeError, match="returned None"):
        audit_efficient(lambda model, retain, forget, *, seed: None, slow, repeats=1)
