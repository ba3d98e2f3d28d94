"""`verify` on one real report: what was edited, also by somebody who seals it again, is found and named."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import (
    Evidence,
    audit_class_forgotten,
    audit_features_forgotten,
    audit_forgotten,
    audit_leakage_reduced,
    audit_no_residual,
    audit_not_relearnable,
    audit_utility,
)
from pytest_unlearn.claims.relearning import conclusion as relearning
from pytest_unlearn.cli import stored_report
from pytest_unlearn.core.evidence import Claim
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.core.stored_arrays import StoredArrays
from pytest_unlearn.report import scores, write
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from tests.cli.conftest import Run
from tests.evidences import evidence
from tests.worlds.removed_class import LIMITS, answering, fake_task
from tests.worlds.simulated import World, changed, split

Report = tuple[dict[str, Any], dict[str, Any]]  # report.json and scores.json
Edit = Callable[[dict[str, Any], dict[str, Any]], None]  # of the first claim: its evidence, and its record
ABOUT = {**facts(["--unlearn-report"], Path("/somewhere")), "gate": None, "release_files": []}
RENAMED = "a strange name"


def entries(**kinds: Any) -> dict[str, Any]:
    """A ledger with one test for each evidence."""
    book = Ledger()
    for name, found in kinds.items():
        recorder = Recorder()
        recorder.add(found.to_json())
        book.add(
            f"tests/test_release.py::{name}", "passed" if str(found.verdict) == "PASS" else "failed", recorder.drain()
        )
    return book.freeze()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a model that passes, its original, which fails, and its accuracy."""
    world = World(split(n_forget=200, n_controls=1000), seed=1, difficulty=0.5, skill=1.5)
    task, model = world.task(boost=2.5), world.model()
    found = {
        "test_1_forgotten": audit_forgotten(model, task.forget, 0.6, slices={"first": range(100)}),
        "test_2_original": audit_forgotten(task.original, task.forget, 0.6),
        "test_3_reduced": audit_leakage_reduced(model, task.forget),
        "test_4_utility": audit_utility(model, task.test, 0.2, baseline="retrained"),
    }
    assert [str(one.verdict) for one in found.values()] == ["PASS", "FAIL", "PASS", "PASS"]
    folder = tmp_path_factory.mktemp("report")
    write.publish(entries(**found), ABOUT, folder, folder)
    return folder


def loaded(folder: Path) -> Report:
    report, stored = (json.loads((folder / name).read_text()) for name in ("report.json", scores.FILE))
    return report, stored


def store(folder: Path, report: Any, stored: Any) -> Path:
    (folder / scores.FILE).write_text(scores.canonical(stored) + "\n")
    (folder / "report.json").write_text(json.dumps(report))
    return folder / "report.json"


def seal_again(report: Any, stored: Any) -> None:
    """Make every digest anew, as somebody would who knows how they are made."""
    for entry, row in zip(report["claims"], stored["claims"], strict=True):
        entry["evidence"]["scores"] = {"sha256": scores.digest(row["record"])}
        row["sealed"] = scores.seals_of(entry)
    stored["sealed"] = {name: scores.digest(part) for name, part in report.items() if name not in scores.UNSEALED}
    text = scores.canonical(stored) + "\n"
    report["scores"] = {"file": scores.FILE, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def put(where: str, value: Any, claim: int = 0) -> Callable[[Any, Any], None]:
    """Replace a field of a claim's evidence; a function is applied to what is there."""

    def edit(report: Any, _: Any) -> None:
        target, *path = report["claims"][claim], *where.split(".")
        for step in path[:-1]:
            target = target[int(step) if isinstance(target, list) else step]
        last = int(path[-1]) if isinstance(target, list) else path[-1]
        before = target[last]
        target[last] = value(before) if callable(value) else value
        assert target[last] != before

    return edit


def within(where: str, value: Any, claim: int = 0) -> Callable[[Any, Any], None]:
    return put(f"evidence.{where}", value, claim)


def kept(stored: Any, values: Any) -> str:
    """Store an array, and return its key."""
    arrays = StoredArrays()
    key = arrays.put(values)
    stored["arrays"][key] = dict(arrays[key])
    return key


def score(path: str, name: str | None = None, claim: int = 0, side: str = "forget") -> Callable[[Any, Any], None]:
    """Move one score of an attack far out; by default of the one that decided."""

    def edit(report: Any, stored: Any) -> None:
        evidence, findings = report["claims"][claim]["evidence"], stored["claims"][claim]["record"]
        for step in path.split("."):
            findings = findings[int(step) if isinstance(findings, list) else step]
        wanted = name or evidence["decided_by"]
        holder = next(one for one in findings if one["name"] == wanted)["scores"]
        values = StoredArrays(stored["arrays"]).array(holder[side]).copy()
        values[values.argmin()] = values.max() + 1
        holder[side] = kept(stored, values)

    return edit


def of_reference(report: Any, stored: Any) -> None:
    attack = report["claims"][0]["evidence"]["controls"]["retrained"][0]["attack"]
    score("rotations.0", attack)(report, stored)


def of_original(report: Any, stored: Any) -> None:
    score("known", report["claims"][0]["evidence"]["controls"]["original"]["attack"])(report, stored)


def relabelled(_: Any, stored: Any) -> None:
    """One forget example is compared with the controls of another class."""
    pairing = stored["claims"][0]["record"]["pairing"]
    strata = StoredArrays(stored["arrays"]).array(pairing["forget_strata"]).copy()
    strata[0] = (strata[0] + 1) % 4
    pairing["forget_strata"] = kept(stored, strata)


def answer(_: Any, stored: Any) -> None:
    record = stored["claims"][3]["record"]
    ours = StoredArrays(stored["arrays"]).array(record["ours"]).copy()
    ours[0] = 1 - ours[0]
    record["ours"] = kept(stored, ours)


def record(name: str, value: Any, part: str = "terms") -> Callable[[Any, Any], None]:
    def edit(_: Any, stored: Any) -> None:
        stored["claims"][0]["record"][part][name] = value

    return edit


def slightly(value: float) -> float:
    return value + 1e-6


def other_digest(value: str) -> str:
    return "0" * len(value)


def without_first(value: Any) -> Any:
    return value[1:] if isinstance(value, list) else dict(list(value.items())[1:])


def untrue(_: Any) -> bool:
    return False


TRIPWIRE, DECIDING = "attacks.RMIA", "attacks.confidence residual"

# What a person changes who then makes all digests anew: only computing everything again finds these.
SEALED_AGAIN: dict[str, tuple[Callable[[Any, Any], None], str]] = {
    "value": (within("estimate.value", slightly), "estimate.value"),
    "lower bound": (within("estimate.low", slightly), "estimate.low"),
    "upper bound": (within("estimate.high", slightly), "estimate.high"),
    "n forget": (within("estimate.n_forget", 2000), "estimate.n_forget"),
    "n controls": (within("estimate.n_controls", 999), "estimate.n_controls"),
    "confidence": (within("estimate.confidence", 0.99), "estimate.confidence"),
    "method": (within("estimate.method", RENAMED), "estimate.method"),
    "PASS to FAIL": (within("verdict", "FAIL"), "verdict"),
    "PASS to INCONCLUSIVE": (within("verdict", "INCONCLUSIVE"), "verdict"),
    "FAIL to PASS": (within("verdict", "PASS", 1), "verdict"),
    "label": (within("label", "", 1), "label"),
    "decided by": (within("decided_by", RENAMED), "decided_by"),
    "deciding attack": (within(f"{DECIDING}.high", slightly), f"{DECIDING}.high"),
    "tripwire": (within(f"{TRIPWIRE}.value", 0.99), f"{TRIPWIRE}.value"),
    "slice": (within("attacks.slice first.high", slightly), "attacks.slice first.high"),
    "attack removed": (within("attacks", without_first), "attacks."),
    "attack added": (within("attacks", lambda old: {**old, RENAMED: old["RMIA"]}), f"attacks.{RENAMED}"),
    "deciding set": (within("deciding", without_first), "deciding"),
    "simultaneous bound": (within("simultaneous.RMIA.low", slightly), "simultaneous.RMIA.low"),
    "simultaneous limit": (within("simultaneous.RMIA.highest", 0.9), "simultaneous.RMIA.highest"),
    "share left": (within("share_left.high", slightly), "share_left.high"),
    "no share left": (within("share_left", None), "share_left"),
    "leakage reduction": (within("leakage_reduction.low", slightly), "leakage_reduction.low"),
    "limit": (within("claim.highest", 0.9), "claim.highest"),
    "lower limit": (within("claim.lowest", 0.1), "claim.lowest"),
    "quantity": (within("claim.quantity", RENAMED), "claim.quantity"),
    "original's state": (within("controls.original.holds", untrue), "controls.original.holds"),
    "original's value": (within("controls.original.estimate.value", slightly), "controls.original.estimate.value"),
    "reference's state": (within("controls.retrained.0.holds", untrue), "controls.retrained[0].holds"),
    "reference's bound": (within("controls.retrained.1.estimate.high", slightly), "controls.retrained[1].estimate"),
    "reference removed": (within("controls.retrained", without_first), "controls.retrained"),
    "reasons": (within("reasons", without_first, 1), "reasons"),
    "advice": (within("advice", ["nothing"]), "advice"),
    "needed": (within("needed", 17), "needed"),
    "not testable": (within("not_testable", "says who"), "not_testable"),
    "share allowed": (within("provenance.settings.max_share_left", 0.9), "max_share_left"),
    "controls waived": (within("provenance.settings.require_controls", untrue), "require_controls"),
    "reduction": (within("estimate.low", slightly, 2), "estimate.low"),
    "accuracy": (within("estimate.high", slightly, 3), "estimate.high"),
    "accuracy's baseline": (within("controls.retrained.0.estimate.value", 0.0, 3), "controls.retrained[0].estimate"),
    "score": (score("findings"), "estimate.value"),
    "control's score": (score("findings", side="controls"), "estimate.value"),
    "tripwire's score": (score("findings", "RMIA"), f"{TRIPWIRE}.value"),
    "score of the original": (of_original, "controls.original.estimate.value"),
    "score of a reference": (of_reference, "controls.retrained[0].estimate"),
    "class of an example": (relabelled, "estimate."),
    "right answer": (answer, "estimate.value"),
    "limit of the scores": (record("limit", 0.9), "claim.highest"),
    "confidence of the scores": (record("confidence", 0.6), "estimate.confidence"),
    "role of a score": (lambda _, s: s["claims"][0]["record"]["findings"][0].update(role="tripwire"), "deciding"),
    "digest of a score": (
        lambda _, s: s["claims"][0]["record"]["findings"][0]["scores"].update(forget="0" * 64), "cannot be recomputed"
    ),
    "scores taken away": (lambda _, s: s["claims"][0].update(record=None), "it has no scores"),
}  # fmt: skip

# What nothing can be computed from: edited in one place, it is no longer what was sealed.
IN_ONE_PLACE: dict[str, tuple[Callable[[Any, Any], None], str]] = {
    "model": (within("provenance.model.digest", "5eed" * 16), "evidence.provenance"),
    "data": (within("provenance.data.forget.digest", other_digest), "evidence.provenance"),
    "outputs": (within("provenance.settings.outputs", other_digest), "evidence.provenance"),
    "exposure": (within("most_exposed.0.percentile", 0.25), "evidence.most_exposed"),
    "figure": (within("exhibits.0.title", RENAMED), "evidence.exhibits"),
    "outcome": (put("outcome", "skipped"), "outcome"),
    "test": (put("nodeid", RENAMED), "nodeid"),
    "limit's source": (within("claim.sources.max_mia_auc", "ini"), "evidence.claim"),
    "created": (lambda r, _: r.update(created="2019-01-01T00:00:00+00:00"), "the report: created"),
    "file's digest": (lambda r, _: r["scores"].update(sha256="0" * 64), "its SHA-256 is"),
    "claim's digest": (within("scores.sha256", other_digest), "the scores"),
    "no file": (lambda r, _: r.pop("scores"), "names no such file"),
    "share of ties": (  # no rank, no interval and no verdict depends on one so small
        lambda _, s: s["claims"][0]["record"]["findings"][0]["scores"].update(tie_share=0.01), "its SHA-256 is"
    ),
}  # fmt: skip


@pytest.mark.slow
def test_a_report_agrees_with_its_scores(written: Path, run: Run) -> None:
    done = run("verify", written / "report.json", "--strict")
    assert done.status == 0, done.out
    assert done.out.count("agrees: ") == 4
    assert "4 claims computed again with the same result, 0 not recomputed, 0 differences" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("name", SEALED_AGAIN)
def test_an_edit_that_was_sealed_again_is_found(name: str, written: Path, tmp_path: Path, run: Run) -> None:
    edit, field = SEALED_AGAIN[name]
    report, stored = loaded(written)
    seal_again(report, stored)
    assert loaded(written) == (report, stored)
    edit(report, stored)
    seal_again(report, stored)
    done = run("verify", store(tmp_path, report, stored))
    assert done.status == 1
    assert "not what was sealed" not in done.out
    assert any(
        line.startswith("differs: ") and f": {field}" in line.replace("provenance.settings.", "")
        for line in done.out.splitlines()
    ), done.out


@pytest.mark.parametrize("name", IN_ONE_PLACE)
def test_an_edit_in_one_place_is_found(name: str, written: Path, tmp_path: Path, run: Run) -> None:
    edit, field = IN_ONE_PLACE[name]
    report, stored = loaded(written)
    edit(report, stored)
    done = run("verify", store(tmp_path, report, stored))
    assert done.status == 1
    assert any(line.startswith("differs: ") and field in line for line in done.out.splitlines()), done.out


AS_STORED = {
    **{name: IN_ONE_PLACE[name] for name in ("model", "created", "file's digest", "claim's digest", "no file")},
    "limit": (within("claim.highest", 0.9), "evidence.claim"),
    "controls": (within("controls.retrained", without_first), "evidence.controls"),
    "attacks": (lambda r, _: r["claims"][0]["evidence"].update(attacks={}, deciding=[]), "evidence.attacks"),
    "a claim dropped": (
        lambda r, _: (r["claims"].pop(), r["counts"].update(claims=3, planned=3, passed=2)), "it holds 4 claims"
    ),
    "a claim in brief": (lambda r, _: r["claims"][0].update(brief=True), "brief is not what was sealed"),
}  # fmt: skip


@pytest.mark.parametrize("name", AS_STORED)
def test_check_blocks_what_is_not_as_it_was_sealed(name: str, written: Path, tmp_path: Path, run: Run) -> None:
    edit, field = AS_STORED[name]
    report, stored = loaded(written)
    edit(report, stored)
    done = run("check", store(tmp_path, report, stored))
    assert done.status == 1
    assert field in done.out


def test_check_blocks_a_report_without_the_scores_that_it_names(written: Path, tmp_path: Path, run: Run) -> None:
    report, _ = loaded(written)
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "scores.json: it cannot be read" in run("check", tmp_path / "report.json").out
    del report["scores"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert "not compared with what was sealed when it was written" in run("check", tmp_path / "report.json").out


def in_brief(report: Any, stored: Any) -> None:
    """What fails is turned into a claim of which nothing was kept."""
    entry = report["claims"][1]
    entry["evidence"]["verdict"], entry["brief"] = "PASS", True
    for name in ("attacks", "controls", "share_left", "leakage_reduction", "scores", "simultaneous", "deciding"):
        entry["evidence"].pop(name, None)
    stored["claims"][1]["record"] = None


BLOCKS = (
    "its gate released, and its claims block: refuted that the deleted data no longer show in the model's answers: "
    "forgotten is FAIL in tests/test_release.py::test_2_original"
)
CONSEQUENCES = {
    "in brief": (in_brief, "it has no scores"),
    "gate": (
        lambda r, _: r.update(gate={"release": True, "reasons": [], "required": ["forgotten", "utility"]}),
        BLOCKS,
    ),
    "data": (within("provenance.data.forget.digest", other_digest), "its basis is not that of its data"),
}


@pytest.mark.parametrize("name", CONSEQUENCES)
def test_what_follows_from_the_claims_is_held_to_them(name: str, written: Path, tmp_path: Path, run: Run) -> None:
    edit, words = CONSEQUENCES[name]
    report, stored = loaded(written)
    edit(report, stored)
    for entry, row in zip(report["claims"], stored["claims"], strict=True):
        row["sealed"] = scores.seals_of(entry)
    stored["sealed"] = {name: scores.digest(part) for name, part in report.items() if name not in scores.UNSEALED}
    report["scores"]["sha256"] = hashlib.sha256((scores.canonical(stored) + "\n").encode()).hexdigest()
    done = run("verify", store(tmp_path, report, stored))
    assert done.status == 1
    assert words in done.out


def relearned() -> Evidence:
    """Of curves by hand: an original that relearns in a moment, and models that relearn like each other."""
    rng = np.random.default_rng(0)

    def curve(loss: float) -> Any:
        losses = loss * np.linspace(1.0, 0.3, 7) * rng.uniform(0.99, 1.01, size=(60, 2, 7))
        return np.stack([losses, rng.uniform(size=losses.shape) < 0.5], axis=-1)

    curves = {"this model": curve(2.0), "original": curve(0.1), **{f"retrained {k}": curve(2.0) for k in range(4)}}
    settings = {"require_controls": True, "max_share_left": 0.5}
    found = relearning.Relearned(curves=curves, confidence=0.95, **settings)
    claim = Claim(name="not_relearnable", quantity="an area", lowest=-0.5, highest=0.5)
    return relearning.conclude(found, claim, provenance={"settings": settings}, scores=found.record(claim))


@pytest.fixture(scope="module")
def of_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a removed class, and on relearning."""
    removed = audit_class_forgotten(answering([1, 2, 3], lost=0.02, seed=9), fake_task().forget, **LIMITS)
    found = {"test_1_removed": removed, "test_2_relearned": relearned()}
    assert [str(one.verdict) for one in found.values()] == ["PASS", "PASS"]
    folder = tmp_path_factory.mktemp("of_models")
    write.publish(entries(**found), ABOUT, folder, folder)
    return folder


def moved(*path: Any, claim: int) -> Callable[[Any, Any], None]:
    """Exchange a stored array for another one."""

    def edit(_: Any, stored: Any) -> None:
        *steps, last = path
        holder = stored["claims"][claim]["record"]
        for step in steps:
            holder = holder[step]
        values = StoredArrays(stored["arrays"]).array(holder[last])
        holder[last] = kept(stored, values * 1.5 + 1 if values.dtype.kind == "f" else values ^ 1)

    return edit


OF_MODELS: dict[str, tuple[Callable[[Any, Any], None], str]] = {
    "right": (moved("target", "right", claim=0), "estimate"),
    "confidence in the class": (moved("target", "in_class", claim=0), "attacks.confidence in the class"),
    "answer": (moved("target", "answer", claim=0), "attacks.where they are sent"),
    "right elsewhere": (moved("target", "right_elsewhere", claim=0), "attacks.utility on the other classes"),
    "a reference's": (moved("references", 1, "right", claim=0), "attacks.accuracy on the class"),
    "the original's": (moved("original", "right", claim=0), "controls.original.estimate.value"),
    "losses": (moved("losses", 0, 1, claim=1), "estimate"),
    "right while learning": (moved("right", 0, 1, claim=1), "attacks.area under the error rate"),
    "the original's losses": (moved("losses", 1, 1, claim=1), "controls.original"),
    "a reference's losses": (moved("losses", 2, 1, claim=1), "attacks.area under the loss"),
    "limits": (lambda _, s: s["claims"][0]["record"]["limits"].update(gap=0.3), "claim.highest"),
    "other limits": (lambda _, s: s["claims"][1]["record"].update(limits=[-2, 2]), "claim.highest"),
    "no limits": (lambda _, s: s["claims"][1]["record"].update(limits=[None, None]), ""),
    "shape": (lambda _, s: s["claims"][1]["record"].update(shape=[1, 2, 3]), "cannot be recomputed"),
    **{
        f"{what} of {claim}": (within(path, value, claim), path.partition(".")[0])
        for claim in (0, 1)
        for what, path, value in (
            ("value", "estimate.value", slightly), ("bound", "estimate.high", slightly), ("verdict", "verdict", "FAIL"),
            ("decided", "decided_by", RENAMED), ("limit", "claim.highest", 0.9), ("share", "share_left.high", slightly),
            ("control", "controls.retrained.0.holds", untrue), ("reason", "reasons", without_first),
            ("share allowed", "provenance.settings.max_share_left", 0.9), ("part", "attacks", without_first),
        )
    },
}  # fmt: skip


def test_claims_about_a_class_and_about_relearning_agree(of_models: Path, run: Run) -> None:
    done = run("verify", of_models / "report.json", "--strict")
    assert (done.status, done.out.count("agrees: ")) == (0, 2), done.out


@pytest.mark.parametrize("name", OF_MODELS)
def test_of_these_too_an_edit_that_was_sealed_again_is_found(
    name: str, of_models: Path, tmp_path: Path, run: Run
) -> None:
    edit, field = OF_MODELS[name]
    report, stored = loaded(of_models)
    edit(report, stored)
    seal_again(report, stored)
    done = run("verify", store(tmp_path, report, stored))
    assert done.status == 1
    assert any(
        line.startswith("differs: ") and f": {field}" in line.replace("provenance.settings.", "provenance.")
        for line in done.out.splitlines()
    ), done.out


@pytest.mark.slow
def test_what_trained_models_prove_is_computed_again_without_them(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("torch")
    from tests.worlds.hidden import class_task, fresh

    task = class_task()
    model = fresh(task)
    found = {
        "test_features": audit_features_forgotten(model, task.forget),
        "test_residual": audit_no_residual(model, task.forget),
        "test_original": audit_no_residual(task.original, task.forget),
        "test_relearned": audit_not_relearnable(model, task.forget, steps=6, seeds=1),
        "test_class": audit_class_forgotten(model, task.forget),
    }
    write.publish(entries(**found), ABOUT, tmp_path, tmp_path)
    done = run("verify", tmp_path / "report.json", "--strict")
    assert (done.status, done.out.count("agrees: ")) == (0, len(found)), done.out


def test_claims_without_scores_count_only_if_asked(tmp_path: Path, run: Run) -> None:
    write.publish(entries(test_time=evidence(name="efficient", highest=0.6)), ABOUT, tmp_path, tmp_path)
    done = run("verify", tmp_path / "report.json")
    assert done.status == 0
    assert "not recomputed: efficient in tests/test_release.py::test_time: this claim stores no scores" in done.out
    assert run("verify", tmp_path / "report.json", "--strict").status == 1


def test_scores_are_stored_unless_the_setting_says_otherwise(written: Path, tmp_path: Path, run: Run) -> None:
    world = World(split(n_forget=50, n_controls=200), seed=1)
    task = world.task()
    with recording(Recorder(layers={"ini": {"store_scores": False}})):
        found = audit_utility(world.model(), task.test, 0.2)
    assert found.scores is None
    write.publish(entries(test_utility=found), ABOUT, tmp_path, tmp_path)
    done = run("verify", tmp_path / "report.json")
    assert done.status == 1
    assert "cannot be recomputed: it has no scores" in done.out
    assert loaded(tmp_path)[1]["arrays"] == {}
    assert loaded(written)[1]["arrays"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["coarse", "two references", "no references", "weak original"])
def test_every_way_to_a_verdict_is_computed_again(case: str, tmp_path: Path, run: Run) -> None:
    world = World(split(n_forget=60, n_controls=300), seed=2, difficulty=0.5, skill=1.5)
    model, task = (
        world.model(),
        world.task(boost=2.5, references={"two references": 2, "no references": 0}.get(case, 3)),
    )
    if case == "coarse":
        model = changed(model, both=lambda logits: 20.0 * (logits == logits.max(axis=1, keepdims=True)))
    if case == "weak original":
        task = world.task(boost=0.05, references=3)
    found = {"test_forgotten": audit_forgotten(model, task.forget, 0.6)}
    if case == "coarse":
        found["test_reduced"] = audit_leakage_reduced(model, task.forget)
    write.publish(entries(**found), ABOUT, tmp_path, tmp_path)
    done = run("verify", tmp_path / "report.json", "--strict")
    assert done.status == 0, done.out


def test_what_is_no_report_is_unusable(tmp_path: Path, run: Run) -> None:
    (tmp_path / "report.json").write_text("{}")
    assert run("verify", tmp_path / "report.json").status == 2
    assert run("verify", tmp_path / "missing.json").status == 2


def test_a_record_may_call_nothing_but_statistics(written: Path, tmp_path: Path, run: Run) -> None:
    report, stored = loaded(written)
    stored = copy.deepcopy(stored)
    stored["claims"][0]["record"]["findings"][0]["attack"]["measure"] = {"name": "os:system", "given": ["true"]}
    seal_again(report, stored)
    done = run("verify", store(tmp_path, report, stored))
    assert done.status == 1
    assert "cannot be recomputed: its record is damaged (KeyError: 'os:system')" in done.out


def test_check_reads_a_report_with_scores(written: Path) -> None:
    assert stored_report.load(written / "report.json")["scores"]["file"] == "scores.json"
