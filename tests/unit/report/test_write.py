"""All files of a report appear together and whole, or none does; large ones stay small."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from filelock import FileLock

import pytest_unlearn.report
from pytest_unlearn.report import write as publish
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

SCHEMA = json.loads((Path(pytest_unlearn.report.__file__).parent / "schema/report-v1.json").read_text())
RELEASED = [{"name": "model.safetensors", "sha256": "f11e" * 16}]
ABOUT = {**facts(["--unlearn-report"], Path("/somewhere")), "release_files": RELEASED, "release_file_problems": []}


def ledger(count: int, **rest: Any) -> dict[str, Any]:
    book, verdicts = Ledger(), ("PASS", "PASS", "FAIL", "INCONCLUSIVE")
    for k in range(count):
        verdict = verdicts[k % len(verdicts)]
        outcome = "passed" if verdict == "PASS" else "failed"
        book.add(f"tests/test_release.py::test_request[{k}]", outcome, [{**evidence(verdict).to_json(), **rest}])
    return book.freeze()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_written_and_named(tmp_path: Path) -> None:
    paths = publish.publish(ledger(3), ABOUT, tmp_path / "out/report", tmp_path)
    assert [path.name for path in paths] == list(publish.FILES)
    assert files(tmp_path) == {f"out/report/{name}" for name in publish.FILES}
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o666 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("written", range(len(publish.FILES)))
def test_a_full_disk_leaves_the_old_report_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    publish.publish(ledger(1), ABOUT, tmp_path, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in publish.FILES}
    write, left = Path.write_text, [written]

    def until_full(path: Path, *args: Any, **kwargs: Any) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        left[0] -= 1
        return write(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", until_full)
    with pytest.raises(OSError, match="No space left"):
        publish.publish(ledger(4), ABOUT, tmp_path, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


@pytest.mark.parametrize("moves", range(2 * len(publish.FILES) + 1))
def test_a_report_is_put_in_place_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    publish.publish(ledger(1), ABOUT, tmp_path, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in publish.FILES}
    replace, left = os.replace, [moves]

    def until_broken(*paths: Any) -> None:
        if not left[0]:
            raise OSError(errno.EIO, "Input/output error")
        left[0] -= 1
        replace(*paths)

    monkeypatch.setattr(os, "replace", until_broken)
    if moves == 2 * len(publish.FILES):  # every file set aside, and another put in its place
        publish.publish(ledger(2), ABOUT, tmp_path, tmp_path)
        assert json.loads((tmp_path / "report.json").read_text())["counts"]["claims"] == 2
    else:
        with pytest.raises(OSError, match="Input/output"):
            publish.publish(ledger(2), ABOUT, tmp_path, tmp_path)
        assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
    assert files(tmp_path) == set(publish.FILES)


def test_an_interrupt_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish.publish(ledger(1), ABOUT, tmp_path / "report", tmp_path)
    assert list((tmp_path / "report").iterdir()) == []


def test_a_name_that_is_no_valid_text_does_not_cost_the_report(tmp_path: Path) -> None:
    book = Ledger()
    book.add("test_it.py::test_a[caf\udce9]", "passed", [evidence().to_json()])
    publish.publish(book.freeze(), ABOUT, tmp_path, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["claims"][0]["nodeid"] == "test_it.py::test_a[caf\\udce9]"


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 30, 250])
def test_each_file_tells_of_every_claim(tmp_path: Path, count: int) -> None:
    texts = publish.render(ledger(count), ABOUT)
    document = json.loads(texts["report.json"])
    jsonschema.validate(document, SCHEMA)
    assert [claim["nodeid"] for claim in document["claims"]] == [row["nodeid"] for row in ledger(count)["entries"]]
    assert texts["index.html"].count("tests/test_release.py::test_request[") >= count
    attested = json.loads(texts["attestation.json"])["predicate"]
    assert len(attested["passedTests"]) + len(attested["failedTests"]) == count
    if count > 200:
        assert "50 more claims, none graver than these" in texts["report.md"]
        graver = [claim["evidence"]["verdict"] for claim in document["claims"] if not claim.get("brief")]
        assert graver.count("FAIL") == 20
    else:
        assert not any(claim.get("brief") for claim in document["claims"])
        assert texts["report.md"].count("test_release.py::test_request[") >= count


@pytest.mark.slow
def test_a_report_of_two_thousand_claims_is_small_and_soon_written(tmp_path: Path) -> None:
    curve = [[10 ** (-k / 10) for k in range(40)][::-1]] * 2
    shares = [round(0.04 + k / 1000, 4) for k in range(24)]
    models = ("unlearned", "original", "retrained")
    exhibits = [
        {"kind": "curves", "title": "ROC curve", "says": "s" * 150, "x_label": "x", "y_label": "y", "logarithmic": True,
         "diagonal": True, "series": dict.fromkeys(models, curve)},
        {"kind": "histograms", "title": "Scores", "says": "s" * 150, "x_label": "x", "edges": list(range(25)),
         "sets": ["forget set", "controls"], "panels": {name: [shares, shares] for name in models}},
        {"kind": "table", "title": "Class by class", "says": "s" * 150, "columns": list("abcdef"),
         "rows": [[0.123456] * 6] * 10},
    ]  # fmt: skip
    large = ledger(2000, exhibits=exhibits)
    started = time.process_time()  # other processes of a test run must not make it fail
    paths = publish.publish(large, ABOUT, tmp_path, tmp_path)
    assert time.process_time() - started < 10
    assert sum(path.stat().st_size for path in paths) < 3_500_000
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text()), SCHEMA)


def test_a_directory_in_the_place_of_a_file_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "index.html/data.txt"
    precious.parent.mkdir()
    precious.write_text("precious")
    with pytest.raises(IsADirectoryError, match="is a directory, where a file of the report belongs"):
        publish.publish(ledger(1), ABOUT, tmp_path, tmp_path)
    assert files(tmp_path) == {"index.html/data.txt"}


def test_an_exhibit_that_cannot_be_drawn_does_not_cost_the_report() -> None:
    broken = {"kind": "curves", "title": "t", "says": "s", "x_label": "x", "y_label": "y", "logarithmic": False,
              "diagonal": False, "series": {"a": [[0.0, 1.0], [0.0]]}}  # fmt: skip
    text = publish.render(ledger(1, exhibits=[broken]), ABOUT)["index.html"]
    assert "This plot could not be drawn from its data." in text


def test_no_control_character_and_no_folder_of_this_machine_gets_out() -> None:
    about = facts(["--basetemp=/home/someone/secret", "/home/someone/tests"], Path("/project"))
    texts = publish.render(ledger(1, label="\x1b[31m\x00", reasons=["[x](javascript:alert(1))"]), about)
    assert not any("\x1b" in text or "\x00" in text or "someone" in text for text in texts.values())
    assert "](javascript" not in texts["report.md"]


def stage_of(folder: Path, age: float) -> Path:
    stage = folder / f"{publish.STAGE}{age}"
    (stage / "before").mkdir(parents=True)
    (stage / "before" / "report.json").write_text("{}")
    then = time.time() - age
    os.utime(stage, (then, then))
    return stage


def test_what_killed_runs_staged_goes_when_it_is_old_enough(tmp_path: Path) -> None:
    old, new = stage_of(tmp_path, 7200), stage_of(tmp_path, 60)
    link = tmp_path / f"{publish.STAGE}link"
    link.symlink_to(new)
    publish.publish(ledger(1), ABOUT, tmp_path, tmp_path)
    assert (old.exists(), new.exists(), link.is_symlink()) == (False, True, True)
    assert publish.remove_abandoned(tmp_path, age=0) == 1


def test_a_report_that_another_run_keeps_locked_names_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "LONGEST_WAIT", 0.1)
    lock = tmp_path / publish.LOCK
    with FileLock(lock):
        found = publish.write(ledger(1), ABOUT, tmp_path, tmp_path)
    assert f"another run has held {lock} for 0 seconds" in found.problem
    assert publish.write(ledger(1), ABOUT, tmp_path, tmp_path).problem == ""
    assert not lock.exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.parent / "elsewhere")])
def test_something_else_in_place_of_the_lock_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / publish.LOCK)
    assert f"{tmp_path / publish.LOCK} is a " in publish.write(ledger(1), ABOUT, tmp_path, tmp_path).problem
    assert not (tmp_path / "elsewhere").exists()
