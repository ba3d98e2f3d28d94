"""Outputs in files are what they are in arrays, in whatever form and order; and nothing is unpickled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, audit_forgotten, audit_leakage_reduced, audit_utility
from pytest_unlearn.claims.common.provenance import NO_OP
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.data.unseen import NoInputsError
from pytest_unlearn.models.adapters import identify

IMAGES, DIGITS = load_digits(return_X_y=True)
SETS = {"forget": np.arange(80), "controls": np.arange(700, 1000), "test": np.arange(1000, 1300)}
TRAINED = {
    "original": np.arange(500),
    "released": np.arange(80, 500),
    "first": np.arange(80, 480),
    "second": np.arange(80, 460),
}
PERSONS = {"forget": np.arange(80) // 4, "controls": 1000 + np.arange(300) // 3}
WORDS = np.array(["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What four models that were trained on different digits answer to three sets, as probabilities."""
    models = {name: LogisticRegression(max_iter=60).fit(IMAGES[rows], DIGITS[rows]) for name, rows in TRAINED.items()}
    return {
        name: {part: model.predict_proba(IMAGES[rows]) for part, rows in SETS.items()} for name, model in models.items()
    }


def csv_text(columns: dict[str, Any], delimiter: str = ",") -> str:
    rows = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    return "\n".join(delimiter.join(str(cell) for cell in row) for row in [tuple(columns), *rows]) + "\n"


def columns_of(outputs: Any, stem: str = "p") -> dict[str, Any]:
    return {f"{stem}{k}": outputs[:, k] for k in range(outputs.shape[1])}


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pa, table = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table.write_table(pa.table(columns), path)
    return path


def save(folder: Path, name: str, answers: dict[str, Any], **more: Any) -> dict[str, Path]:
    """A .npz a set with ids and labels; `more` replaces arrays by set."""
    folder.mkdir(exist_ok=True)
    found = {}
    for part, outputs in answers.items():
        extra = {key: values[part] for key, values in more.items() if part in values}
        found[part] = folder / f"{name}_{part}.npz"
        np.savez(found[part], **{"outputs": outputs, "id": SETS[part], "label": DIGITS[SETS[part]], **extra})
    return found


def all_of(folder: Path, answers: dict[str, dict[str, Any]], **more: Any) -> dict[str, SavedOutputs]:
    return {name: SavedOutputs.from_files(**save(folder, name, found, **more)) for name, found in answers.items()}


def judged(audit: Callable[..., Any], saved: dict[str, SavedOutputs], **more: Any) -> Any:
    released = saved["released"]
    return audit(
        released,
        released.view("forget"),
        nonmembers=released.view("controls"),
        baseline=saved["original"],
        references=[saved["first"], saved["second"]],
        **more,
    )


def test_every_form_of_file_holds_the_same_outputs(tmp_path: Path, answers: Any) -> None:
    outputs, ids, labels = answers["released"]["forget"], SETS["forget"], DIGITS[SETS["forget"]]
    rows = {"id": ids, "label": labels, **columns_of(outputs)}
    np.savez(tmp_path / "a.npz", outputs=outputs, ids=ids, Labels=labels)
    np.save(tmp_path / "b.npy", outputs)
    (tmp_path / "c.csv").write_text(csv_text(rows))
    (tmp_path / "d.csv").write_bytes(b"\xef\xbb\xbf" + csv_text(rows, ";").encode())
    (tmp_path / "e.csv").write_text(csv_text(rows, "\t"))
    parquet(tmp_path / "f.parquet", rows)
    parquet(tmp_path / "g.parquet", {"id": ids, "label": labels, "probs": [row.tolist() for row in outputs]})
    table = np.empty(len(ids), dtype=[("id", "i8"), *((f"p{k}", "f8") for k in range(10))])
    for name in table.dtype.names:
        table[name] = rows[name]
    np.save(tmp_path / "h.npy", table)
    found = [SavedOutputs.from_files(forget=path) for path in sorted(tmp_path.iterdir())]
    assert len(found) == 8
    for one in found:
        assert np.array_equal(one.parts["forget"], outputs)
    views = [one.view("forget") for one in found if one.files["forget"].labels is not None]
    assert len(views) == 6
    assert {view.digest for view in views} == {views[0].digest}


def test_rows_are_aligned_by_their_ids_and_columns_by_their_names(tmp_path: Path, answers: Any) -> None:
    outputs, ids, labels = answers["released"]["forget"], SETS["forget"], DIGITS[SETS["forget"]]
    order, classes = np.random.default_rng(0).permutation(len(ids)), np.random.default_rng(1).permutation(10)
    (tmp_path / "a.csv").write_text(csv_text({"id": ids, "label": labels, **columns_of(outputs)}))
    named = {f"logit_{k}": np.log(outputs[order][:, k]) for k in classes}
    (tmp_path / "b.csv").write_text(csv_text({"id": [f" {one} " for one in ids[order]], **named}))
    one, other = (SavedOutputs.from_files(forget=tmp_path / name) for name in ("a.csv", "b.csv"))
    assert np.allclose(other.rows(one.view("forget")), np.log(outputs))


@pytest.mark.parametrize("ids", [np.arange(80), np.arange(80.0), np.arange(80).astype(str), np.arange(80).astype("S")])
def test_an_id_is_the_same_as_number_and_as_text(ids: Any, tmp_path: Path, answers: Any) -> None:
    files = save(tmp_path, "released", answers["released"], id={"forget": ids})
    assert SavedOutputs.from_files(**files).files["forget"].ids == tuple(str(k) for k in range(80))


def test_labels_are_numbers_of_columns_or_their_names(tmp_path: Path, answers: Any) -> None:
    outputs, labels = answers["released"]["forget"], DIGITS[SETS["forget"]]
    words = {f"p_{word}": outputs[:, k] for k, word in enumerate(WORDS)}
    (tmp_path / "a.csv").write_text(csv_text({"label": WORDS[labels], **words}))
    np.savez(tmp_path / "b.npz", outputs=outputs, label=WORDS[labels], classes=WORDS)
    np.savez(tmp_path / "c.npz", outputs=outputs, label=WORDS[labels])
    (tmp_path / "d.csv").write_text(csv_text({"label": labels * 10, **{f"{10 * k}": outputs[:, k] for k in range(10)}}))
    (tmp_path / "e.csv").write_text(csv_text({"label": labels.astype(float), **columns_of(outputs)}))
    ways: list[Any] = [{}, {}, {"columns": {"classes": WORDS.tolist()}}, {}, {}]
    for path, way in zip(sorted(tmp_path.iterdir()), ways, strict=True):
        assert np.array_equal(SavedOutputs.from_files(forget=path, **way).view("forget").labels, labels)


def test_numbers_that_may_be_names_or_positions_are_asked_about(tmp_path: Path) -> None:
    outputs = np.full((3, 3), 1 / 3)
    (tmp_path / "a.csv").write_text(csv_text({"label": [0, 1, 2], **{f"c{k}": outputs[:, k - 1] for k in (1, 2, 3)}}))
    with pytest.raises(ValueError, match="say which class each column stands for with columns.classes"):
        SavedOutputs.from_files(forget=tmp_path / "a.csv").view("forget")
    found = SavedOutputs.from_files(forget=tmp_path / "a.csv", columns={"classes": ["0", "1", "2"]})
    assert found.view("forget").labels.tolist() == [0, 1, 2]


def test_labels_and_groups_may_lie_in_a_file_of_their_own(tmp_path: Path, answers: Any) -> None:
    np.save(tmp_path / "out.npy", answers["released"]["forget"])
    (tmp_path / "who.csv").write_text(
        csv_text({"id": SETS["forget"], "label": DIGITS[SETS["forget"]], "customer": PERSONS["forget"]})
    )
    files: dict[str, Any] = {"forget": tmp_path / "out.npy", "labels": {"forget": tmp_path / "who.csv"}}
    view = SavedOutputs.from_files(**files, columns={"group": "customer"}).view("forget")
    assert np.array_equal(view.labels, DIGITS[SETS["forget"]])
    assert view.examples.groups == tuple(map(str, PERSONS["forget"]))  # type: ignore[attr-defined]
    np.save(tmp_path / "right.npy", DIGITS[SETS["forget"]])
    alone = SavedOutputs.from_files(forget=tmp_path / "out.npy", labels={"forget": tmp_path / "right.npy"})
    assert np.array_equal(alone.view("forget").labels, DIGITS[SETS["forget"]])


def test_columns_are_chosen_by_name_or_pattern(tmp_path: Path, answers: Any) -> None:
    outputs = answers["released"]["forget"]
    rows = {"customer": SETS["forget"], "y": DIGITS[SETS["forget"]], "age": np.arange(80), **columns_of(outputs)}
    (tmp_path / "a.csv").write_text(csv_text(rows))
    for chosen in ("p*", [f"p{k}" for k in range(10)]):
        found = SavedOutputs.from_files(
            forget=tmp_path / "a.csv", columns={"id": "customer", "label": "y", "outputs": chosen}
        )
        assert np.array_equal(found.parts["forget"], outputs)
        assert np.array_equal(found.view("forget").labels, DIGITS[SETS["forget"]])
    with pytest.raises(ValueError, match="'age', which is neither an output like them"):
        SavedOutputs.from_files(forget=tmp_path / "a.csv", columns={"id": "customer", "label": "y"})
    with pytest.raises(ValueError, match="no column q0"):
        SavedOutputs.from_files(forget=tmp_path / "a.csv", columns={"outputs": ["q0"]})
    with pytest.raises(ValueError, match="has no column like 'q"):
        SavedOutputs.from_files(forget=tmp_path / "a.csv", columns={"outputs": "q*"})


@pytest.mark.parametrize("audit", [audit_forgotten, audit_leakage_reduced])
def test_an_audit_of_files_is_that_of_the_task(audit: Callable[..., Any], tmp_path: Path, answers: Any) -> None:
    split = Split(
        (IMAGES[:500], DIGITS[:500]),
        forget=SETS["forget"],
        test=(IMAGES[SETS["test"]], DIGITS[SETS["test"]]),
        controls=(IMAGES[SETS["controls"]], DIGITS[SETS["controls"]]),
    )
    models = {name: SavedOutputs(**parts) for name, parts in answers.items()}
    task = UnlearningTask(split, original=models["original"], references=[models["first"], models["second"]])
    of_task, of_files = audit(models["released"], task.forget), judged(audit, all_of(tmp_path, answers))
    assert of_files.attacks == of_task.attacks
    assert of_files.verdict is of_task.verdict
    assert of_files.controls == of_task.controls


def test_groups_in_files_cluster_as_those_of_a_split(tmp_path: Path, answers: Any) -> None:
    split = Split(
        (IMAGES[:500], DIGITS[:500]),
        forget=SETS["forget"],
        test=(IMAGES[SETS["controls"]], DIGITS[SETS["controls"]]),
        groups=np.r_[PERSONS["forget"], np.arange(5000, 5420)],
        control_groups=PERSONS["controls"],
    )
    models = {name: SavedOutputs(forget=parts["forget"], test=parts["controls"]) for name, parts in answers.items()}
    task = UnlearningTask(split, original=models["original"], references=[models["first"], models["second"]])
    grouped, plain = all_of(tmp_path, answers, group=PERSONS), all_of(tmp_path / "plain", answers)
    of_files = judged(audit_forgotten, grouped)
    assert of_files.attacks == audit_forgotten(models["released"], task.forget).attacks
    assert of_files.attacks != judged(audit_forgotten, plain).attacks


def test_a_share_of_the_training_data_is_known_only_where_it_is_said(tmp_path: Path, answers: Any) -> None:
    files = save(tmp_path, "released", answers["released"])
    assert SavedOutputs.from_files(**files, train_size=500).view("forget").examples.train_size == 500  # type: ignore[attr-defined]
    assert SavedOutputs.from_files(**files).view("forget").examples.train_size is None  # type: ignore[attr-defined]


def test_the_model_is_named_by_the_digest_of_its_files(tmp_path: Path, answers: Any) -> None:
    saved = all_of(tmp_path, answers)
    evidence = judged(audit_forgotten, saved)
    model = evidence.provenance["model"]
    assert model["digest"] == saved["released"].digest == identify(saved["released"]).digest
    assert {row["sha256"] for row in model["files"].values()} == {
        one.sha256 for one in saved["released"].files.values()
    }
    again = audit_utility(saved["released"], saved["released"].view("test"), baseline=saved["original"])
    assert again.provenance["model"]["digest"] == model["digest"]
    assert len({one.digest for one in saved.values()}) == 4
    with pytest.raises(ValueError, match="read-only"):
        saved["released"].parts["forget"][0] = 0


def test_the_original_read_twice_is_no_op_and_never_passes(tmp_path: Path, answers: Any) -> None:
    saved = all_of(tmp_path, answers)
    saved["released"] = SavedOutputs.from_files(**{k: one.name for k, one in saved["original"].files.items()})
    evidence = judged(audit_forgotten, saved)
    assert NO_OP in evidence.reasons
    assert str(evidence.verdict) != "PASS"


def test_what_needs_inputs_says_that_files_alone_were_given(tmp_path: Path, answers: Any) -> None:
    saved = all_of(tmp_path, answers)
    view = saved["released"].view("forget")
    for ask in (lambda: view[0], lambda: view.arrays(), lambda: list(view.batches(8)), lambda: next(iter(view))):
        with pytest.raises(NoInputsError, match="only files of outputs were given"):
            ask()
    with pytest.raises(NoInputsError, match="only files of outputs were given"):
        audit_forgotten(
            saved["released"], view, nonmembers=saved["released"].view("controls"), baseline=saved["original"]
        )


def test_all_attacks_and_thumbnails_are_left_out_where_there_is_nothing_to_ask_or_show(
    tmp_path: Path, answers: Any
) -> None:
    with recording(Recorder("t", {"ini": {"report_thumbnails": True}})):
        evidence = judged(audit_forgotten, all_of(tmp_path, answers), attacks="all")
    assert evidence.provenance["settings"]["attacks"]["left out"]
    assert all(one.pixels is None for one in evidence.most_exposed)


def test_files_serve_a_split_too_and_must_have_its_labels(tmp_path: Path, answers: Any) -> None:
    split = Split(
        (IMAGES[:500], DIGITS[:500]), forget=SETS["forget"], test=(IMAGES[SETS["test"]], DIGITS[SETS["test"]])
    )
    task = UnlearningTask(split, references=[])
    good = SavedOutputs.from_files(**save(tmp_path, "released", answers["released"]))
    assert np.array_equal(good.rows(task.forget), answers["released"]["forget"])
    wrong = {"forget": np.roll(DIGITS[SETS["forget"]], 1)}
    bad = SavedOutputs.from_files(**save(tmp_path, "bad", answers["released"], label=wrong))
    with pytest.raises(ValueError, match=r"bad_forget.npz has other labels than the forget view .* first id 1:"):
        bad.rows(task.forget)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["bomb.npy", "bomb.npz"])
def test_nothing_is_unpickled(name: str, tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "gone off")], dtype=object)
    np.save(tmp_path / name, bomb) if name.endswith("npy") else np.savez(tmp_path / name, outputs=bomb)
    with pytest.raises(ValueError, match="holds Python objects, which only unpickling could read"):
        SavedOutputs.from_files(forget=tmp_path / name)
    assert not (tmp_path / "gone off").exists()
    np.load(tmp_path / name, allow_pickle=True)["outputs" if name.endswith("z") else 0]
    assert (tmp_path / "gone off").exists()


def test_parquet_without_a_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    for library in ("pyarrow", "polars", "pandas"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=r"needs pyarrow \(`pip install pyarrow`\), polars or pandas"):
        SavedOutputs.from_files(forget=tmp_path / "a.parquet")


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_other_libraries_read_parquet_where_pyarrow_is_missing(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastparquet" if library == "pandas" else library)
    path = parquet(tmp_path / "a.parquet", {"id": [3, 1, 2], "p0": [0.5, 0.2, 0.1], "p1": [0.5, 0.8, 0.9]})
    for other in {"pyarrow", "polars", "pandas"} - {library}:
        monkeypatch.setitem(sys.modules, other, None)
    found = SavedOutputs.from_files(forget=path).files["forget"]
    assert found.ids == ("3", "1", "2")
    assert found.outputs is not None
    assert found.outputs.tolist() == [[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]]


def test_a_hole_in_parquet_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"id": [3, 1], "p0": [0.5, None], "p1": [0.5, 0.8]})
    with pytest.raises(ValueError, match="column p0 has no value in row 1"):
        SavedOutputs.from_files(forget=path)
    path = parquet(tmp_path / "b.parquet", {"probs": [[0.5, 0.5], [1.0]]})
    with pytest.raises(ValueError, match="lists of different lengths"):
        SavedOutputs.from_files(forget=path)


def test_a_column_of_probabilities_and_one_of_log_odds_are_told_apart(tmp_path: Path) -> None:
    chances = np.linspace(0.05, 0.95, 20)
    np.savez(tmp_path / "a.npz", outputs=chances, label=np.arange(20) % 2)
    np.savez(tmp_path / "b.npz", outputs=np.log(chances / (1 - chances)), label=np.arange(20) % 2)
    kinds = [SavedOutputs.from_files(forget=tmp_path / name).files["forget"].kind for name in ("a.npz", "b.npz")]
    assert kinds == ["probabilities", "logits"]
    np.savez(tmp_path / "c.npz", outputs=np.log(np.c_[chances, 1 - chances]), label=np.arange(20) % 2)
    assert SavedOutputs.from_files(forget=tmp_path / "c.npz").files["forget"].kind == "log-probabilities"
