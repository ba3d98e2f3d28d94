"""A cache at a URL is a cache: models, answers and digests of data come back from it, to whoever may have them."""

from __future__ import annotations

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_forgotten
from pytest_unlearn.__main__ import main
from pytest_unlearn.core.array_memory import ArrayMemory
from pytest_unlearn.core.folders import LocalFolder, folder_of
from pytest_unlearn.core.remote_folder import NOTED_AFTER, shown
from pytest_unlearn.core.seal import Keys
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.report.environment import relative
from pytest_unlearn.training import Store

fsspec = pytest.importorskip("fsspec", reason="needs fsspec, as in pip install pytest-unlearn[remote]")

KEY = "a" * 64
X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")


def network():
    return nn.Sequential(nn.Linear(64, 10))


RECIPE = TorchRecipe(network, epochs=2)


@pytest.fixture
def memory():
    """A URL in this process's memory, empty."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield "memory://cache"
    files.store.clear()


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The URL of a bucket of a server of this machine."""
    server = pytest.importorskip("moto.server", reason="needs a local S3: pip install --group s3")
    pytest.importorskip("s3fs")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    running.start()
    variables = {
        "AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("models")
        yield "s3://models/cache"
    running.stop()


def task(url):
    split = Split((X[:300], Y[:300]), forget=np.arange(40), test=(X[300:900], Y[300:900]))
    return UnlearningTask(split, RECIPE, references=2, cache_dir=url)


def state(model):
    return [part.tolist() for part in model.state_dict().values()]


def come_back(url):
    first = task(url)
    weights = [state(model) for model in (first.original, *first.retrained)]
    audit_forgotten(first.original, first.forget)
    again = task(url)
    assert [state(model) for model in (again.original, *again.retrained)] == weights
    assert all(trained.source == "store" for trained in again.trained_references)
    assert all(again.stored(job) is not None for job in again.jobs())
    arrays = again.models.memory.arrays
    kept = [name.removesuffix(".json") for name in folder_of(arrays.directory).names() if name.endswith(".json")]
    assert kept
    assert all(arrays.load(key) is not None for key in kept)


def test_models_and_answers_come_back_from_a_url(memory):
    come_back(memory)


@pytest.mark.slow
def test_they_come_back_from_an_object_store(s3):
    come_back(s3)


def test_what_was_read_of_data_is_remembered_at_a_url(memory):
    class Lazy:
        def __init__(self, x):
            self.x, self.reads = x, 0

        def __len__(self):
            return len(self.x)

        def __getitem__(self, index):
            self.reads += 1
            return self.x[index], index % 3

    def split():
        train = Lazy(X[:300])
        Split(train, np.arange(20), Lazy(X[300:500]), match=None, identity="digits 1", cache_dir=memory)
        return train.reads

    assert split() >= 300
    assert split() == 20


@pytest.mark.parametrize("place", ["memory", pytest.param("s3", marks=pytest.mark.slow)])
def test_of_two_writers_of_one_key_either_is_whole_and_no_reader_sees_half(place, request):
    url = request.getfixturevalue(place)
    models = []
    for value in range(4):
        models.append(nn.Linear(50, 50))
        torch.nn.init.constant_(models[-1].weight, float(value))
    stop = time.monotonic() + 1.0
    assert Store(url).put(KEY, models[0], {"seconds": 0})

    def write(model):
        while time.monotonic() < stop:
            assert Store(url).put(KEY, model, {"seconds": 0})

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, model) for model in models]
        while not all(one.done() for one in writing):
            found = Store(url).peek(KEY)
            assert found.damage is None
            assert len(found.model.weight.unique()) == 1
        assert all(one.result() is None for one in writing)


def test_a_process_of_this_machine_waits_for_another_that_trains_the_same_model(memory):
    store = Store(memory)
    with (
        store.lock(KEY),
        Store(memory).lock(KEY, wait=False) as ours,
        Store(memory).lock("b" * 64, wait=False) as other,
    ):
        assert not ours
        assert other


def test_a_damaged_object_is_not_taken(memory):
    store = Store(memory)
    store.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    payload = next(name for name in store.folder.names() if name.endswith(".safetensors"))
    data = bytearray(store.folder.read(payload))
    data[-1] ^= 1
    store.folder.write(payload, bytes(data))
    assert "bytes are not" in str(Store(memory).peek(KEY).damage)
    assert Store(memory).fetch(KEY).model is None
    assert store.folder.names() == []


def test_only_what_the_key_has_sealed_is_taken(memory):
    Store(memory, Keys(run=b"r" * 32)).put(KEY, nn.Linear(2, 2), {"seconds": 0})
    ours = Store(memory, Keys(run=b"s" * 32, key=b"k" * 32))
    assert ours.peek(KEY).unsealed
    ours.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    assert Store(memory, Keys(run=b"t" * 32, key=b"k" * 32)).peek(KEY).sealed == "key"


def test_a_cluster_seals_with_the_key_of_the_run_alone_and_this_process_with_the_other_as_well(s3_like):
    ours = Store(s3_like, Keys(run=b"r" * 32, key=b"k" * 32))
    theirs = ours.for_workers(elsewhere=True)
    assert theirs is not None
    assert theirs.keys.key is None
    theirs.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    later = Store(s3_like, Keys(run=b"s" * 32, key=b"k" * 32))
    assert later.peek(KEY).unsealed
    ours.seal_again(KEY)
    assert later.peek(KEY).sealed == "key"


def test_what_nobody_in_this_run_has_sealed_is_not_sealed_again(s3_like):
    Store(s3_like, Keys(run=b"x" * 32)).put(KEY, nn.Linear(2, 2), {"seconds": 0})
    ours = Store(s3_like, Keys(run=b"r" * 32, key=b"k" * 32))
    ours.seal_again(KEY)
    assert ours.peek(KEY).unsealed


@pytest.fixture
def s3_like(memory, monkeypatch):
    """A URL that other machines could open as well."""
    monkeypatch.setattr("pytest_unlearn.core.remote_folder._PRIVATE", ())
    return memory


def test_a_process_s_own_memory_and_folders_are_no_place_for_workers_elsewhere(memory, tmp_path):
    assert Store(memory).for_workers(elsewhere=False) is None
    assert Store(tmp_path).for_workers(elsewhere=True) is None
    assert Store(tmp_path).for_workers(elsewhere=False) == Store(tmp_path)


def test_what_cannot_be_written_or_read_trains_and_says_so_once(monkeypatch, caplog):
    class Refusing(fsspec.AbstractFileSystem):
        protocol = "refusing"
        cachable = False

        def _open(self, *_, **__):
            raise PermissionError("no credentials")

        def ls(self, *_, **__):
            raise RuntimeError("no connection")

    fsspec.register_implementation("refusing", Refusing, clobber=True)
    store = Store("refusing://somebody:secret@host/cache?token=secret")
    assert store.peek(KEY).model is None
    assert store.peek(KEY).damage is None
    assert store.put(KEY, nn.Linear(2, 2), {"seconds": 0}) is False
    store.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "models are not read", "models are not stored",
    ]  # fmt: skip
    assert "secret" not in caplog.text
    assert "refusing://host/cache" in caplog.text


@pytest.mark.parametrize(
    ("url", "said"), [("gs://bucket/cache", "pip install gcsfs"), ("nonsense://x", "no kind that fsspec knows")]
)
def test_a_url_that_nothing_here_opens_is_refused_with_what_to_install(url, said):
    if url.startswith("gs"):
        try:
            import gcsfs  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("gcsfs is installed")
    with pytest.raises(ValueError, match=said):
        task(url)


def test_a_url_that_was_made_a_path_is_refused(tmp_path):
    from pathlib import Path

    with pytest.raises(ValueError, match="pass it as text"):
        task(Path("s3://bucket/cache"))
    assert folder_of(f"file://{tmp_path}/cache") == LocalFolder(tmp_path / "cache")


def test_secrets_in_a_url_are_not_shown():
    assert shown("s3://user:password@bucket/cache?token=x#y") == "s3://bucket/cache"


def test_a_use_is_noted_once_a_day(memory, monkeypatch):
    store = Store(memory)
    store.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    (stored,) = store.entries()
    store.peek(KEY)
    assert store.entries() == [stored]
    real = time.time
    monkeypatch.setattr("pytest_unlearn.core.remote_folder.time.time", lambda: real() + NOTED_AFTER + 1)
    store.peek(KEY)
    assert store.entries()[0].used > stored.used
    assert store.peek(KEY).damage is None


def test_arrays_of_another_writer_are_not_taken_for_those_of_a_note(memory):
    one, other = ArrayMemory(f"{memory}/answers"), ArrayMemory(f"{memory}/answers")
    one.save(KEY, {}, {"answer": np.zeros(3)})
    other.save(KEY, {}, {"answer": np.ones(3)})
    found = one.load(KEY)
    assert found is not None
    assert found[1]["answer"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("place", ["memory", pytest.param("s3", marks=pytest.mark.slow)])
def test_the_command_lists_verifies_prunes_and_purges_a_url(place, request, capsys):
    url = request.getfixturevalue(place) + "/of-command"
    store = Store(url)
    for key in ("c" * 64, "d" * 64):
        store.put(key, nn.Linear(2, 2), {"seed": 1, "seconds": 2.0})
    ArrayMemory(f"{url}/answers").save(KEY, {}, {"answer": np.zeros(3)})
    store.folder.write(f"{'d' * 64}.{'0' * 16}.safetensors", b"another writer's")

    def said(*arguments):
        status = main(["cache", *arguments, "--cache-dir", url])
        return status, capsys.readouterr().out

    assert "2 models" in said("list")[1]
    status, text = said("verify")
    assert status == 1
    assert "it is no part of the model" in text
    assert said("prune")[0] == 0
    assert said("verify")[0] == 0
    assert "2 models removed" in said("purge")[1]
    assert store.folder.names() in ([], ["answers"])
    assert f"no models are cached in {url}" in said("list")[1]


def test_the_command_says_which_package_a_url_needs(capsys):
    assert main(["cache", "list", "--cache-dir", "nonsense://x"]) == 2
    assert "no kind that fsspec knows" in capsys.readouterr().err


@pytest.mark.slow
def test_a_session_keeps_its_models_where_the_option_says(s3, tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    (tmp_path / "conftest.py").write_text(
        "import pytest\nfrom sklearn.datasets import load_digits\nfrom sklearn.linear_model import LogisticRegression\n"
        "from pytest_unlearn import EstimatorRecipe, Split\n"
        'X, y = load_digits(return_X_y=True)\n@pytest.fixture(scope="session")\ndef unlearn_split():\n'
        "    return Split((X[:900], y[:900]), forget=range(100), test=(X[900:], y[900:]))\n"
        '@pytest.fixture(scope="session")\ndef unlearn_recipe():\n'
        "    return EstimatorRecipe(LogisticRegression(max_iter=50))\n"
    )
    (tmp_path / "test_it.py").write_text("def test(retrained_models):\n    assert len(retrained_models) == 4\n")
    key = {CACHE_KEY: "0123456789abcdef0123456789abcdef"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir=.", f"--unlearn-cache={s3}/session"],
        cwd=tmp_path, env={**os.environ, **key, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / ".unlearn").exists()
    entries = Store(f"{s3}/session", Keys(key=key[CACHE_KEY].encode())).entries()
    assert len(entries) == 6  # logistic regression heeds no seed: after two equal ones, four bootstraps
    sidecar = json.loads(Store(f"{s3}/session").folder.read(f"{entries[0].key}.json"))
    assert set(sidecar["macs"]) == {"key", "run"}


def test_a_secret_in_a_url_is_neither_shown_nor_reported_nor_made_a_folder(tmp_path):
    for url in ("s3://me:se/cr+et@bucket/cache", "s3://me:se@cret@bucket/cache", "s3://cret@bucket/cache"):
        assert shown(url) == "s3://bucket/cache"
        argument = relative(f"--unlearn-cache={url}", tmp_path)
        assert "cret" not in argument
    assert shown("s3://bucket/cache") == "s3://bucket/cache"
    assert relative("tests/test_a.py::test[me@home]", tmp_path) == "tests/test_a.py::test[me@home]"
    with pytest.raises(ValueError, match="chain of file systems"):
        folder_of("simplecache::s3://me:secret@bucket/cache")


def test_what_somebody_keeps_beside_a_cache_stays_when_it_is_purged(tmp_path):
    ArrayMemory(tmp_path / "data").save(KEY, {}, {"x": np.ones(2)})
    for name in ("mine.json", "mine.npz", "mine.tmp"):
        (tmp_path / "data" / name).write_text("1")
    Store(tmp_path).purge()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["mine.json", "mine.npz", "mine.tmp"]


def test_a_worker_without_the_key_takes_nothing_that_this_run_did_not_store_and_removes_nothing(s3_like):
    Store(s3_like, Keys(run=b"x" * 32)).put(KEY, nn.Linear(2, 2), {"seconds": 0})
    theirs = Store(s3_like, Keys(run=b"r" * 32, key=b"k" * 32)).for_workers(elsewhere=True)
    assert theirs.fetch(KEY).unsealed
    assert Store(s3_like, Keys(run=b"y" * 32)).fetch(KEY).model is not None  # it is there, for who asks for no key
    theirs.put(KEY, nn.Linear(2, 2), {"seconds": 0})
    assert theirs.fetch(KEY).sealed == "run"


def test_the_header_of_a_verbose_run_shows_no_password_of_a_cache(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_inprocess("-v", "--unlearn-cache=s3://me:se/cret@bucket/cache")
    assert "cache=s3://bucket/cache (command line)" in result.stdout.str()
    assert "cret" not in "".join(line for line in result.outlines if line.startswith("unlearn:"))
