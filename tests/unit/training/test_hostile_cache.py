"""A cache that somebody else can write: no verdict changes without a word, and a key shows every change.

The candidate remembers what it had to forget; whoever wants it released exchanges what it is compared with, or itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, audit_matches_retrained, audit_utility
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.core.seal import Keys, digest
from pytest_unlearn.core.variables import CACHE_KEY, RUN_KEY
from pytest_unlearn.training import Store, reference_key
from pytest_unlearn.training.cache import store as store_module

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(240, 60)).astype(np.float32), RNG.integers(0, 2, 240)
SPLIT = Split((X[:120], Y[:120]), forget=range(48), test=(X[120:], Y[120:]))
RECIPE = EstimatorRecipe(LogisticRegression(solver="saga", max_iter=40, tol=1e-9), key="v1")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KEY = "0123456789abcdef0123456789abcdef"
GATE = {"command line": {"gate": True}}


def forgets_nothing(model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
    everything = np.concatenate([X[:120], X[:48]]), np.concatenate([Y[:120], Y[:48]])
    return LogisticRegression(max_iter=50).fit(*everything)


@dataclass(frozen=True)
class Cache:
    """A folder as an attacker sees it, who knows which model is which."""

    folder: Path
    original: str
    references: tuple[str, ...]
    unlearned: str

    def path(self, key: str, suffix: str) -> Path:
        return self.folder / f"{key}.{suffix}"

    def sidecar(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.path(key, "json").read_text())
        return document

    def reseal(self, of: str, **changes: Any) -> None:
        """Write a sidecar as whoever knows the format can, without a key."""
        sidecar = {name: value for name, value in {**self.sidecar(of), **changes}.items() if name != "seal"}
        self.path(of, "json").write_text(json.dumps({**sidecar, "seal": digest(sidecar)}))

    def put_in_place(self, of: str, other: str, **changes: Any) -> None:
        """Put one model in another's place, with a seal that fits."""
        data = self.path(other, "skops").read_bytes()
        self.path(of, "skops").write_bytes(data)
        self.reseal(of, sha256=hashlib.sha256(data).hexdigest(), size=len(data), **changes)


def run(folder: Path, layers: Any = GATE, n_jobs: int = 1) -> tuple[dict[str, Any], list[str]]:
    """Audit the candidate as a run of its own; return verdicts and origins."""
    os.environ[RUN_KEY] = os.urandom(16).hex()
    task = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=folder, n_jobs=n_jobs)
    with recording(Recorder(layers=layers)):
        model = task.unlearn(forgets_nothing)
        evidences = audit_matches_retrained(model, task.forget), audit_utility(model, task.test, max_drop=0.2)
    found = {evidence.claim.name: (str(evidence.verdict), evidence.estimate.value) for evidence in evidences}
    origins = {name: one for evidence in evidences for name, one in evidence.provenance["origins"].items()}
    return found, [origins["unlearned"], origins["original"], *origins["references"]]


@pytest.fixture(scope="module", params=["keyed", "unkeyed"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cache that an honest run has filled, with its verdicts, beside or without a key."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUN_KEY, "")
        patch.setenv(CACHE_KEY, KEY if request.param == "keyed" else "")
        verdicts, origins = run(folder)
        assert origins == ["made in this run"] * 4
        assert verdicts["matches_retrained"][0] == "FAIL"
        jobs = UnlearningTask(SPLIT, RECIPE, references=2, cache_dir=folder).jobs()
        keys = [job.key for job in jobs]
        (unlearned,) = {entry.key for entry in Store(folder).entries()} - set(keys)
        yield Cache(folder, keys[0], tuple(keys[1:]), unlearned), verdicts, request.param == "keyed"


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.unlink()
        make(path)

    return harm


def linked_to_a_copy(path: Path) -> None:
    copy = path.with_name(f"copy of {path.name}")
    path.rename(copy)
    path.symlink_to(copy)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


FILES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "flipped": flipped,
    "gone": Path.unlink,
    "pickle": lambda path: path.write_bytes(pickle.dumps([1])),
    "link": linked_to_a_copy,
    "link to a device": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "FIFO": replaced_by(os.mkfifo),
    "folder": replaced_by(Path.mkdir),
}
HARMS: dict[str, Callable[[Cache], object]] = {
    **{f"payload: {name}": lambda cache, harm=harm: harm(cache.path(cache.original, "skops"))  # type: ignore[misc]
       for name, harm in FILES.items() if name != "pickle"},
    **{f"sidecar: {name}": lambda cache, harm=harm: harm(cache.path(cache.references[0], "json"))  # type: ignore[misc]
       for name, harm in FILES.items() if name != "truncated"},
    "payload exchanged": lambda cache: shutil.copy(
        cache.path(cache.original, "skops"), cache.path(cache.references[0], "skops")
    ),
    "unlearned: resealed reference": lambda cache: cache.put_in_place(cache.unlearned, cache.references[0]),
    "unlearned: resealed without macs": lambda cache: cache.put_in_place(
        cache.unlearned, cache.references[0], macs={}
    ),
    "unlearned: macs of another": lambda cache: cache.put_in_place(
        cache.unlearned, cache.references[0], macs=cache.sidecar(cache.references[0])["macs"]
    ),
    "references: resealed original": lambda cache: [
        cache.put_in_place(key, cache.original) for key in cache.references
    ],
    "original: resealed reference": lambda cache: cache.put_in_place(cache.original, cache.references[0]),
}  # fmt: skip


@pytest.fixture
def at_once() -> Iterator[None]:
    """What waits for a FIFO waits for ever: it is told so instead."""

    def late(*_: object) -> None:
        raise TimeoutError("the cache hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("at_once")
@pytest.mark.filterwarnings("ignore:cached models")
@pytest.mark.parametrize("harm", HARMS)
def test_no_verdict_changes_without_a_word(
    kept: Any, harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    cache, verdicts, keyed = kept
    folder = tmp_path / "cache"
    shutil.copytree(cache.folder, folder)
    HARMS[harm](Cache(folder, cache.original, cache.references, cache.unlearned))
    found, origins = run(folder)
    told = "cached model" in caplog.text
    assert origins[0] == ("cache, sealed with a key" if keyed and "unlearned" not in harm else origins[0])
    assert "cache, not sealed with a key" not in origins[:1]
    if keyed:
        assert found == verdicts
        assert told
        assert any("made in this run, as the cache's was" in origin for origin in origins)
    elif found != verdicts:
        assert "cache, not sealed with a key" in origins[1:]
    elif "resealed" not in harm and "macs" not in harm:
        assert told


def test_there_are_forty_cases() -> None:
    assert 2 * len(HARMS) == 40


@pytest.mark.parametrize("layers", [GATE, {}])
def test_the_audited_model_is_taken_under_the_gate_only_with_a_key(kept: Any, layers: Any, tmp_path: Path) -> None:
    cache, _, keyed = kept
    shutil.copytree(cache.folder, tmp_path / "cache")
    _, origins = run(tmp_path / "cache", layers)
    from_cache = f"cache, {'' if keyed else 'not '}sealed with a key"
    assert origins[1:] == [from_cache] * 3
    assert origins[0] == ("made in this run" if layers and not keyed else from_cache)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_exchanged_right_after_it_was_written_is_not_taken(
    kept: Any, n_jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, verdicts, _ = kept
    put, decoy = Store.put, LogisticRegression().fit(X[:48], Y[:48])

    def put_and_lose(store: Store, key: str, model: Any, info: Any, build: Any = None) -> bool:
        done = put(store, key, model, info, build)
        return done and put(replace(store, keys=Keys(run=b"theirs")), key, decoy, info)

    monkeypatch.setattr(Store, "put", put_and_lose)
    found, origins = run(tmp_path, n_jobs=n_jobs)
    assert (found, set(origins)) == (verdicts, {"made in this run"})


@pytest.mark.slow
def test_a_key_takes_over_a_cache_that_had_none_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_KEY, "")
    monkeypatch.delenv(CACHE_KEY, raising=False)
    verdicts, _ = run(tmp_path)
    monkeypatch.setenv(CACHE_KEY, KEY)
    with pytest.warns(UserWarning, match=f"are not sealed with {CACHE_KEY} and have been trained again"):
        found, origins = run(tmp_path)
    assert (found, set(origins)) == (verdicts, {"made in this run, as the cache's was not sealed with the key"})
    assert set(run(tmp_path)[1]) == {"cache, sealed with a key"}
    monkeypatch.delenv(CACHE_KEY)
    assert set(run(tmp_path, {})[1]) == {"cache, not sealed with a key"}  # and who has no key may still use it
    monkeypatch.setenv(CACHE_KEY, KEY[::-1])
    with pytest.warns(UserWarning, match="not sealed with"):
        run(tmp_path)


def test_two_processes_of_a_run_share_what_it_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_KEY, "a" * 32)
    key = "f" * 64
    assert Store(tmp_path).put(key, np.arange(3.0), {})
    assert Store(tmp_path).peek(key).sealed == "run"
    monkeypatch.setenv(RUN_KEY, "b" * 32)
    assert Store(tmp_path).peek(key).sealed == ""


@pytest.mark.parametrize("text", ["short", "x" * 15])
def test_a_key_that_keeps_nobody_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(CACHE_KEY, text)
    with pytest.raises(ValueError, match="use at least 16 random ones"):
        Store(tmp_path)


def test_keys_are_in_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_KEY, KEY)
    store = Store(tmp_path)
    store.put("f" * 64, np.arange(3.0), {})
    assert KEY not in f"{store!r} {store.keys!r}" + "".join(path.read_text("latin-1") for path in tmp_path.iterdir())


@pytest.mark.parametrize("changes", [{"info": []}, {"info": {"seconds": "1"}}, {"info": {"seconds": -1.0}}, {"key": 1}])
def test_notes_that_nobody_writes_are_damage(tmp_path: Path, changes: dict[str, Any]) -> None:
    key = "f" * 64
    store = Store(tmp_path)
    store.put(key, np.arange(3.0), {"seconds": 1.0})
    Cache(tmp_path, key, (), key).reseal(key, **changes)
    assert store.peek(key).damage


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.parent / "precious")])
def test_what_lies_in_place_of_a_lock_is_neither_waited_for_nor_written(
    tmp_path: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    key = "f" * 64
    (tmp_path / "precious").write_text("kept")
    make(tmp_path / f"{key}.lock")
    with Store(tmp_path).lock(key) as ours:
        assert ours
    assert (tmp_path / "precious").read_text() == "kept"
    assert f"{key}.lock is a " in caplog.text


@pytest.mark.slow
def test_a_lock_that_is_held_too_long_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "LONGEST_WAIT", 0.2)
    store, key = Store(tmp_path), "f" * 64
    with store.lock(key), store.lock(key) as ours:
        assert ours
    assert f"{tmp_path / key}.lock has been held" in caplog.text


def test_two_versions_of_the_store_have_keys_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("recipe", "data", [1, 2], 0)
    before = reference_key(*arguments)
    monkeypatch.setattr("pytest_unlearn.training.runner.SCHEMA", "pytest-unlearn model 99")
    assert reference_key(*arguments) != before
