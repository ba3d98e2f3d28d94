"""A report outside pytest is the report of a test run: the same files, which `check` and `verify` accept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_unlearn import Evidence, write_report
from pytest_unlearn.__main__ import main
from pytest_unlearn.report import write
from tests.evidences import evidence


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def proven() -> Evidence:
    """A PASS that holds up."""
    return evidence("PASS", reasons=())


def document(page: Path) -> dict[str, object]:
    found = json.loads((page.parent / "report.json").read_text())
    assert isinstance(found, dict)
    return found


def test_it_writes_what_a_run_writes_and_returns_the_page() -> None:
    page = write_report([proven()], "out")
    assert page == Path("out/index.html")
    assert {path.name for path in page.parent.iterdir()} == set(write.FILES) - {"attestation.json"}
    assert document(page)["gate"] is None
    assert "No leakage was found" in page.read_text()


def test_check_accepts_it_and_blocks_on_what_was_not_proven(capsys: pytest.CaptureFixture[str]) -> None:
    page = write_report([proven()], "out")
    assert main(["check", str(page.parent / "report.json"), "--require", "forgotten"]) == 0
    page = write_report([evidence("INCONCLUSIVE")], "out")
    assert main(["check", str(page.parent / "report.json"), "--require", "forgotten"]) == 1
    assert "forgotten is INCONCLUSIVE" in capsys.readouterr().out


def test_a_gate_is_asked_only_where_claims_are_required() -> None:
    gate = document(write_report([proven()], "out", require=["forgotten"]))["gate"]
    assert gate == {"release": True, "reasons": [], "required": ["forgotten"], "notes": []}
    gate = document(write_report([proven()], "out", require=["forgotten", "utility"]))["gate"]
    assert isinstance(gate, dict)
    assert not gate["release"]
    assert "no evidence for the required claim 'utility'" in gate["reasons"][0]


def test_a_mapping_gives_the_names_and_equal_ones_are_told_apart() -> None:
    found = document(write_report({"after epoch 3": proven(), "after epoch 4": evidence("FAIL")}, "out"))
    assert [row["nodeid"].partition("::")[2] for row in found["claims"]] == ["after epoch 3", "after epoch 4"]  # type: ignore[attr-defined]
    found = document(write_report([proven(), proven()], "out"))
    assert [row["nodeid"].partition("::")[2] for row in found["claims"]] == ["forgotten", "forgotten[2]"]  # type: ignore[attr-defined]


def test_released_files_are_recorded_and_attested(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    page = write_report([proven()], "out", require=["forgotten"], files=["model.bin"])
    assert [row["name"] for row in document(page)["release_files"]] == ["model.bin"]  # type: ignore[attr-defined]
    assert (page.parent / "attestation.json").is_file()


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda: write_report([], "out"), ValueError, "at least one evidence"),
        (lambda: write_report(proven(), "out"), TypeError, "write [evidence]"),  # type: ignore[arg-type]
        (lambda: write_report("forgotten", "out"), TypeError, "not str"),  # type: ignore[arg-type]
        (lambda: write_report([None], "out"), TypeError, "not NoneType"),  # type: ignore[list-item]
        (lambda: write_report([proven()], "out", require="forgotten"), ValueError, "a list of claims"),
        (lambda: write_report([proven()], "out", require=["forgoten"]), ValueError, "a list of claims"),
        (lambda: write_report([proven()], "out", files=["model.bin"]), ValueError, "there is no file model.bin"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_written(wrong, error, says, tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        wrong()
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError, match="could not be written"):
        write_report([proven()], "out")
