"""Trainings run in whatever processes joblib is told to use, and come to the same models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn.training import Job, Store, TorchRecipe, fingerprint, reference_key, train_all
from pytest_unlearn.training.workers import Workers, workers

ROOT = Path(__file__).parents[3]


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


class Rows:
    def __len__(self):
        return 200

    def __getitem__(self, index):
        return torch.full((4,), float(index % 7)), index % 3


def jobs_for(recipe, seeds=range(4)):
    key = fingerprint(recipe)
    return [Job(recipe, Rows(), seed, reference_key(key, "data", None, seed)) for seed in seeds]


def weights(done):
    return [torch.nn.utils.parameters_to_vector(one.model.parameters()).tolist() for one in done]


RECIPE = TorchRecipe(network, epochs=2)


def test_one_job_at_a_time_is_done_here():
    assert workers(1, 8) is None
    assert workers(2, 1) is None


def test_joblib_s_own_processes_are_used_where_several_are_asked_for():
    assert workers(3, 8) == Workers(3)
    with joblib.parallel_config(n_jobs=2):
        assert workers(1, 8) == Workers(2)
        assert workers(3, 8) == Workers(3)


@pytest.mark.parametrize(
    ("cores", "of_pytest", "n_jobs", "processes"),
    [
        (8, None, -1, 8),
        (8, "1", -1, 8),
        (8, "2", -1, 4),
        (8, "2", 3, 3),
        (8, "4", 3, 2),
        (2, "2", 2, None),
        (2, "4", -1, None),
    ],
)
def test_processes_that_train_for_all_workers_of_pytest_are_never_more_than_cores(
    monkeypatch, cores, of_pytest, n_jobs, processes
):
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    if of_pytest is None:
        monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    else:
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", of_pytest)
    assert workers(n_jobs, 8) == (None if processes is None else Workers(processes))


CROWD = """
import json, os, pathlib, time
import pytest
from sklearn.datasets import load_digits
from torch import nn
import torch
from pytest_unlearn import Split, TorchRecipe, UnlearningTask

def train(dataset, *, seed):
    begun = time.time()
    model = TorchRecipe(lambda: nn.Linear(64, 10), epochs=4)(dataset, seed=seed)
    time.sleep(0.6)
    note = {"begun": begun, "ended": time.time(), "threads": torch.get_num_threads()}
    pathlib.Path("@TRACE@", f"{os.getpid()}-{seed}").write_text(json.dumps(note))
    return model

@pytest.mark.parametrize("seed", [0, 100])
def test_references(seed):
    X, y = load_digits(return_X_y=True)
    split = Split((X[:400].astype("float32"), y[:400]), forget=range(50), test=(X[400:], y[400:]))
    assert len(UnlearningTask(split, train, references=6, seed=seed, n_jobs=-1).retrained) == 6
"""


@pytest.mark.slow
@pytest.mark.parametrize("of_pytest", [0, pytest.param(2, marks=pytest.mark.long)])
def test_threads_that_train_at_once_are_never_more_than_cores_under_load(tmp_path, of_pytest):
    trace = tmp_path / "trace"
    trace.mkdir()
    (tmp_path / "test_crowd.py").write_text(CROWD.replace("@TRACE@", str(trace)))
    load = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--rootdir=.", f"-n{of_pytest}", "-p", "no:benchmark"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    finally:
        load.kill()
        load.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    notes = [json.loads(path.read_text()) for path in trace.iterdir()]
    assert len(notes) == 12
    at_once = [
        sum(other["threads"] for other in notes if other["begun"] <= note["begun"] < other["ended"]) for note in notes
    ]
    assert max(at_once) <= max(joblib.cpu_count(), of_pytest)


@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_threads_and_nested_workers_are_left_alone(backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert workers(1, 8) is None
        assert workers(2, 8) is None


def test_threads_that_train_at_once_come_to_the_same_models():
    alone = [RECIPE(Rows(), seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: RECIPE(Rows(), seed=seed), range(6)))
    for one, other in zip(alone, together, strict=True):
        for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(ours, theirs)


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed", reason="needs distributed, as in pip install pytest-unlearn[dask]")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, processes=True) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def where(dataset, *, seed):
    """Train nothing; the model is the process that was asked."""
    time.sleep(0.3)
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(float(os.getpid()))
    return model


@pytest.mark.slow
def test_a_cluster_s_processes_train_the_same_models_and_this_one_keeps_them(cluster, tmp_path):
    alone = train_all(jobs_for(RECIPE), store=None)
    with joblib.parallel_config(backend="dask"):
        together = train_all(jobs_for(RECIPE), store=Store(tmp_path))
        pids = {int(one.model.weight) for one in train_all(jobs_for(where), store=None)}
        again = train_all(jobs_for(RECIPE), store=Store(tmp_path))
    assert weights(alone) == weights(together) == weights(again)
    assert [one.source for one in together] == ["trained"] * 4
    assert [one.source for one in again] == ["store"] * 4
    assert pids == set(cluster.run(os.getpid).values())


@pytest.mark.slow
@pytest.mark.long
def test_ray_s_processes_train_the_same_models():
    ray = pytest.importorskip("ray", reason="needs ray, 240 MB that no CI job installs: pip install ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    try:
        register_ray()
        with joblib.parallel_config(backend="ray", n_jobs=2):
            together = train_all(jobs_for(RECIPE), store=None)
            pids = {int(one.model.weight) for one in train_all(jobs_for(where), store=None)}
    finally:
        ray.shutdown()
    assert weights(together) == weights(train_all(jobs_for(RECIPE), store=None))
    assert os.getpid() not in pids


def slowly(dataset, *, seed):
    time.sleep(2)
    return RECIPE(dataset, seed=seed)


@pytest.mark.slow
def test_a_job_of_a_killed_worker_is_done_by_another(cluster):
    victim = next(iter(cluster.run(os.getpid).values()))
    threading.Timer(1.0, os.kill, (victim, signal.SIGKILL)).start()
    with joblib.parallel_config(backend="dask"):
        done = train_all(jobs_for(slowly), store=None)
    assert weights(done) == weights(train_all(jobs_for(RECIPE), store=None))


SUITE = {
    "conftest.py": """
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from pytest_unlearn import Split, TorchRecipe
import os, pathlib

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(64, 10)

    def forward(self, x):
        return self.inner(x)

def train(dataset, *, seed):
    pathlib.Path("@TRACE@", f"{os.getpid()}-{seed}").touch()
    return TorchRecipe(Net, epochs=2)(dataset, seed=seed)

@pytest.fixture(scope="session")
def unlearn_split():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    return Split((X[:900], y[:900]), forget=range(100), test=(X[900:], y[900:]))

@pytest.fixture(scope="session")
def unlearn_recipe():
    return train
""",
    "test_it.py": """
import os
from pytest_unlearn import audit_forgotten

def test_references(retrained_models, unlearning_task):
    assert len(retrained_models) == 4
    print("tests run in", os.getpid())
""",
}


@pytest.mark.slow
def test_a_session_trains_on_the_cluster_that_an_option_names(cluster, tmp_path):
    for name, text in SUITE.items():
        (tmp_path / name).write_text(text.replace("@TRACE@", str(tmp_path / "trace")))
    trace = tmp_path / "trace"
    trace.mkdir()
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-s", "--rootdir=.",
            "--unlearn-backend=dask", f"--unlearn-scheduler={cluster.scheduler.address}",
        ],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    trained_by = {int(path.name.partition("-")[0]) for path in trace.iterdir()}
    assert trained_by == set(cluster.run(os.getpid).values())


IN_A_TEST_MODULE = """
import os, pathlib, time
import pytest
from sklearn.datasets import load_digits
from torch import nn
from pytest_unlearn import Split, TorchRecipe, UnlearningTask

class Net(nn.Linear):
    pass

def train(dataset, *, seed):
    pathlib.Path("@TRACE@", f"{os.getpid()}-{seed}").touch()
    time.sleep(@SECONDS@)
    return TorchRecipe(lambda: Net(64, 10), epochs=2)(dataset, seed=seed)

def test_references(tmp_path):
    X, y = load_digits(return_X_y=True)
    split = Split((X[:400].astype("float32"), y[:400]), forget=range(50), test=(X[400:], y[400:]))
    models = UnlearningTask(split, train, references=@MANY@, cache_dir=tmp_path).retrained
    assert all(type(model) is Net for model in models)
"""


def session_on(cluster, folder, seconds, many):
    """Start a session of pytest whose recipe is defined in a test module, and say where its trainings leave a trace."""
    trace = folder / "trace"
    trace.mkdir()
    text = IN_A_TEST_MODULE.replace("@TRACE@", str(trace)).replace("@SECONDS@", str(seconds))
    (folder / "test_it.py").write_text(text.replace("@MANY@", str(many)))
    running = subprocess.Popen(
        [
            sys.executable, "-m", "pytest", "-q", "--rootdir=.", "-p", "no:benchmark",
            "--unlearn-backend=dask", f"--unlearn-scheduler={cluster.scheduler.address}",
        ],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    return running, trace


@pytest.mark.slow
@pytest.mark.long
def test_a_recipe_of_a_test_module_is_trained_on_the_cluster(cluster, tmp_path):
    running, trace = session_on(cluster, tmp_path, seconds=0, many=4)
    told, _ = running.communicate(timeout=200)
    assert running.returncode == 0, told
    assert len(list(trace.iterdir())) == 4
    assert {int(path.name.partition("-")[0]) for path in trace.iterdir()} <= set(cluster.run(os.getpid).values())


@pytest.mark.slow
@pytest.mark.long
def test_of_a_session_that_is_interrupted_the_cluster_starts_no_other_training(cluster, tmp_path):
    running, trace = session_on(cluster, tmp_path, seconds=3, many=12)
    waiting = time.monotonic() + 120
    while not any(trace.iterdir()) and time.monotonic() < waiting and running.poll() is None:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    told, _ = running.communicate(timeout=60)
    assert running.returncode == pytest.ExitCode.INTERRUPTED, told
    begun = len(list(trace.iterdir()))
    time.sleep(5)
    assert begun <= len(list(trace.iterdir())) <= begun + 1  # one may have been on its way to a process
    assert len(list(trace.iterdir())) < 12
    assert not any(cluster.processing().values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [(["--unlearn-scheduler=tcp://127.0.0.1:1"], "give both"), (["--unlearn-backend=nonsense"], "joblib knows loky")],
)
def test_a_backend_that_cannot_be_used_is_a_usage_error(options, said, tmp_path):
    (tmp_path / "test_it.py").write_text("def test():\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir=.", *options],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stdout + done.stderr


def test_numbers_of_workers_are_whole():
    with pytest.raises(ValueError, match="n_jobs is 0"):
        train_all(jobs_for(RECIPE), store=None, n_jobs=0)
    assert np.isfinite(weights(train_all(jobs_for(RECIPE, range(1)), store=None))).all()
