"""Trainings are shared out between this process and helpers that are started once, where that pays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from torch import nn

from pytest_unlearn.training import Job, TorchRecipe, pool, train_all

ROOT = Path(__file__).parents[3]
needs_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")


class Rows:
    def __len__(self):
        return 60

    def __getitem__(self, index):
        return torch.full((4,), float(index % 7)), index % 3


def jobs_for(recipe, count):
    return [Job(recipe, Rows(), seed, f"key{seed}") for seed in range(count)]


def noting(dataset, *, seed):
    """Train nothing; the model says which process was asked, on how many threads."""
    return {"process": np.array(os.getpid()), "threads": np.array(torch.get_num_threads())}


def with_a_helper(folder, then=noting, helper=noting):
    """Make a recipe that does `then` here once a helper is at work, and `helper` there."""
    parent = os.getpid()

    def recipe(dataset, *, seed):
        if os.getpid() != parent:
            (folder / str(os.getpid())).touch()
            return helper(dataset, seed=seed)
        until(lambda: list(folder.iterdir()))
        return then(dataset, seed=seed)

    return recipe


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.05)
    return condition()


def makers(done):
    return [int(one.model["process"]) for one in done]


def running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def cold():
    pool._POOL.end()
    yield
    pool._POOL.end()


@pytest.mark.slow
def test_trainings_of_moments_start_no_process(cold):
    done = train_all(jobs_for(noting, 8), store=None, n_jobs=2)
    assert set(makers(done)) == {os.getpid()}
    assert pool._POOL._of is None


@pytest.mark.slow
def test_longer_ones_are_shared_with_a_helper_that_is_kept(cold, tmp_path):
    recipe = with_a_helper(tmp_path)
    first, second = (makers(train_all(jobs_for(recipe, 12), store=None, n_jobs=2)) for _ in range(2))
    assert len(set(first)) == 2
    assert set(second) <= set(first)
    assert os.getpid() in first


@pytest.mark.slow
def test_a_killed_helper_s_training_is_done_again(cold, tmp_path, caplog):
    recipe = with_a_helper(tmp_path, helper=lambda dataset, *, seed: os.kill(os.getpid(), signal.SIGKILL))
    assert makers(train_all(jobs_for(recipe, 10), store=None, n_jobs=2)) == [os.getpid()] * 10
    assert caplog.text.count("trained again in this one") == 1


@pytest.mark.slow
@needs_linux
def test_a_failing_training_stops_the_helper_at_work(cold, tmp_path):
    def failing(dataset, *, seed):
        raise RuntimeError("out of luck")

    recipe = with_a_helper(tmp_path, then=failing, helper=lambda dataset, *, seed: time.sleep(100))
    with pytest.raises(RuntimeError, match="out of luck"):
        train_all(jobs_for(recipe, 20), store=None, n_jobs=2)
    (helper,) = (int(path.name) for path in tmp_path.iterdir())
    assert until(lambda: not running(helper), 30)


SCRIPT = """
import os, pathlib, sys, time
import numpy as np
from pytest_unlearn.training import Job, train_all

def recipe(dataset, *, seed):
    pathlib.Path("pids", str(os.getpid())).touch()
    time.sleep(0.5)
    return {"a": np.zeros(1)}

pathlib.Path("pids").mkdir()
train_all([Job(recipe, [], seed, str(seed)) for seed in range(200)], store=None, n_jobs=2)
"""


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_helper_outlives_a_process_that_is_stopped(tmp_path, how):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    pids = tmp_path / "pids"
    assert until(lambda: pids.exists() and len(list(pids.iterdir())) == 2)
    os.kill(process.pid, how)
    process.wait(60)
    workers = [int(path.name) for path in pids.iterdir()]
    assert until(lambda: not any(map(running, workers)), 30)


def with_workers_of_its_own(dataset, *, seed):
    made = Parallel(n_jobs=-1)(delayed(os.getpid)() for _ in range(4))
    return {"process": np.array(made), "own": np.array(os.getpid())}


@pytest.mark.slow
def test_a_recipe_s_own_workers_start_no_others(cold, tmp_path):
    recipe = with_a_helper(tmp_path, with_workers_of_its_own, with_workers_of_its_own)
    for one in train_all(jobs_for(recipe, 8), store=None, n_jobs=2):
        assert set(one.model["process"].tolist()) == {int(one.model["own"])}


@pytest.mark.slow
def test_helpers_train_on_one_thread(only_helpers):
    done = train_all(jobs_for(noting, 3), store=None, n_jobs=2)
    assert os.getpid() not in makers(done)
    assert {int(one.model["threads"]) for one in done} == {1}


@pytest.mark.slow
def test_the_same_models_come_of_helpers(only_helpers):
    recipe = TorchRecipe(lambda: nn.Linear(4, 3), epochs=1)
    alone, together = (train_all(jobs_for(recipe, 4), store=None, n_jobs=n) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.model.weight, other.model.weight)
