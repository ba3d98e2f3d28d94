"""`cache`: what is kept is shown, checked and removed; files of others stay where they are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pytest_unlearn.cli.cache import size
from pytest_unlearn.training import Store
from tests.cli.conftest import Run

KEYS = ("a" * 64, "b" * 64)
DAY = 24 * 60 * 60
ACTIONS = ("list", "verify", "prune", "purge")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two small models, and a file that is not ours."""
    found = Store(tmp_path / ".unlearn" / "cache")
    for seed, key in enumerate(KEYS):
        with found.lock(key):
            found.put(key, np.arange(100.0), {"seed": seed, "seconds": 1.5})
    (found.directory / "package.json").write_text("{}")
    return found


def names(store: Store) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir() if path.suffix != ".lock")


BOTH = ["package.json", *(f"{key}.{suffix}" for key in KEYS for suffix in ("json", "skops"))]
SECOND = [name for name in BOTH if not name.startswith("a")]


def age(store: Store, key: str, days: float) -> None:
    then = time.time() - days * DAY
    for path in store.directory.glob(f"{key}.*"):
        os.utime(path, (then, then))


@pytest.mark.parametrize("action", ACTIONS)
def test_a_folder_that_is_missing_is_no_error(
    run: Run, tmp_path: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("cache", action)
    assert (done.status, done.err) == (0, "")
    assert "nothing to remove" in done.out if action == "prune" else "no models are cached" in done.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("action", ACTIONS)
def test_a_file_in_its_place_is_refused(run: Run, tmp_path: Path, action: str) -> None:
    (tmp_path / "file").write_text("")
    done = run("cache", action, "--cache-dir", tmp_path / "file")
    assert done.status == 2
    assert "file is not a folder" in done.err


@pytest.mark.parametrize("arguments", [(), ("--rootdir", ".."), ("--cache-dir", "../.unlearn/cache")])
def test_list_shows_each_model_and_the_total(
    run: Run, store: Store, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.directory.parent.parent if not arguments else store.directory.parent)
    age(store, KEYS[0], 3)
    done = run("cache", "list", *arguments)
    assert done.status == 0
    head, first, second, total = done.out.splitlines()
    assert head.split() == ["key", "kind", "size", "seed", "seconds", "stored", "last", "used"]
    assert first.split()[:2] == ["a" * 12, "skops"]
    assert first.split()[4:6] == ["0", "1.5"]
    dates = [time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * DAY)) for days in (3, 0)]
    assert first.split()[6:] == [dates[0]] * 2
    assert second.split()[6:] == [dates[1]] * 2
    assert total.startswith("2 models, ")


def test_using_a_model_is_noted_and_listing_is_no_use(run: Run, store: Store) -> None:
    age(store, KEYS[0], 40)
    for action in ("list", "verify"):
        run("cache", action, "--cache-dir", store.directory)
    before, _ = store.entries()
    assert before.used == before.stored
    assert store.fetch(KEYS[0]).model is not None
    after, _ = store.entries()
    assert after.stored == before.stored
    assert time.time() - after.used < DAY
    assert run("cache", "prune", "--cache-dir", store.directory).out.startswith("nothing to remove")


def test_verify_finds_whole_models_whole(run: Run, store: Store) -> None:
    done = run("cache", "verify", "--cache-dir", store.directory)
    assert (done.status, done.out) == (0, "2 models whole, 0 faults\n")


def truncate(store: Store, key: str) -> None:
    path = store.directory / f"{key}.skops"
    path.write_bytes(path.read_bytes()[:-1])


def unseal(store: Store, key: str) -> None:
    path = store.directory / f"{key}.json"
    path.write_text(path.read_text().replace("1.5", "2.5"))


def orphan(store: Store, key: str) -> None:
    (store.directory / f"{key}.json").unlink()


@pytest.mark.parametrize("harm", [truncate, unseal, orphan])
def test_damage_is_named_and_pruned(run: Run, store: Store, harm: object) -> None:
    harm(store, KEYS[0])  # type: ignore[operator]
    folder = ("--cache-dir", store.directory)
    done = run("cache", "verify", *folder)
    assert done.status == 1
    assert f"damaged {'a' * 12}: its " in done.out
    assert "1 model whole, 1 fault" in done.out
    assert run("cache", "prune", "--dry-run", *folder).out.startswith(f"would remove: damaged {'a' * 12}")
    assert KEYS[0] in {key for _, key in store.files()}
    assert run("cache", "prune", *folder).status == 0
    assert names(store) == sorted(SECOND)
    assert run("cache", "verify", *folder).status == 0


@pytest.mark.parametrize("name", [f".{'a' * 64}.xy12.tmp", f".{'c' * 64}.xy12.tmp", f"{'a' * 64}.safetensors"])
def test_a_leftover_goes_and_the_model_beside_it_stays(run: Run, store: Store, name: str) -> None:
    (store.directory / name).write_text("half")
    folder = ("--cache-dir", store.directory)
    done = run("cache", "verify", *folder)
    assert done.status == 1
    assert f"leftover {name}" in done.out
    assert "2 models whole, 1 fault" in done.out
    assert run("cache", "prune", *folder).status == 0
    assert names(store) == sorted(BOTH)


def test_prune_removes_what_was_not_used_for_long_and_locks_without_a_model(run: Run, store: Store) -> None:
    folder = ("--cache-dir", store.directory)
    age(store, KEYS[0], 31)
    (store.directory / f"{'c' * 64}.lock").write_text("")
    done = run("cache", "prune", "--dry-run", *folder)
    assert f"would remove: unused {'a' * 12}: last used " in done.out
    assert names(store) == sorted(BOTH)
    assert run("cache", "prune", "--days", "40", *folder).out.startswith("nothing to remove")
    done = run("cache", "prune", *folder)
    assert done.status == 0
    assert "kB freed" in done.out
    assert names(store) == sorted(SECOND)
    assert sorted(path.stem for path in store.directory.glob("*.lock")) == [KEYS[1]]


HOLD = """
import sys
from pathlib import Path
from pytest_unlearn.training import Store
with Store(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_another_process_works_on_is_left_alone(run: Run, store: Store) -> None:
    orphan(store, KEYS[0])  # as between the two files that a writer puts in place
    age(store, KEYS[1], 31)
    folder = ("--cache-dir", store.directory)
    for key in KEYS:
        root = Path(__file__).parents[2]
        command = [sys.executable, "-c", HOLD, str(store.directory), key]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            if key == KEYS[0]:
                assert run("cache", "verify", *folder).status == 0
            else:
                done = run("cache", "prune", *folder)
                assert f"kept {'b' * 12}: another process is working on it" in done.out
                assert store.find(KEYS[1]) is not None
            holder.communicate("")


@pytest.mark.parametrize("days", ["-1", "nan", "x"])
def test_days_must_be_a_number(run: Run, days: str) -> None:
    assert run("cache", "prune", f"--days={days}").status == 2


def test_purge_removes_every_model_and_nothing_else(run: Run, store: Store) -> None:
    truncate(store, KEYS[0])
    (store.directory / f".{'c' * 64}.xy12.tmp").write_text("half")
    done = run("cache", "purge", "--yes", "--cache-dir", store.directory)
    assert done.status == 0
    assert "removed, " in done.out
    assert [path.name for path in store.directory.iterdir()] == ["package.json"]
    assert "no models are cached" in run("cache", "purge", "--cache-dir", store.directory).out


def test_models_that_cannot_be_removed_are_said(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    age(store, KEYS[0], 31)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)  # the tests may run as a user who may do everything
    for action in ("prune", "purge"):
        done = run("cache", action, "--cache-dir", store.directory)
        assert done.status == 1
        assert "could not be removed" in done.out


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_340_000, "2.3 MB"), (5e9, "5.0 GB")]
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize("suffix", ["json", "skops", "lock"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["a FIFO", "a link"])
def test_what_is_no_file_is_named_and_removed(run: Run, store: Store, suffix: str, make: object) -> None:
    path = store.directory / f"{KEYS[0]}.{suffix}"
    path.unlink(missing_ok=True)
    make(path)  # type: ignore[operator]
    folder = ("--cache-dir", store.directory)
    done = run("cache", "verify", *folder)
    assert done.status == 1
    assert f"{path.name} is a " in done.out
    assert run("cache", "list", *folder).status == 0
    assert run("cache", "prune", *folder).status == 0
    assert not os.path.lexists(path)
    make(path)  # type: ignore[operator]
    assert run("cache", "purge", *folder).status == 0
    assert [left.name for left in store.directory.iterdir()] == ["package.json"]


def test_a_folder_in_place_of_a_model_stays_and_is_named(run: Run, store: Store) -> None:
    path = store.directory / f"{'c' * 64}.json"
    path.mkdir()
    done = run("cache", "purge", "--cache-dir", store.directory)
    assert (done.status, "2 models removed" in done.out) == (1, True)
    assert f"{path.name} could not be removed" in done.out


def test_with_a_key_models_that_it_did_not_seal_are_faults(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEARN_CACHE_KEY", "k" * 32)
    monkeypatch.setenv("UNLEARN_RUN_KEY", "another run")
    folder = ("--cache-dir", store.directory)
    done = run("cache", "verify", *folder)
    assert (done.status, done.out.count("it is not sealed with UNLEARN_CACHE_KEY")) == (1, 2)
    assert run("cache", "list", *folder).out.count("skops") == 2
    assert run("cache", "prune", *folder).status == 0
    assert Store(store.directory).put(KEYS[0], np.arange(3.0), {})
    assert run("cache", "verify", *folder).out == "1 model whole, 0 faults\n"


def test_purge_removes_what_killed_runs_left_of_reports(
    run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / ".unlearn/report/.unlearn-report-x1y2"
    stage.mkdir(parents=True)
    os.utime(stage, (0, 0))
    monkeypatch.chdir(tmp_path)
    assert "1 unfinished report of killed runs removed" in run("cache", "purge").out
    assert not stage.exists()
