"""`check` believes a real report only as it was written, and only of the file, the date and the statement it is of."""

from __future__ import annotations

import base64
import copy
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn import audit_release
from pytest_unlearn.core.release_files import find_files
from pytest_unlearn.report import attestation, consistency
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from tests.cli.conftest import Done, Run, change, claim, provenance
from tests.worlds.simulated import World, split

DIGEST = "5eed" * 16
SETTINGS = {"max_mia_auc": 0.55, "max_drop": 0.1}


@pytest.fixture(scope="module")
def audits() -> dict[str, list[dict[str, Any]]]:
    """The evidence of an honest model and of one that remembers, as their audits made it."""
    world = World(split())
    task, found = world.task(), {}
    for name, boost in (("honest", 0.0), ("leaky", 1.5)):
        made = audit_release(world.model(boost, seed=5), task, "quick", **SETTINGS).values()
        found[name] = [one.to_json() for one in made]
    for one in (*found["honest"], *found["leaky"]):  # saved outputs have no weights to digest
        one["provenance"]["model"] = {"type": "torch.nn.Linear", "digest": DIGEST, "not identified": ""}
    return found


@pytest.fixture
def write(tmp_path: Path, audits: dict[str, list[dict[str, Any]]]) -> Callable[..., Path]:
    """Write a report of a run that released model.bin, and its attestation beside it."""
    (tmp_path / "model.bin").write_bytes(b"the released model")

    def written(which: str = "honest") -> Path:
        book = Ledger()
        for k, one in enumerate(copy.deepcopy(audits[which])):
            book.add(f"test_it.py::test_{k}", "passed" if one["verdict"] == "PASS" else "failed", [one])
        about = {**facts([], tmp_path), "release_files": find_files(["model.bin"], tmp_path).rows()}
        text = as_json.render(book.freeze(), about)
        (tmp_path / "report.json").write_text(text)
        (tmp_path / "attestation.json").write_text(attestation.render(book.freeze(), about, text))
        return tmp_path / "report.json"

    return written


def bound(run: Run, report: Path, *more: Any) -> Done:
    """Check a report with all that binds it."""
    beside = report.parent
    binding = ("--model", beside / "model.bin", "--max-age", "7d", "--attestation", beside / "attestation.json")
    return run("check", report, *binding, "--policy", "quick", *more)


@pytest.mark.slow
def test_a_report_as_it_was_written_is_released(run: Run, write: Callable[..., Path]) -> None:
    done = bound(run, write())
    assert (done.status, done.err) == (0, "")
    assert "required: forgotten, utility (policy quick)" in done.out


def test_a_model_that_remembers_is_not(run: Run, write: Callable[..., Path]) -> None:
    assert bound(run, write("leaky")).status == 1


def forgotten(document: Any) -> Any:
    return document["claims"][0]["evidence"]


def utility(document: Any) -> Any:
    return document["claims"][1]["evidence"]


def figure(document: Any, title: str) -> Any:
    return next(one for one in forgotten(document)["exhibits"] if one["title"].startswith(title))


def as_pass(document: Any, *, label: bool = False) -> None:
    """Rewrite a FAIL to PASS; what it rested on is left."""
    evidence = forgotten(document)
    evidence.update(verdict="PASS", advice=[], reasons=[], **({} if label else {"label": ""}))
    document["claims"][0]["outcome"] = "passed"
    document["counts"].update(passed=2, failed=0)


def as_pass_of_the_deciding(document: Any) -> None:
    """Take the deciding attacks' numbers from retrained models as well: the tripwires are left."""
    as_pass(document)
    evidence = forgotten(document)
    honest = {"value": 0.5, "low": 0.48, "high": 0.52}
    for name in evidence["deciding"]:
        evidence["attacks"][name].update(honest)
        evidence["simultaneous"][name].update(low=0.46, high=0.54)
    evidence.update(decided_by=evidence["deciding"][0])
    evidence["estimate"] = dict(evidence["attacks"][evidence["decided_by"]])
    evidence["share_left"].update(value=0.0, low=0.0, high=0.2)
    evidence["leakage_reduction"].update(value=1.0, low=0.8, high=1.0)
    evidence["exhibits"] = []


def beyond(name: str) -> Callable[[Any], None]:
    return lambda document: forgotten(document)["attacks"][name].update(value=0.99, low=0.98, high=1.0)


def without_simultaneous(document: Any) -> None:
    beyond("RMIA")(document)
    del forgotten(document)["simultaneous"]


def raise_curve(document: Any) -> None:
    _rates, caught = figure(document, "How many are caught")["series"]["unlearned"]
    caught[:] = [1.0 for _ in caught]


def first_cell(title: str, column: str, value: Any) -> Callable[[Any], None]:
    def alter(document: Any) -> None:
        table = figure(document, title)
        table["rows"][-1][table["columns"].index(column)] = value

    return alter


def two_models(document: Any) -> None:
    utility(document)["provenance"]["model"]["digest"] = "ab" * 32


def created(when: str) -> Callable[[Any], None]:
    return lambda document: document.update(created=when)


LATER = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)).isoformat(timespec="seconds")
REFUSED = {
    "a tripwire at .99": (beyond("RMIA"), "RMIA 0.99 lies outside its simultaneous interval"),
    "the same without bounds": (without_simultaneous, "RMIA 0.99 [0.98, 1] is beyond the limit 0.55"),
    "a tripwire with its bounds": (
        lambda d: (beyond("RMIA")(d), forgotten(d)["simultaneous"]["RMIA"].update(low=0.97, high=1.0)),
        "RMIA is 0.97 at least, beyond the limit 0.55 with all attacks counted",
    ),
    "a tripwire far below": (
        lambda d: forgotten(d)["simultaneous"]["entropy"].update(low=0.0, high=0.3),
        "lies outside its simultaneous interval",
    ),
    "a looser limit of an attack": (
        lambda d: forgotten(d)["simultaneous"]["RMIA"].update(highest=1.0),
        "RMIA was judged at 1, beyond the claim's 0.55",
    ),
    "another attack settled it": (
        lambda d: forgotten(d).update(decided_by="RMIA", estimate=dict(forgotten(d)["attacks"]["RMIA"])),
        "RMIA settled it, which does not decide",
    ),
    "an estimate of its own": (lambda d: forgotten(d)["estimate"].update(value=0.5001), "its estimate is not that of"),
    "bounds that excuse anything": (
        lambda d: (beyond("RMIA")(d), forgotten(d)["simultaneous"]["RMIA"].update(low=0.1, high=1.0)),
        "RMIA 0.99 [0.98, 1] is beyond the limit 0.55",
    ),
    "bounds of no number": (
        lambda d: (beyond("RMIA")(d), forgotten(d)["simultaneous"]["RMIA"].update(low=None, high=None)),
        "RMIA 0.99 [0.98, 1] is beyond the limit 0.55",
    ),
    "no original": (lambda d: forgotten(d)["controls"].update(original=None), "and there is no original"),
    "no reference": (lambda d: forgotten(d)["controls"].update(retrained=[]), "and there is no reference"),
    "a label": (lambda d: forgotten(d).update(label="recognisable"), "it is labelled 'recognisable'"),
    "a larger reduction": (
        lambda d: forgotten(d)["leakage_reduction"].update(low=0.999),
        "its leakage reduction is not 1 - the share left",
    ),
    "a curve above its area": (
        raise_curve,
        "'How many are caught while few are accused wrongly (ROC curve)' shows that the area of",
    ),
    "a class apart": (first_cell("Class by class", "AUC", 0.99), "'Class by class' shows that its classes make"),
    "a cell that is no number": (first_cell("Class by class", "AUC", "0.5"), "it is not made of the numbers"),
    "another excess": (first_cell("Releasing both", "AUC", 0.9), "update leakage has AUC 0.9"),
    "bins that are not full": (
        lambda d: figure(d, "Scores of")["panels"]["unlearned"][0].__setitem__(0, 0.9),
        "the bins of the unlearned model do not hold every example",
    ),
}


@pytest.mark.parametrize(("name", "refused"), [("forgotten", True), ("sequence", False), ("utility", False)])
def test_an_original_is_missed_only_where_a_pass_has_one(name: str, refused: bool) -> None:
    waits = {"require_controls": True}
    found = claim(name=name, provenance={**provenance(), "settings": waits})["evidence"]
    found["controls"]["original"] = None
    assert any("no original" in problem for problem in consistency.contradictions(found)) is refused


@pytest.mark.parametrize(("alter", "says"), REFUSED.values(), ids=REFUSED)
def test_a_pass_that_its_own_numbers_deny_is_refused(
    run: Run, write: Callable[..., Path], alter: Callable[[Any], Any], says: str
) -> None:
    done = run("check", change(write(), alter))
    assert done.status == 2
    assert says in done.err
    assert done.err.count("\n") == 1


def test_classes_that_do_not_add_up_to_the_accuracy_are_refused(run: Run, write: Callable[..., Path]) -> None:
    report = change(write(), lambda d: utility(d)["exhibits"][0]["rows"][0].__setitem__(4, 0.9))
    assert "its classes make" in run("check", report).err


@pytest.mark.parametrize("alter", [as_pass, lambda d: as_pass(d, label=True), as_pass_of_the_deciding])
def test_a_fail_that_was_rewritten_is_refused(
    run: Run, write: Callable[..., Path], alter: Callable[[Any], Any]
) -> None:
    done = run("check", change(write("leaky"), alter))
    assert done.status == 2
    assert "contradicts itself" in done.err


BLOCKED = {
    "created in 2019": (created("2019-01-01T00:00:00+00:00"), "longer ago than 7 days"),
    "created in the future": (created(LATER), "which lies in the future"),
    "two digests": (two_models, "claims are about 2 models"),
    "a zeroed digest": (
        lambda d: utility(d)["provenance"]["model"].update(digest="0" * 64),
        "utility in test_it.py::test_1 is a claim about a model that it does not name",
    ),
    "no digest": (lambda d: utility(d)["provenance"]["model"].pop("digest"), "its digest is missing"),
    "a digest of nothing": (
        lambda d: utility(d)["provenance"]["model"].update(
            digest="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        "'e3b0c44298fc' is no digest of it",
    ),
    "another file": (
        lambda d: d["release_files"][0].update(sha256="ab" * 32),
        "is not among the files that the report is about: model.bin",
    ),
    "no file": (lambda d: d.pop("release_files"), "the report records no release files"),
    "a problem with a file": (
        lambda d: d.update(release_file_problems=["unlearn_release_files: '*.pt' names no file"]),
        "names no file",
    ),
    "anything that the statement binds": (
        lambda d: d.update(command=["pytest"]),
        "names another digest of report.json",
    ),
    "a claim that was taken out": (
        lambda d: (d["claims"].pop(), d["counts"].update(claims=1, planned=1, passed=1)),
        "no evidence for the required claim 'utility'",
    ),
    "a loosened baseline": (
        lambda d: utility(d)["provenance"]["settings"].update(baseline="original"),
        "was judged with baseline='original', and policy 'quick' asks baseline='retrained'",
    ),
}


@pytest.mark.parametrize(("alter", "says"), BLOCKED.values(), ids=BLOCKED)
def test_an_edit_that_is_bound_from_outside_blocks(
    run: Run, write: Callable[..., Path], alter: Callable[[Any], Any], says: str
) -> None:
    done = bound(run, change(write(), alter))
    assert done.status == 1
    assert says in done.out


def test_a_missing_time_is_refused(run: Run, write: Callable[..., Path]) -> None:
    done = run("check", change(write(), lambda d: d.pop("created")), "--max-age", "7d")
    assert done.status == 2
    assert "'created' is a required property" in done.err


class TestFile:
    """--model: what is released is a file."""

    def test_any_other_file_blocks(self, run: Run, write: Callable[..., Path], tmp_path: Path) -> None:
        report, other = write(), tmp_path / "other.bin"
        other.write_bytes(b"the released modeL")
        done = run("check", report, "--model", tmp_path / "model.bin", "--model", other)
        assert done.status == 1
        assert done.out.count("is not among the files") == 1

    def test_a_file_that_was_changed_after_the_run_blocks(
        self, run: Run, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        report = write()
        (tmp_path / "model.bin").write_bytes(b"something else")
        assert run("check", report, "--model", tmp_path / "model.bin").status == 1

    @pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
    def test_what_cannot_be_hashed_is_an_error(
        self, run: Run, write: Callable[..., Path], tmp_path: Path, make: Callable[[Path], None]
    ) -> None:
        report = write()
        make(tmp_path / "nothing")
        done = run("check", report, "--model", tmp_path / "nothing")
        assert done.status == 2
        assert "cannot be hashed" in done.err


class TestAge:
    """--max-age: days, hours or minutes."""

    @pytest.mark.parametrize(("age", "status"), [("2d", 0), ("25h", 0), ("23h", 1), ("1439m", 1), ("1441m", 0)])
    def test_a_report_of_yesterday(self, run: Run, write: Callable[..., Path], age: str, status: int) -> None:
        yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        report = change(write(), created(yesterday.isoformat(timespec="seconds")))
        assert run("check", report, "--max-age", age).status == status

    @pytest.mark.parametrize("age", ["7", "0d", "-1d", "d", "1w", "1.5h", "7d ", "9999999d"])
    def test_what_is_no_age_is_wrong_usage(self, run: Run, write: Callable[..., Path], age: str) -> None:
        done = run("check", write(), f"--max-age={age}")
        assert done.status == 2
        assert "such as 7d, 12h or 30m" in done.err


class TestAttestation:
    """--attestation: the statement of this very report."""

    @pytest.mark.parametrize(
        ("alter", "says"),
        [
            (lambda s: s["predicate"].update(result="FAILED"), "the attestation's result is 'FAILED', and"),
            (lambda s: s["predicate"]["passedTests"].pop(), "the attestation's passedTests is"),
            (lambda s: s["predicate"].update(failedTests=["x"]), "the attestation's failedTests is ['x']"),
            (lambda s: s["subject"].clear(), "is about other files than the report: model.bin"),
            (lambda s: s["subject"][0].update(name="other"), "is about other files than the report: model.bin, other"),
            (lambda s: s["subject"].append(s["subject"][0]), "are not files of unique names"),
            (lambda s: s["subject"][0]["digest"].update(sha256="ab" * 32), "is about other files than the report"),
            (lambda s: s["subject"][0].update(digest={"md5": "ab" * 16}), "is about other files than the report"),
            (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), "the attestation's predicateType is"),
            (lambda s: s.update(predicate=None), "the attestation's result is None"),
            (lambda s: s["predicate"]["configuration"].pop(0), "names another digest of report.json"),
        ],
    )
    def test_another_statement_blocks(
        self, run: Run, write: Callable[..., Path], alter: Callable[[Any], Any], says: str
    ) -> None:
        report = write()
        change(report.parent / "attestation.json", alter)
        done = bound(run, report)
        assert done.status == 1
        assert says in done.out

    def test_the_statement_of_a_failed_run_is_consistent_and_releases_nothing(
        self, run: Run, write: Callable[..., Path]
    ) -> None:
        done = run("check", write("leaky"), "--attestation", write("leaky").parent / "attestation.json")
        assert done.status == 1
        assert "attestation" not in done.out

    @pytest.mark.parametrize("bundle", [False, True])
    def test_a_signed_one_is_read_inside_its_envelope(
        self, run: Run, write: Callable[..., Path], tmp_path: Path, bundle: bool
    ) -> None:
        report = write()
        payload = base64.b64encode((tmp_path / "attestation.json").read_bytes()).decode()
        envelope = {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": []}
        signed = {"mediaType": "x", "dsseEnvelope": envelope} if bundle else envelope
        (tmp_path / "signed.json").write_text(json.dumps(signed))
        assert run("check", report, "--attestation", tmp_path / "signed.json").status == 0

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"payload": "e30=", "payloadType": "text/plain"}', '{"dsseEnvelope": 1}', "[" * 100_000],
    )
    def test_what_is_no_statement_is_an_error(
        self, run: Run, write: Callable[..., Path], tmp_path: Path, text: str
    ) -> None:
        report = write()
        (tmp_path / "attestation.json").write_text(text)
        done = run("check", report, "--attestation", tmp_path / "attestation.json")
        assert done.status == 2
        assert "is no attestation" in done.err
        assert run("check", report, "--attestation", tmp_path / "not there").status == 2


class TestPolicy:
    """--policy: what a bundled policy asks."""

    def test_a_wider_policy_asks_more(self, run: Run, write: Callable[..., Path]) -> None:
        done = run("check", write(), "--policy", "standard")
        assert done.status == 1
        assert (
            "policy 'standard' asks no_residual too, where it is testable, and there is no evidence for it" in done.out
        )
        done = run("check", write(), "--policy", "thorough")
        assert "no evidence for the required claim 'algorithm'" in done.out

    def test_claims_may_be_required_besides(self, run: Run, write: Callable[..., Path]) -> None:
        assert run("check", write(), "--policy", "quick", "--require", "efficient").status == 1

    def test_a_policy_that_is_not_bundled_is_wrong_usage(self, run: Run, write: Callable[..., Path]) -> None:
        done = run("check", write(), "--policy", "strict")
        assert done.status == 2
        assert "there are quick, standard, thorough" in done.err
