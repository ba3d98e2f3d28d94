"""`files`: a verdict, a gate and a report from nothing but files of outputs; and a sentence for whatever is wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from pytest_unlearn.cli.files import command, config
from tests.architecture.test_contracts import ROOT
from tests.cli.conftest import Done, Run

SPEC = importlib.util.spec_from_file_location("make_files", ROOT / "examples" / "files_only" / "make_files.py")
assert SPEC is not None
assert SPEC.loader is not None
make_files = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_files)

AUDIT = """
released = "released"
original = "original"
retrained = ["retrained_*"]
[limits]
max_mia_auc = 0.60
max_drop = 0.05
"""
Change = Callable[[Path], None]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of four quickly trained models on digits: enough for whatever is refused before it is judged."""
    folder = tmp_path_factory.mktemp("small")
    images, labels = load_digits(return_X_y=True)
    sets = {"forget": np.arange(60), "held_out": np.arange(800, 1000), "test": np.arange(1000, 1200)}
    parts = {
        "original": range(400),
        "retrained_1": range(60, 420),
        "retrained_2": range(60, 380),
        "released": range(60, 400),
    }
    for name, rows in parts.items():
        model = LogisticRegression(max_iter=50, tol=1e-2).fit(images[list(rows)], labels[list(rows)])
        (folder / name).mkdir()
        for part, chosen in sets.items():
            make_files.write(folder / name / f"{part}.npz", chosen, labels[chosen], model.predict_proba(images[chosen]))
    (folder / "audit.toml").write_text(AUDIT)
    return folder


@pytest.fixture
def project(small: Path, tmp_path: Path) -> Path:
    """A copy of these files that a test may spoil."""
    return Path(shutil.copytree(small, tmp_path / "project"))


def arrays(path: Path, **changes: Any) -> None:
    """Write a .npz again with some arrays changed, or left out where a change is None."""
    with np.load(path) as stored:
        found = {**dict(stored), **changes}
    np.savez(path, **{name: value for name, value in found.items() if value is not None})


def everywhere(folder: Path, part: str, **changes: Any) -> None:
    for path in folder.glob(f"*/{part}.npz"):
        arrays(path, **changes)


def says(text: str) -> Change:
    return lambda folder: (folder / "audit.toml").write_text(text) and None


def adds(line: str) -> Change:
    return lambda folder: (folder / "audit.toml").write_text(line + "\n" + AUDIT) and None


def csv(path: Path, text: str | bytes) -> None:
    """Put a .csv in place of a file."""
    path.unlink()
    path.with_suffix(".csv").write_bytes(text.encode() if isinstance(text, str) else text)


def as_csv(path: Path, change: Callable[[str], str] = str) -> None:
    with np.load(path) as stored:
        make_files.write(path.with_suffix(".csv"), stored["id"], stored["label"], stored["outputs"])
    path.unlink()
    path.with_suffix(".csv").write_text(change(path.with_suffix(".csv").read_text()))


def logits_of(folder: Path, *names: str) -> None:
    for name in names:
        for path in (folder / name).glob("*.npz"):
            arrays(path, outputs=np.log(np.load(path)["outputs"]) + 5)


def copied(source: str, target: str) -> Change:
    def change(folder: Path) -> None:
        shutil.rmtree(folder / target)
        shutil.copytree(folder / source, folder / target)

    return change


def stored_anew(source: str, target: str) -> Change:
    """The same model's outputs, in other files."""

    def change(folder: Path) -> None:
        for path in (folder / source).glob("*.npz"):
            with np.load(path) as stored:
                np.savez(folder / target / path.name, **{**stored, "outputs": stored["outputs"] + 1e-9})

    return change


def touch(path: str, **changes: Any) -> Change:
    return lambda folder: arrays(folder / path, **changes)


def at(path: str, name: str, change: Callable[[Any], Any]) -> Change:
    return lambda folder: arrays(folder / path, **{name: change(np.load(folder / path)[name].copy())})


def with_value(rows: Any, where: Any, value: Any) -> Any:
    rows[where] = value
    return rows


def both(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def each(part: str, **changes: Callable[[Any], Any]) -> Change:
    """Change arrays of one set in every model's file."""

    def change(folder: Path) -> None:
        for path in folder.glob(f"*/{part}.npz"):
            with np.load(path) as stored:
                arrays(path, **{name: one(stored[name].copy()) for name, one in changes.items()})

    return change


def first(many: int, path: str) -> Change:
    """Keep the first rows of a file."""
    return lambda folder: arrays(folder / path, **{k: v[:many] for k, v in np.load(folder / path).items()})


def files_of_forget_for_held_out(folder: Path) -> None:
    for path in folder.glob("*/forget.npz"):
        shutil.copy(path, path.with_name("held_out.npz"))


def forget_rows_under_other_ids(folder: Path) -> None:
    for path in folder.glob("*/held_out.npz"):
        with np.load(path) as ours, np.load(path.with_name("forget.npz")) as theirs:
            rows = {name: np.concatenate([ours[name], theirs[name][:6]]) for name in ("outputs", "label")}
        arrays(path, **rows, id=np.arange(5000, 5206))


def no_threes(folder: Path) -> None:
    for path in folder.glob("*/held_out.npz"):
        with np.load(path) as stored:
            kept = stored["label"] != 3
            arrays(path, **{name: stored[name][kept] for name in stored})


FORGET = "released/forget.npz"
WRONG_TOML: dict[str, tuple[Change, str]] = {
    "no toml": (says("released = "), "audit.toml is no TOML"),
    "no file": (lambda folder: (folder / "audit.toml").unlink(), "there is no file audit.toml"),
    "empty": (says(""), "retrained is missing: name the outputs of at least one model, better two"),
    "a misspelt key": (adds("relased = 'x'"), "relased is no key; the nearest is released"),
    "a misspelt limit": (says(AUDIT + "max_mia_auk = 1"), "max_mia_auk is no key in limits; the nearest is"),
    "another's word": (adds("references = []"), "references is no key; what you mean is called retrained"),
    "a key in the wrong table": (says(AUDIT + "confidence = 0.9"), "confidence is no key in limits; it belongs at the"),
    "a limit at the top": (adds("max_mia_auc = 0.6"), "max_mia_auc is no key; it belongs in the table [limits]"),
    "no key like it": (adds("zzz = 1"), "zzz is no key; there are released, original, retrained"),
    "a limit out of range": (says(AUDIT.replace("0.60", "1.5")), "max_mia_auc must be a number above 0.5 and below 1,"),
    "a limit in words": (says(AUDIT.replace("0.60", "'low'")), "max_mia_auc is a number, not 'low'"),
    "a limit that is true": (says(AUDIT.replace("0.60", "true")), "max_mia_auc is a number, not True"),
    "confidence of a coin": (adds("confidence = 0.5"), "confidence must be a number above 0.5 and below 1, not 0.5"),
    "controls in words": (adds("require_controls = 'no'"), "require_controls is true or false, not 'no'"),
    "no original": (says(AUDIT.replace("original =", "#")), "original is missing: name the outputs of the model that"),
    "no released model": (says(AUDIT.replace("released =", "#")), "released is missing"),
    "references that are not there": (says(AUDIT.replace("retrained_*", "again_*")), "'again_*' names no folder"),
    "a folder that is not there": (says(AUDIT.replace('"original"', '"orginal"')), "there is no such folder"),
    "a file for a folder": (says(AUDIT.replace('"original"', '"original/forget.npz"')), "is one file, and there are"),
    "a number for a folder": (says(AUDIT.replace('"original"', "3")), "original is a folder, or names a file for"),
    "a set that nobody knows": (
        says(AUDIT.replace('"original"', "{forget = 'a', controls = 'b'}")),
        "controls is no key in original; what you mean is called held_out",
    ),
    "a set left out": (
        says(AUDIT.replace('"original"', "{forget = 'original/forget.npz'}")), "original names no outputs on the"
    ),
    "two files for a set": (
        lambda folder: (folder / "original" / "forget.csv").write_text("id\n") and None, "holds forget.csv and"
    ),
    "a claim that is none": (adds("require = ['forgoten']"), "forgoten is no claim; by files can be judged forgotten"),
    "a claim about weights": (adds("require = ['not_relearnable']"), "not_relearnable takes models that can be asked"),
    "claims in words": (adds("require = 'forgotten'"), "require is a list"),
    "no claim": (adds("require = []"), "require names no claim"),
    "no kind of output": (adds("output_kind = 'softmax'"), "output_kind is one of logits, probabilities"),
    "no kind of match": (adds("match = 'rows'"), "match is one of class, none"),
    "no size": (adds("train_size = 0.5"), "train_size is how many examples"),
    "limits that are no table": (adds("columns = 3"), "columns is a table: write [columns]"),
    "a column of no role": (adds("columns = {weight = 'w'}"), "columns takes id, label, group, outputs, classes"),
    "a column that no file has": (adds("columns = {group = 'person'}"), "columns.group is 'person', and no file has"),
    "test rows of one model": (
        lambda folder: (folder / "original" / "test.npz").unlink(), "released names outputs on test rows, and original"
    ),
}  # fmt: skip
WRONG_FILES: dict[str, tuple[Change, str]] = {
    "pickled ids": (touch(FORGET, id=np.array([{}] * 60, dtype=object)), "array id holds Python objects, which only"),
    "no zip": (lambda folder: (folder / FORGET).write_bytes(b"nothing") and None, "is no .npz file that can be read"),
    "cut off": (
        lambda folder: (folder / FORGET).write_bytes((folder / FORGET).read_bytes()[:900]) and None,
        "released/forget.npz is no .npz file that can be read",
    ),
    "empty file": (lambda folder: (folder / FORGET).write_bytes(b"") and None, "released/forget.npz is empty"),
    "no rows": (touch(FORGET, outputs=np.zeros((0, 10)), id=None, label=None), "released/forget.npz holds no rows"),
    "not a number": (at(FORGET, "outputs", lambda rows: with_value(rows, (7, 2), np.nan)), "1 of 60 examples, the"),
    "infinite": (at(FORGET, "outputs", lambda rows: with_value(rows, 3, np.inf)), "non-finite outputs"),
    "minus infinity": (at(FORGET, "outputs", lambda rows: with_value(rows, 3, -np.inf)), "minus infinity) for 1 of 60"),
    "complex": (at(FORGET, "outputs", lambda rows: rows + 1j), "holds complex numbers"),
    "images": (touch(FORGET, outputs=np.zeros((60, 8, 8))), "array outputs has shape (60, 8, 8)"),
    "arrays of two lengths": (touch(FORGET, label=np.zeros(59, int)), "holds arrays of different lengths"),
    "two arrays of outputs": (touch(FORGET, logits=np.zeros((60, 10))), "has several arrays of outputs"),
    "an array of another thing": (touch(FORGET, age=np.zeros(60)), "holds 'age', which is neither outputs"),
    "no outputs": (touch(FORGET, outputs=None), "has no outputs beside id, label"),
    "an id twice": (at(FORGET, "id", lambda ids: with_value(ids, 5, 4)), "has 1 ids more than once: 4."),
    "ids that are fractions": (at(FORGET, "id", lambda ids: ids + 0.5), "column id has 0.5 in row 0"),
    "an id missing and another too many": (
        at(FORGET, "id", lambda ids: with_value(ids, 5, 77)), "it lacks 1 ids, 5; it alone has 1, 77"
    ),
    "rows missing, with ids": (
        first(50, FORGET),
        "released/forget.npz is about other examples than original/forget.npz: it lacks 10 ids, 50, 51, 52, 53 and",
    ),
    "rows missing, without ids": (
        both(lambda folder: everywhere(folder, "forget", id=None), first(50, FORGET)),
        "released/forget.npz has 50 rows and original/forget.npz has 60",
    ),
    "another label for an id": (
        at(FORGET, "label", lambda labels: with_value(labels, 5, 9)),
        "1 labels differ between original/forget.npz and released/forget.npz: id 5",
    ),
    "no labels": (lambda folder: everywhere(folder, "held_out", label=None), "the right answers of the held_out rows"),
    "labels from 1": (
        each("forget", label=lambda labels: labels + 1),
        "label 10 of id 9 in original/forget.npz has no column: original/forget.npz has 10, and labels count",
    ),
    "labels that are measures": (at(FORGET, "label", lambda labels: labels + 0.5), "a label is a class"),
    "one-hot labels": (touch(FORGET, label=np.eye(10)[np.zeros(60, int)]), "one label an example is expected, not"),
    "labels in words, columns without names": (
        touch(FORGET, label=np.array(["cat"] * 60)), "label cat of id 0 in released/forget.npz has no column"
    ),
    "fewer classes": (
        at(FORGET, "outputs", lambda rows: rows[:, :9] / rows[:, :9].sum(1, keepdims=True)),
        "released/forget.npz has outputs for 9 classes, and released/test.npz has outputs for 10",
    ),
    "several labels at once": (at(FORGET, "outputs", lambda rows: rows**0.3), "outputs between 0 and 1 whose rows sum"),
    "probabilities that do not sum to 1": (
        both(adds("output_kind = 'probabilities'"), at(FORGET, "outputs", lambda rows: rows**0.3)),
        "is said to hold probabilities, and those of id 0 sum to",
    ),
    "logits said to be probabilities": (
        both(adds("output_kind = 'probabilities'"), lambda folder: logits_of(folder, "released")),
        "say with output_kind= what they are",
    ),
    "logits beside probabilities": (
        lambda folder: logits_of(folder, "released"), "holds probabilities and released/forget.npz logits"
    ),
    "no header": (lambda folder: csv(folder / FORGET, "0.1,0.9\n0.2,0.8\n"), "has no header"),
    "a field too few": (lambda folder: csv(folder / FORGET, "id,p0,p1\n1,0.5,0.5\n2,0.5\n"), "line 3 has 2 fields"),
    "a word": (lambda folder: csv(folder / FORGET, "id,p0,p1\n1,0.5,half\n"), "column p1 has half, which is no number"),
    "a hole": (lambda folder: csv(folder / FORGET, "id,p0,p1\n1,0.5,\n"), "column p1 has no value in line 2"),
    "decimal commas": (lambda folder: csv(folder / FORGET, "id;p0;p1\n1;0,5;0,5\n"), "write decimal points, not"),
    "an index of pandas": (lambda folder: csv(folder / FORGET, ",p0,p1\n0,0.5,0.5\n"), "a column without a name, as"),
    "a column twice": (lambda folder: csv(folder / FORGET, "id,p0,p0\n0,0.5,0.5\n"), "column names twice: p0"),
    "two ids": (lambda folder: csv(folder / FORGET, "id,IDs,p0,p1\n0,0,0.5,0.5\n"), "has 2 columns for the id"),
    "a column beside the outputs": (
        lambda folder: csv(folder / FORGET, "id,p0,p1,age\n0,0.5,0.5,31\n"), "columns p0, p1, ... and 'age'"
    ),
    "latin-1": (lambda folder: csv(folder / FORGET, "id,p0,p1\n\xe9,0.5,0.5\n".encode("latin-1")), "is not text in"),
    "binary": (lambda folder: csv(folder / FORGET, b"id,p0\0\n"), "it holds NUL bytes"),
    "a table of text": (lambda folder: csv(folder / FORGET, "id,p0,p1\n"), "released/forget.csv holds no rows"),
    "no parquet": (
        lambda folder: (folder / FORGET).rename(folder / "released" / "forget.parquet") and None,
        "is no .parquet file that can be read" if find_spec("pyarrow") else "reading .parquet needs pyarrow",
    ),
    "another kind of file": (
        says(AUDIT.replace('"released"', "{forget = 'audit.toml', held_out = 'released/held_out.npz'}")),
        "audit.toml is a .toml file: outputs are read from .npz, .npy, .csv, .parquet files",
    ),
    "a file that is not there": (
        says(AUDIT.replace('"released"', "{forget = 'x.npz', held_out = 'released/held_out.npz'}")), "there is no file"
    ),
    "columns of other classes": (
        both(
            lambda folder: as_csv(folder / "original/forget.npz"),
            lambda folder: as_csv(folder / FORGET, lambda text: text.replace("p9", "p11")),
        ),
        "has columns for classes that no file beside it has: 11",
    ),
}  # fmt: skip
HOSTILE: dict[str, tuple[Change, str]] = {
    "one file for model and reference": (copied("retrained_1", "released"), "hold the very same, given as the"),
    "one file for model and original": (copied("original", "released"), "hold the very same, given as the original"),
    "one file for two references": (copied("retrained_1", "retrained_2"), "given as the retrained 0 and as the"),
    "the original, stored anew": (stored_anew("original", "released"), "nothing was unlearned, or one model was saved"),
    "a reference, stored anew": (stored_anew("retrained_2", "released"), "a model cannot be judged by itself"),
    "the original for a reference": (stored_anew("original", "retrained_1"), "never saw the rows to be forgotten"),
    "one seed for two references": (stored_anew("retrained_1", "retrained_2"), "it counts once. Train under another"),
    "forget rows for held-out ones": (
        files_of_forget_for_held_out,
        "is given as the forget and as the held_out rows of the original model",
    ),
    "forget ids among the held-out": (
        each("held_out", id=lambda ids: np.r_[np.arange(5), ids[5:]]),
        "5 ids are among the forget rows and among the held_out rows: 0, 1, 2, 3 and 1 more",
    ),
    "forget ids among the test": (
        each("test", id=lambda ids: np.r_[np.arange(1), ids[1:]]),
        "1 ids are among the forget rows and among the test rows: 0",
    ),
    "forget rows among the held-out, under other ids": (
        forget_rows_under_other_ids,
        "6 forget rows have the very outputs of held_out rows in every model (id 0 is id 5200",
    ),
    "no held-out row of a class": (
        no_threes,
        "no held_out row is of class 3",
    ),
}  # fmt: skip
WRONG = {**WRONG_TOML, **WRONG_FILES, **HOSTILE}


@pytest.mark.parametrize(("change", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_sentence_before_anything_is_judged(
    change: Change, sentence: str, project: Path, run: Run
) -> None:
    change(project)
    done = run("files", project / "audit.toml")
    assert done.status == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert not (project / ".unlearn").exists()


def test_the_files_that_are_spoiled_above_can_be_judged_before(project: Path, run: Run) -> None:
    done = run("files", project / "audit.toml")
    assert done.status == 1
    assert "forgotten is " in done.out


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the example, and those of a second model that was trained on everything."""
    folder = tmp_path_factory.mktemp("trained")
    make_files.save(folder, make_files.models())
    second = make_files.models(references=0, released="original")["released"]
    make_files.save(folder, {"second_original": second})
    (folder / "audit.toml").write_text(AUDIT)
    return folder


@pytest.fixture
def judged(trained: Path, tmp_path: Path, run: Run) -> Callable[..., tuple[Done, dict[str, Any]]]:
    """Change a copy of these files, judge them in this process, and return what was said and found by claim."""
    folder = Path(shutil.copytree(trained, tmp_path / "project"))

    def judge(change: Change = lambda _: None) -> tuple[Done, dict[str, Any]]:
        change(folder)
        done = run("files", folder / "audit.toml")
        claims = report_of(folder)["claims"] if done.status < 2 else []
        return done, {claim["evidence"]["claim"]["name"]: claim["evidence"] for claim in claims}

    return judge


def report_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / ".unlearn" / "report" / "report.json").read_text())
    assert isinstance(found, dict)
    return found


def python(*arguments: str, cwd: Path) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_unlearn", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_a_retrained_model_is_released_and_its_report_is_checked_and_verified(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "project"))
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "audit.toml").write_text("release_files = ['model.bin']\n" + AUDIT)
    done = python("files", "audit.toml", cwd=folder)
    assert done.status == 0, done.out + done.err
    assert "release gate: release" in done.out
    written = {path.name for path in (folder / ".unlearn" / "report").iterdir()}
    assert written >= {"index.html", "report.json", "report.md", "scores.json", "attestation.json"}
    report = ".unlearn/report/report.json"
    checked = python(
        "check", report, "--require", "forgotten", "utility", "--model", "model.bin", "--max-age", "1h",
        "--attestation", ".unlearn/report/attestation.json", "--max-mia-auc", "0.6", cwd=folder,
    )  # fmt: skip
    assert checked.status == 0, checked.out + checked.err
    verified = python("verify", "--strict", report, cwd=folder)
    assert verified.status == 0, verified.out
    assert "2 claims computed again with the same result" in verified.out


Judged = Callable[..., tuple[Done, dict[str, Any]]]


@pytest.mark.slow
def test_every_file_is_in_the_provenance_with_its_digest(judged: Judged, tmp_path: Path) -> None:
    done, found = judged(adds("project = 'digits'\nrequest = 'T-1'"))
    assert done.status == 0, done.out + done.err
    folder = tmp_path / "project"
    there = {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*.npz") if "second" not in str(path)}
    for one in found.values():
        rows = {row["name"]: row["sha256"] for row in one["provenance"]["output files"]}
        assert rows == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
        assert len(rows) == 12
    assert len({one["provenance"]["model"]["digest"] for one in found.values()}) == 1
    assert str(tmp_path) not in (folder / ".unlearn" / "report" / "report.json").read_text()
    assert report_of(folder)["identity"]["request"] == "T-1"


@pytest.mark.slow
def test_one_retrained_model_is_not_enough_and_what_to_do_is_said(judged: Judged) -> None:
    one = AUDIT.replace("retrained_*", "retrained_1*")
    done, found = judged(says(one))
    assert done.status == 1
    assert found["forgotten"]["verdict"] == "INCONCLUSIVE"
    assert "retrain once more" in done.out
    done, found = judged(says("require_controls = false\n" + one))
    assert done.status == 0
    assert any("require_controls=False" in reason for reason in found["forgotten"]["reasons"])


@pytest.mark.slow
def test_what_was_trained_on_everything_is_blocked_in_a_report_of_its_own(judged: Judged) -> None:
    done, found = judged(says(AUDIT.replace('"released"', '"second_original"')))
    assert done.status == 1
    assert (found["forgotten"]["verdict"], found["forgotten"]["label"]) == ("FAIL", "recognisable")
    assert "release gate: blocked" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_verdict_does_not_depend_on_the_form_or_the_order_of_the_files(ending: str, judged: Judged) -> None:
    def stored_otherwise(folder: Path) -> None:
        for k, path in enumerate(sorted(folder.glob("*/*.npz"))):
            with np.load(path) as stored:
                order = np.random.default_rng(k).permutation(len(stored["id"]))
                rows = {name: stored[name][order] for name in stored}
            path.unlink()
            make_files.write(path.with_suffix(ending), rows["id"], rows["label"], rows["outputs"])

    before, found = judged()
    after, again = judged(stored_otherwise)
    assert (before.status, after.status) == (0, 0)
    for name in found:
        assert again[name]["estimate"]["value"] == pytest.approx(found[name]["estimate"]["value"], abs=1e-9)


@pytest.mark.slow
def test_rows_out_of_order_without_ids_are_never_released(judged: Judged) -> None:
    def shuffled(folder: Path) -> None:
        for part in ("forget", "held_out", "test"):
            everywhere(folder, part, id=None)
            path = folder / "released" / f"{part}.npz"
            arrays(path, outputs=np.random.default_rng(0).permutation(np.load(path)["outputs"]))

    done, found = judged(shuffled)
    assert done.status == 1
    assert found["forgotten"]["verdict"] == "INVALID"
    assert "outputs misaligned?" in found["forgotten"]["reasons"][0]


@pytest.mark.slow
def test_rows_out_of_order_within_their_class_are_never_released(judged: Judged) -> None:
    def shuffled(folder: Path) -> None:
        for part in ("forget", "held_out"):
            everywhere(folder, part, id=None)
            path = folder / "released" / f"{part}.npz"
            with np.load(path) as stored:
                labels, outputs = stored["label"], stored["outputs"].copy()
            for label in np.unique(labels):
                outputs[labels == label] = np.random.default_rng(label).permutation(outputs[labels == label])
            arrays(path, outputs=outputs)

    done, found = judged(shuffled)
    assert done.status == 1
    assert found["forgotten"]["verdict"] != "PASS"


@pytest.mark.slow
def test_a_model_stored_on_another_scale_is_still_the_original(judged: Judged) -> None:
    def scaled(folder: Path) -> None:
        for name in ("original", "released", "retrained_1", "retrained_2"):
            logits_of(folder, name)
        for path in (folder / "original").glob("*.npz"):
            shutil.copy(path, folder / "released" / path.name)
            arrays(folder / "released" / path.name, outputs=np.load(path)["outputs"] / 20)

    done, found = judged(scaled)
    assert done.status == 1
    assert found["forgotten"]["verdict"] != "PASS"


@pytest.mark.slow
def test_held_out_rows_given_for_those_to_be_forgotten_prove_nothing(judged: Judged) -> None:
    def swapped(folder: Path) -> None:
        for path in folder.glob("*/forget.npz"):
            other = path.with_name("held_out.npz")
            path.rename(path.with_name("tmp.npz"))
            other.rename(path)
            path.with_name("tmp.npz").rename(other)

    done, found = judged(swapped)
    assert done.status == 1
    assert found["forgotten"]["verdict"] != "PASS"


@pytest.mark.slow
def test_held_out_rows_that_are_there_three_times_count_once(judged: Judged) -> None:
    def thrice(folder: Path) -> None:
        for path in folder.glob("*/held_out.npz"):
            with np.load(path) as stored:
                rows = {name: np.concatenate([stored[name]] * 3) for name in ("outputs", "label")}
            arrays(path, **rows, id=np.arange(9000, 9000 + len(rows["label"])))

    _, before = judged()
    _, after = judged(thrice)
    for name in ("low", "high", "n_controls"):
        assert after["forgotten"]["estimate"][name] == pytest.approx(before["forgotten"]["estimate"][name])


@pytest.mark.slow
@pytest.mark.parametrize("reveal", [lambda p: np.eye(10)[p.argmax(1)], lambda p: p.round(2), lambda p: p.astype("f2")])
def test_coarse_answers_that_coincide_are_not_taken_for_one_example(reveal: Any, judged: Judged) -> None:
    done, found = judged(both(*(each(part, outputs=reveal) for part in ("forget", "held_out", "test"))))
    assert done.status < 2, done.err
    assert found["forgotten"]["verdict"] in ("PASS", "INCONCLUSIVE")
    assert found["forgotten"]["estimate"]["n_controls"] >= 0.95 * make_files.HELD_OUT


@pytest.mark.slow
def test_other_claims_are_judged_where_they_are_asked(judged: Judged) -> None:
    every = 'require = ["leakage_reduced", "matches_retrained", "utility"]\n'
    done, found = judged(says(every + AUDIT.replace("max_mia_auc = 0.60", "min_reduction = 0.3\nmax_gap = 0.08")))
    assert set(found) == {"leakage_reduced", "matches_retrained", "utility"}
    assert {name: one["verdict"] for name, one in found.items()} == dict.fromkeys(found, "PASS")
    assert done.status == 0


@pytest.mark.slow
def test_without_test_rows_accuracy_is_that_on_held_out_ones(judged: Judged) -> None:
    done, found = judged(lambda folder: [path.unlink() for path in folder.glob("*/test.npz")] and None)
    assert done.status in (0, 1)
    assert found["utility"]["estimate"]["n_forget"] == make_files.HELD_OUT


def test_what_advice_pastes_into_a_test_is_told_for_the_toml() -> None:
    advice = (
        "assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.45): passes; for the gate: x",
        "or assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.7): the smallest limit",
        "or assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.6, runs=7): judges the method",
        "or batch requests until there are about 90",
    )
    assert command.in_toml(advice) == [
        'either require = ["utility", "leakage_reduced"] and, in [limits], min_reduction = 0.45: passes',
        'or require = ["forgotten", "utility"] and, in [limits], max_mia_auc = 0.7: the smallest limit',
        "or batch requests until there are about 90",
    ]


def test_one_step_is_no_choice_and_a_claim_in_passing_is_named_as_in_the_toml() -> None:
    runs = "or assert_algorithm(unlearner, unlearning_task, runs=7): judges the method"
    assert command.in_toml([runs, "or batch requests"]) == ["batch requests"]
    assert command.in_toml(["unlearn longer, or assert_leakage_reduced with min_reduction=0.5"]) == [
        'unlearn longer, or require = ["utility", "leakage_reduced"] and, in [limits], min_reduction = 0.5'
    ]


@pytest.mark.parametrize("part", ["forget", "held_out", "test"])
@pytest.mark.parametrize("model", ["released", "original", "retrained_1"])
def test_a_file_without_ids_beside_files_with_ids_is_refused(model: str, part: str, project: Path, run: Run) -> None:
    arrays(project / model / f"{part}.npz", id=None)
    done = run("files", project / "audit.toml")
    assert done.status == 2
    assert f"{model}/{part}.npz" in done.err
    assert "has no ids and " in done.err
    assert "leave ids out of all" in done.err


@pytest.mark.parametrize("models", [["original"], ["retrained_1"], ["retrained_2"], ["retrained_1", "retrained_2"]])
def test_a_model_to_compare_with_in_another_order_is_named(models: list[str], project: Path, run: Run) -> None:
    for part in ("forget", "held_out", "test"):
        everywhere(project, part, id=None)
        for k, model in enumerate(models):
            path = project / model / f"{part}.npz"
            arrays(path, outputs=np.random.default_rng(k).permutation(np.load(path)["outputs"]))
    done = run("files", project / "audit.toml")
    assert done.status == 1
    claims = {one["evidence"]["claim"]["name"]: one["evidence"] for one in report_of(project)["claims"]}
    assert claims["forgotten"]["verdict"] == "INVALID"
    told = [reason for reason in claims["forgotten"]["reasons"] if "outputs misaligned?" in reason]
    for model in models:
        assert any(f"({model}/" in reason for reason in told)
    assert len(told) == len(models)
    assert (claims["utility"]["verdict"] == "INVALID") == ("original" in models)


@pytest.mark.slow
def test_examples_that_stand_out_have_the_names_of_their_file(project: Path, run: Run) -> None:
    assert "#" not in (shown := stands_out(run("files", project / "audit.toml").out))
    assert "id " in shown
    everywhere(project, "forget", id=None)
    shown = stands_out(run("files", project / "audit.toml").out)
    assert "row " in shown
    assert "index in train" not in shown


def stands_out(text: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith("stand out"))


@pytest.mark.parametrize("key", [*config.KEYS, *config.LIMITS])
def test_every_key_is_found_again_from_a_misspelling(key: str, project: Path, run: Run) -> None:
    wrong = {"report": "reporrt", "access": "acess"}.get(key, key[:-2] + key[-1] + key[-2])
    says(AUDIT + f"{wrong} = 1" if key in config.LIMITS else f"{wrong} = 1\n" + AUDIT)(project)
    done = run("files", project / "audit.toml")
    assert done.status == 2
    assert f"; the nearest is {key}." in done.err
