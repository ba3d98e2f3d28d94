"""Models are trained once, by whichever process comes first, whatever happens to the others."""

# ruff: noqa: N818 - recipes take what they are given, used or not

import io
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from pytest_unlearn.training import Job, Store, TorchRecipe, fingerprint, progress, reference_key, train_all

ROOT = Path(__file__).resolve().parents[3]
RECIPES = """
import os, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from pytest_unlearn.training import Job, Store, fingerprint, reference_key, train_all

def train(dataset, *, seed):
    with open("count", "a") as file:
        file.write(f"{seed}\\n")
    print("training", flush=True)
    time.sleep(float(os.environ.get("PAUSE", "0")))
    return {"weights": np.random.default_rng(seed).random(100)}

def main(seeds=(1, 2)):
    key = fingerprint(train)
    jobs = [Job(train, [], seed, reference_key(key, "data", [0], seed)) for seed in seeds]
    for trained in train_all(jobs, store=Store(Path(".unlearn/cache"))):
        print(trained.seed, trained.source, trained.model["weights"].sum())

if __name__ == "__main__":
    exec(os.environ.get("BEFORE", ""))
    main()
"""


def start(folder, **environment):
    if not (folder / "recipes.py").exists():  # to write it again is to empty it under a process that starts
        (folder / "recipes.py").write_text(RECIPES)
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "recipes.py"], cwd=folder, env=everything, **pipes)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return [line for line in out.splitlines() if line != "training"], err


def count(folder):
    return sorted((folder / "count").read_text().split())


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_has_the_same_models(tmp_path):
    first, _ = finish(start(tmp_path))
    second, err = finish(start(tmp_path))
    assert count(tmp_path) == ["1", "2"]
    assert [line.replace("trained", "store") for line in first] == second
    assert not err


@pytest.mark.slow
def test_four_processes_at_once_train_each_model_once(tmp_path):
    results = [finish(process)[0] for process in [start(tmp_path, PAUSE="0.5") for _ in range(4)]]
    assert count(tmp_path) == ["1", "2"]
    assert len({tuple(line.split()[-1] for line in lines) for lines in results}) == 1


SLOW_SYNC = "import os, time; os.fsync = lambda file: (print('writing', flush=True), time.sleep(60))"
SLOW_SIDECAR = (
    "import os, time; real = os.replace\n"
    "def slow(old, new):\n    real(old, new); print('writing', flush=True); time.sleep(60)\nos.replace = slow"
)


@pytest.mark.parametrize(
    ("environment", "moment"),
    [
        pytest.param({"PAUSE": "60"}, "training", marks=pytest.mark.slow),
        pytest.param({"BEFORE": SLOW_SYNC}, "writing", marks=pytest.mark.slow),
        pytest.param({"BEFORE": SLOW_SIDECAR}, "writing", marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_leaves_nothing_that_the_next_one_would_take(tmp_path, environment, moment):
    process = start(tmp_path, **environment)
    assert any(line.strip() == moment for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines, _ = finish(start(tmp_path))
    assert count(tmp_path) == ["1", "1", "2"]
    assert len(lines) == 2
    left = [path.suffix for path in (tmp_path / ".unlearn" / "cache").iterdir()]
    assert sorted(left) == sorted([".json", ".lock", ".skops"] * 2)


@pytest.mark.slow
def test_a_disk_that_is_full_costs_the_cache_and_not_the_model(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))"
    lines, err = finish(start(tmp_path, BEFORE=limit))
    assert [line.split()[1] for line in lines] == ["trained", "trained"]
    assert "models are not stored" in err
    assert [path.suffix for path in (tmp_path / ".unlearn" / "cache").iterdir()] == [".lock"] * 2


class Points:
    def __len__(self):
        return 40

    def __getitem__(self, index):
        return torch.tensor([float(index % 2), 1.0, index / 40]), index % 2


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def jobs_for(recipe, seeds=(1, 2)):
    return [Job(recipe, Points(), seed, reference_key(fingerprint(recipe), "data", None, seed)) for seed in seeds]


RECIPE = TorchRecipe(network, epochs=1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def weights(results):
    return [[tensor.tolist() for tensor in result.model.state_dict().values()] for result in results]


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_damaged_entry_is_trained_again_and_the_result_says_so(store, suffix, caplog):
    first = train_all(jobs_for(RECIPE), store=store)
    path = store.directory / f"{first[0].key}.{suffix}"
    path.write_bytes(path.read_bytes()[:-3])
    second = train_all(jobs_for(RECIPE), store=store)
    assert [result.source for result in second] == ["retrained: damaged cache", "store"]
    assert caplog.text.count("was damaged") == 1
    assert weights(first) == weights(second)
    assert [result.source for result in train_all(jobs_for(RECIPE), store=store)] == ["store", "store"]


def test_fresh_trains_again_and_stores(store):
    train_all(jobs_for(RECIPE), store=store)
    assert {result.source for result in train_all(jobs_for(RECIPE), store=store, fresh=True)} == {"trained"}
    assert {result.source for result in train_all(jobs_for(RECIPE), store=store)} == {"store"}


def test_without_a_store_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {result.source for result in train_all(jobs_for(RECIPE), store=None)} == {"trained"}
    assert not list(tmp_path.iterdir())


def test_the_seconds_of_a_stored_model_are_those_of_its_training(store):
    (first,) = train_all(jobs_for(RECIPE, [1]), store=store)
    (again,) = train_all(jobs_for(RECIPE, [1]), store=store)
    assert again.seconds == pytest.approx(first.seconds, abs=1e-3)


def test_a_model_that_cannot_be_stored_is_trained_each_time_and_the_log_says_why(store, caplog):
    def recipe(dataset, *, seed):
        class Local(nn.Linear):
            pass

        return Local(2, 2)

    for _ in range(2):
        assert [result.source for result in train_all(jobs_for(recipe), store=store)] == ["trained", "trained"]
    assert caplog.text.count("trained again in each run") == 1


def test_the_first_two_that_are_there_can_be_enough(store):
    asked = []

    def enough(one, other):
        asked.append({one.seed, other.seed})
        return True

    jobs = jobs_for(RECIPE, range(5))
    assert [one.seed for one in train_all(jobs, store=store, enough=enough)] == [0, 1]
    assert [one.source for one in train_all(jobs, store=store, enough=enough)] == ["store", "store"]
    assert len(train_all(jobs, store=store, enough=lambda one, other: False)) == 5
    assert asked == [{0, 1}, {0, 1}]


@pytest.mark.slow
@pytest.mark.parametrize("store_them", [True, False])
def test_two_workers_train_the_same_models_as_none(tmp_path, store_them, only_helpers):
    alone = train_all(jobs_for(RECIPE), store=Store(tmp_path / "one") if store_them else None)
    together = train_all(jobs_for(RECIPE), store=Store(tmp_path / "two") if store_them else None, n_jobs=2)
    assert weights(alone) == weights(together)
    assert [(result.seed, result.source) for result in together] == [(1, "trained"), (2, "trained")]


def test_models_from_the_store_start_no_workers(store, monkeypatch):
    train_all(jobs_for(RECIPE), store=store)
    monkeypatch.setitem(sys.modules, "pytest_unlearn.training.runner", None)
    train_all(jobs_for(RECIPE), store=store, n_jobs=2)


CONFTEST = """
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn
from near import width

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, width())

    def forward(self, x):
        return self.inner(x)

class Data:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.ones(3), 0

def train(dataset, *, seed):
    assert len(dataset) == 4
    model = Net()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model
"""
CONFTEST_TEST = """
from dataclasses import replace
from pathlib import Path
from pytest_unlearn.training import Job, Store, fingerprint, pool, reference_key, train_all

def test(request, monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 0.0)  # helpers do all of it
    monkeypatch.setattr(pool, "_claim", lambda parcel, position: False)
    (plugin,) = [p for p in request.config.pluginmanager.get_plugins() if hasattr(p, "train")]
    key = fingerprint(plugin.train)
    jobs = [Job(plugin.train, plugin.Data(), seed, reference_key(key, "data", None, seed)) for seed in (1, 2)]
    one, two = (train_all(jobs, store=Store(Path(name)), n_jobs=n) for name, n in (("one", 1), ("two", 2)))
    for a, b in zip(one, two):
        assert type(b.model) is plugin.Net and a.source == b.source == "trained"
        assert a.model.inner.weight.tolist() == b.model.inner.weight.tolist()
    assert {t.source for t in train_all(jobs, store=Store(Path("two")))} == {"store"}
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["importlib", "prepend"])
def test_workers_train_the_recipe_of_a_conftest_that_they_cannot_import(tmp_path, mode):
    for name, text in {"conftest": CONFTEST, "test_it": CONFTEST_TEST, "near": "def width():\n    return 2\n"}.items():
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "tests" / f"{name}.py").write_text(text)
    if mode == "importlib":
        # In this mode a folder of tests is not on the path; projects that share code between tests add it.
        path = tmp_path / "tests" / "conftest.py"
        path.write_text("import sys, os\nsys.path.append(os.path.dirname(__file__))\n" + path.read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:unlearn", f"--import-mode={mode}", "--rootdir=.", "tests"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


class Broken(RuntimeError):
    pass


def failing(dataset, *, seed):
    raise Broken("out of luck")


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_error_of_the_recipe_keeps_its_type_and_names_the_seed(store, n_jobs):
    with pytest.raises(Broken, match="out of luck") as caught:
        train_all(jobs_for(failing, [7, 7]), store=store, n_jobs=n_jobs)
    assert caught.value.__notes__ == ["while training a model with seed 7"]
    with store.lock(jobs_for(failing, [7])[0].key, wait=False) as ours:
        assert ours


def test_a_recipe_that_returns_none_is_told_to_return_the_model(store):
    with pytest.raises(TypeError, match="must return the model"):
        train_all(jobs_for(lambda dataset, *, seed: None), store=store)


@pytest.mark.parametrize(
    "recipe",
    [
        lambda dataset: None,
        lambda dataset, *, random_state: None,
        lambda *, seed: None,
        "train",
        nn.ReLU(),
        GaussianNB(),
    ],
)
def test_a_recipe_that_cannot_be_called_with_a_seed_is_refused_before_any_training(store, recipe):
    first = [Job(lambda dataset, *, seed: pytest.fail("trained"), [], 0, "0" * 64)]
    with pytest.raises(TypeError, match=r"`def train\(dataset, \*, seed\)`"):
        train_all([*first, Job(recipe, [], 1, "1" * 64)], store=store)
    assert not store.directory.exists()


def test_training_leaves_the_process_as_it_was_and_does_not_depend_on_it(store):
    def careless(dataset, *, seed):
        assert torch.get_num_threads() == 1
        torch.set_default_dtype(torch.float64)
        random.random()
        return {"weights": np.append(np.random.rand(2), torch.rand(2).numpy())}  # noqa: NPY002

    def state():
        numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
        return random.getstate(), numpy_state, torch.random.get_rng_state().tolist(), torch.get_num_threads()

    before = state()
    (first,) = train_all(jobs_for(careless, [1]), store=None)
    assert state() == before
    assert torch.get_default_dtype() == torch.float32
    torch.rand(3)
    (again,) = train_all(jobs_for(careless, [1]), store=None)
    assert first.model["weights"].tolist() == again.model["weights"].tolist()


def test_each_trained_model_is_logged_and_those_from_the_store_are_not(store, caplog):
    caplog.set_level(logging.INFO, "pytest_unlearn")
    train_all(jobs_for(RECIPE, [1]), store=store)
    caplog.clear()
    train_all(jobs_for(RECIPE, [1, 2, 3]), store=store)
    assert [record.getMessage().split(" took ")[0] for record in caplog.records] == [
        "models: 1 of 2, training a model",
        "models: 2 of 2, training a model",
    ]
    caplog.clear()
    train_all(jobs_for(RECIPE, [1, 2, 3]), store=store)
    assert not caplog.records


def test_a_terminal_shows_a_live_line_instead(store, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    caplog.set_level(logging.INFO, "pytest_unlearn")
    train_all(jobs_for(RECIPE), store=store, progress=progress(terminal))
    assert "training a model" in terminal.getvalue()
    assert not caplog.records


KEY = {"recipe_fingerprint": "r", "data_digest": "d", "indices": [0, 1], "seed": 0, "device": "cuda:0"}


@pytest.mark.parametrize(
    "change",
    [
        {"recipe_fingerprint": "s"},
        {"data_digest": "e"},
        {"indices": [1, 0]},
        {"indices": None},
        {"seed": 1},
        {"device": None},
    ],
)
def test_the_key_changes_with_everything_a_model_depends_on(change):
    assert reference_key(**KEY) != reference_key(**{**KEY, **change})


def test_the_key_does_not_depend_on_which_card_or_on_the_type_of_the_indices():
    assert reference_key(**KEY) == reference_key(**{**KEY, "device": "cuda:1", "indices": np.array([0, 1], np.int32)})


def test_the_key_changes_with_the_version_of_a_library(monkeypatch):
    before = reference_key(**KEY)
    monkeypatch.setattr("pytest_unlearn.training.runner.version_of", lambda name: "0.0")
    assert reference_key(**KEY) != before


@pytest.mark.benchmark
def test_two_thousand_examples_train_in_seconds():
    recipe = TorchRecipe(lambda: nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)))
    data = [(torch.rand(784), index % 10) for index in range(2600)]
    started = time.process_time()
    recipe(data, seed=0)
    assert time.process_time() - started < 15


@pytest.mark.slow
def test_without_a_terminal_a_line_comes_every_so_often_and_says_what_is_trained(store):
    def slow(dataset, *, seed):
        time.sleep(0.3)
        return {"weights": np.zeros(2)}

    jobs = [replace(job, what=f"retrained model {k} of 2") for k, job in enumerate(jobs_for(slow), start=1)]
    lines = io.StringIO()
    train_all(jobs, store=None, progress=progress(lines, every=0.1))
    said = lines.getvalue().splitlines()
    # How long it will take is said from the first that was timed, and not guessed before.
    assert re.match(r"pytest-unlearn: training retrained model 1 of 2, for \d+ s so far; 2 models to train$", said[0])
    assert re.match(r".*training retrained model 2 of 2, for \d+ s so far; about .* left for 1 model$", said[-1])
    assert len(said) >= 2


def test_what_takes_no_half_minute_says_nothing(store):
    lines = io.StringIO()
    train_all(jobs_for(RECIPE), store=store, progress=progress(lines))
    assert not lines.getvalue()
