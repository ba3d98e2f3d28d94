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


def noting(seconds):
    """Make a recipe of which the model says which process made it, on how many threads."""

    def recipe(dataset, *, seed):
        time.sleep(seconds)
        return {"process": np.array(os.getpid()), "threads": np.array(torch.get_num_threads())}

    return recipe


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


def test_trainings_of_moments_start_no_process(cold):
    done = train_all(jobs_for(noting(0), 8), store=None, n_jobs=2)
    assert set(makers(done)) == {os.getpid()}
    assert pool._POOL._of is None


@pytest.mark.slow
def test_longer_ones_are_shared_with_a_helper_that_is_kept(cold):
    first, second = (makers(train_all(jobs_for(noting(0.8), 12), store=None, n_jobs=2)) for _ in range(2))
    assert len(set(first)) == 2
    assert set(first) == set(second)
    assert os.getpid() in first


@pytest.mark.slow
def test_a_killed_helper_s_training_is_done_again(cold, caplog):
    def recipe(dataset, *, seed):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return noting(0.5)(dataset, seed=seed)

    parent = os.getpid()
    assert makers(train_all(jobs_for(recipe, 10), store=None, n_jobs=2)) == [parent] * 10
    assert caplog.text.count("trained again in this one") == 1


@pytest.mark.slow
@needs_linux
def test_a_failing_training_stops_the_helper_at_work(cold, tmp_path):
    def recipe(dataset, *, seed):
        if os.getpid() == parent and time.monotonic() - started > 6:
            raise RuntimeError("out of luck")
        if os.getpid() != parent:
            (tmp_path / str(seed)).write_text(str(os.getpid()))
        time.sleep(60 if os.getpid() != parent else 0.3)
        return noting(0)(dataset, seed=seed)

    parent, started = os.getpid(), time.monotonic()
    with pytest.raises(RuntimeError, match="out of luck"):
        train_all(jobs_for(recipe, 200), store=None, n_jobs=2)
    assert time.monotonic() - started < 40
    pids = {int(path.read_text()) for path in tmp_path.iterdir()}
    assert pids
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(running, pids)):
        time.sleep(0.1)
    assert not any(map(running, pids))


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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not pids.exists() or len(list(pids.iterdir())) < 2):
        time.sleep(0.1)
    workers = {int(path.name) for path in pids.iterdir()}
    assert len(workers) == 2
    os.kill(process.pid, how)
    process.wait(60)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(running, workers)):
        time.sleep(0.1)
    assert not any(map(running, workers))


@pytest.mark.slow
def test_a_recipe_s_own_workers_start_no_others(cold):
    def recipe(dataset, *, seed):
        from joblib import Parallel, delayed

        time.sleep(0.5)
        made = Parallel(n_jobs=-1)(delayed(os.getpid)() for _ in range(4))
        return {"process": np.array(made), "own": np.array(os.getpid())}

    for one in train_all(jobs_for(recipe, 8), store=None, n_jobs=2):
        assert set(one.model["process"].tolist()) == {int(one.model["own"])}


@pytest.mark.slow
def test_helpers_train_on_one_thread(cold):
    done = train_all(jobs_for(noting(0.8), 8), store=None, n_jobs=2)
    assert {int(one.model["threads"]) for one in done} == {1}


@pytest.mark.slow
def test_the_same_models_come_of_helpers(only_helpers):
    recipe = TorchRecipe(lambda: nn.Linear(4, 3), epochs=1)
    alone, together = (train_all(jobs_for(recipe, 4), store=None, n_jobs=n) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.model.weight, other.model.weight)
