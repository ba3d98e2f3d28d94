"""`check`: a stored report is judged again, and believed only where it agrees with itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.statistics.measure import estimate as bounded
from tests.cli.conftest import Run, change, claim, provenance, write


def test_a_report_that_proves_what_is_required_is_released(run: Run, tmp_path: Path) -> None:
    done = run("check", write(tmp_path / "report.json", claim()))
    assert done.status == 0
    assert "1 claim planned, 1 ran: 1 passed" in done.out
    assert "required: forgotten (default)" in done.out
    assert "release: every required claim was proven" in done.out


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE", "INVALID"])
def test_a_required_claim_that_is_no_pass_blocks(run: Run, tmp_path: Path, verdict: str) -> None:
    done = run("check", write(tmp_path / "report.json", claim(verdict, outcome="failed")))
    assert done.status == 1
    assert f": forgotten is {verdict} in test_it.py::test_a" in done.out
    assert f"  - {'refuted' if verdict == 'FAIL' else 'not proven'} that the deleted data no longer show" in done.out


@pytest.mark.parametrize("outcome", ["xfailed", "xpassed", "skipped", "rerun", "failed", "error"])
def test_a_test_that_did_not_plainly_pass_blocks(run: Run, tmp_path: Path, outcome: str) -> None:
    done = run("check", write(tmp_path / "report.json", claim(outcome=outcome)))
    assert done.status == 1
    assert f"ended as {outcome}" in done.out


def test_required_claims_come_from_the_option_then_the_report_then_the_default(run: Run, tmp_path: Path) -> None:
    gate = {"release": True, "reasons": [], "required": ["utility"]}
    report = write(tmp_path / "report.json", claim("PASS", 0.01, name="utility"), gate=gate)
    assert run("check", report).status == 0
    both = run("check", report, "--require", "utility", "forgotten", "--require", "utility")
    assert both.status == 1
    assert both.out.count("no evidence for the required claim 'forgotten'") == 1
    change(report, lambda document: document.update(gate=None))
    assert run("check", report).status == 1


def test_a_gate_that_required_nothing_proves_nothing(run: Run, tmp_path: Path) -> None:
    gate = {"release": False, "reasons": ["unlearn_require names no claim"], "required": []}
    assert run("check", write(tmp_path / "report.json", claim(), gate=gate)).status == 1


def test_a_gate_that_blocked_for_other_reasons_is_decided_anew(run: Run, tmp_path: Path) -> None:
    gate = {"release": False, "reasons": ["something outside the report"], "required": ["forgotten"]}
    assert run("check", write(tmp_path / "report.json", claim(), gate=gate)).status == 0


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (lambda d: d.update(partial=True, partial_reasons=["-k was given"]), "partial run"),
        (lambda d: d.update(lost=1), "never reached the report"),
        (lambda d: d.update(crashed_workers=1), "1 worker crashed"),
        (
            lambda d: d.update(
                without_evidence=[{"nodeid": "b", "outcome": "skipped"}], counts={**d["counts"], "planned": 2}
            ),
            "without any evidence",
        ),
    ],
)
def test_an_incomplete_report_blocks(run: Run, tmp_path: Path, alter: Callable[[Any], Any], reason: str) -> None:
    done = run("check", change(write(tmp_path / "report.json", claim()), alter))
    assert done.status == 1
    assert reason in done.out


def test_a_report_without_claims_blocks(run: Run, tmp_path: Path) -> None:
    assert run("check", write(tmp_path / "report.json")).status == 1


class TestPolicy:
    """Limits and confidence that a release accepts."""

    @pytest.mark.parametrize(
        ("name", "option", "judged", "accepted", "refused"),
        [
            ("forgotten", "--max-mia-auc", 0.6, 0.6, 0.59),
            ("utility", "--max-drop", 0.6, 0.6, 0.02),
            ("matches_retrained", "--max-gap", 0.6, 0.7, 0.05),
            ("class_forgotten", "--max-gap", 0.6, 0.6, 0.05),
            ("canaries_forgotten", "--max-effect", 0.6, 0.6, 0.2),
            ("efficient", "--max-fraction", 0.6, 1.0, 0.5),
        ],
    )
    def test_a_claim_judged_at_a_looser_limit_blocks(
        self, run: Run, tmp_path: Path, name: str, option: str, judged: float, accepted: float, refused: float
    ) -> None:
        report = write(tmp_path / "report.json", claim(name=name, highest=judged))
        assert run("check", report, "--require", name, option, accepted).status == 0
        done = run("check", report, "--require", name, option, refused)
        assert done.status == 1
        assert f"{name} in test_it.py::test_a was judged at a " in done.out
        assert f" of {judged:g}, the policy accepts at most {refused:g}" in done.out

    def test_limits_are_compared_as_the_setting_is_given(self, run: Run, tmp_path: Path) -> None:
        report = write(tmp_path / "report.json", claim("PASS", 0.1, name="not_relearnable", highest=math.log(1.3)))
        assert run("check", report, "--require", "not_relearnable", "--max-relearning", 1.3).status == 0
        done = run("check", report, "--require", "not_relearnable", "--max-relearning", 1.2)
        assert done.status == 1
        assert "was judged at a max_relearning of 1.3, the policy accepts at most 1.2" in done.out

    def test_a_smallest_ratio_is_loose_where_it_is_low(self, run: Run, tmp_path: Path) -> None:
        judged = claim("PASS", 0.9, name="indistinguishable", lowest=0.75, highest=None)
        report = write(tmp_path / "report.json", judged)
        assert run("check", report, "--require", "indistinguishable", "--min-ratio", 0.75).status == 0
        done = run("check", report, "--require", "indistinguishable", "--min-ratio", 0.8)
        assert done.status == 1
        assert "policy: indistinguishable at a min_ratio of at least 0.8" in done.out
        assert "was judged at a min_ratio of 0.75, the policy accepts at least 0.8" in done.out

    def test_it_holds_for_claims_that_are_not_required(self, run: Run, tmp_path: Path) -> None:
        loose = claim("PASS", 0.1, "test_it.py::test_b", name="utility", highest=0.2)
        report = write(tmp_path / "report.json", claim(), loose)
        assert run("check", report).status == 0
        assert run("check", report, "--max-drop", "0.1").status == 1
        assert run("check", report, "--max-gap", "0.01").status == 0

    def test_a_lower_confidence_blocks(self, run: Run, tmp_path: Path) -> None:
        report = write(tmp_path / "report.json", claim())
        assert run("check", report, "--confidence", "0.95").status == 0
        done = run("check", report, "--confidence", "0.99")
        assert done.status == 1
        assert "a confidence of 0.95, the policy accepts no less than 0.99" in done.out

    def test_a_larger_share_left_blocks(self, run: Run, tmp_path: Path) -> None:
        loose = {**provenance(), "settings": {"require_controls": True, "max_share_left": 0.8}}
        left = bounded(0.1, 0.0, 0.3, 0.95, "Fieller", 400, 800)
        report = write(tmp_path / "report.json", claim(provenance=loose, share_left=left))
        assert run("check", report, "--max-share-left", "0.8").status == 0
        done = run("check", report, "--max-share-left", "0.5")
        assert done.status == 1
        assert "policy: at most 50% left of what the original showed" in done.out
        assert "a share left of at most 80%, the policy accepts 50%" in done.out

    @pytest.mark.parametrize(
        "arguments",
        [("--max-mia-auc", "0.5"), ("--max-drop", "x"), ("--confidence", "1"), ("--require",), ("--loose",)],
    )
    def test_wrong_usage_is_said(self, run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        done = run("check", write(tmp_path / "report.json", claim()), *arguments)
        assert done.status == 2
        assert "error: " in done.err


def estimate(document: Any) -> Any:
    return document["claims"][0]["evidence"]["estimate"]


CONTRADICTIONS = [
    (lambda d: d["counts"].update(passed=2), "it counts 2 passed and lists 1"),
    (lambda d: d["counts"].update(claims=0), "it counts 0 claims and lists 1"),
    (lambda d: d.update(partial=True), "partial is true with 0 reason"),
    (lambda d: d.update(partial_reasons=["-k"]), "partial is false with 1 reason"),
    (lambda d: estimate(d).update(high=0.56), "upper bound of its estimate, 0.56, is above the limit 0.55"),
    (lambda d: estimate(d).update(high=None), "not a number with two bounds"),
    (lambda d: d["claims"][0]["evidence"]["claim"].update(lowest=0.52), "0.5 is below the limit 0.52"),
    (lambda d: estimate(d).update(low=0.51), "lies outside its interval"),
    (lambda d: estimate(d).update(confidence=0.2), "its confidence is 0.2"),
    (lambda d: d["claims"][0]["evidence"]["claim"].update(highest=1.0), "no max_mia_auc can be 1"),
    (lambda d: d["claims"][0]["evidence"]["claim"].update(highest=None), "its claim has no limit"),
    (lambda d: d["claims"][0]["evidence"]["attacks"]["margin"].update(high=0.7), "deciding attack margin, 0.7"),
    (lambda d: d["claims"][0]["evidence"]["attacks"].pop("margin"), "deciding attack margin is missing"),
    (lambda d: d["claims"][0]["evidence"]["controls"]["original"].update(holds=False), "control original does not"),
    (lambda d: d.update(gate={"release": True, "reasons": ["x"]}), "its gate released with 1 reason"),
    (lambda d: d.update(gate={"release": False, "reasons": []}), "its gate blocked with 0 reason"),
    (lambda d: d.update(without_evidence=[{"nodeid": "test_it.py::test_a", "outcome": "passed"}]), "both with and"),
    (lambda d: d.update(without_evidence=[{"nodeid": "b", "outcome": "skipped"}] * 2), "listed 2 times"),
    (
        lambda d: (d["claims"].append({**d["claims"][0], "outcome": "failed"}), d["counts"].update(claims=2, passed=2)),
        "ended as passed and as failed",
    ),
]


@pytest.mark.parametrize(("alter", "says"), CONTRADICTIONS, ids=[says for _, says in CONTRADICTIONS])
def test_a_report_that_contradicts_itself_is_refused(
    run: Run, tmp_path: Path, alter: Callable[[Any], Any], says: str
) -> None:
    done = run("check", change(write(tmp_path / "report.json", claim()), alter))
    assert done.status == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("", "is not a report"),
        ("[]", "no JSON object"),
        ('{"schema_version": 2}', "its schema_version is 2, not 1"),
        ('{"schema_version": true}', "its schema_version is True"),
        ('{"schema_version": 1}', "is not a valid report: the document: 'tool' is a required property"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": NaN}', "'NaN' is not a number"),
        ('{"a": 1e999}', "'1e999' is not a number"),
        ('{"a": ' + "9" * 5000 + "}", "is not a number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(run: Run, tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    done = run("check", path)
    assert done.status == 2
    assert says in done.err
    assert done.err.count("\n") == 1


def test_bytes_that_are_no_text_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"\xff\xfe\x00")
    assert run("check", tmp_path / "report.json").status == 2
    assert run("check", tmp_path).status == 2


def test_the_schema_is_enforced(run: Run, tmp_path: Path) -> None:
    report = change(write(tmp_path / "report.json", claim()), lambda d: d["claims"][0].update(outcome="fine"))
    done = run("check", report)
    assert done.status == 2
    assert "claims[0].outcome: 'fine' is not one of" in done.err


def test_evidence_that_was_shortened_is_judged_by_what_is_left(run: Run, tmp_path: Path) -> None:
    kept = ("claim", "verdict", "estimate", "decided_by", "label", "deciding", "provenance")
    from pytest_unlearn.cli import check
    from pytest_unlearn.cli import stored_report as stored

    report = write(tmp_path / "report.json", claim())
    document = dict(stored.load(report))
    (entry,) = document["claims"]
    brief = {name: entry["evidence"][name] for name in kept}
    document["claims"] = [{**entry, "brief": True, "evidence": brief}]
    assert list(stored.contradictions(document)) == []
    assert check.decide(stored.ledger(document), check.ReportPolicy(("forgotten",), {})).release


def test_names_cannot_write_lines_of_their_own(run: Run, tmp_path: Path) -> None:
    done = run("check", write(tmp_path / "report.json", claim("FAIL", nodeid="t\n::error::\x1b[31m", outcome="failed")))
    assert done.status == 1
    assert r"t\n::error::\x1b[31m" in done.out


def test_a_release_that_rests_on_the_method_is_one_of_the_model_that_it_made(run: Run, tmp_path: Path) -> None:
    request, maker = {"digest": "f" * 64, "n": 40}, "3c" * 32
    about = provenance()
    of_method = {**about, "model": {**about["model"], "digest": ""}, "request": request, "method": maker}
    for made_by, status in ((maker, 0), ("", 1)):
        of_model = {**about, "request": request, "made by": made_by}
        claims = (
            claim("PASS", 0.5, name="algorithm", lowest=0.45, provenance=of_method),
            claim("PASS", 0.0, nodeid="test_it.py::test_b", name="utility", highest=0.1, provenance=of_model),
        )
        report = write(tmp_path / "report.json", *claims)
        done = run("check", report, "--require", "algorithm", "utility")
        assert done.status == status
        assert "no claim says of this very model that the request is forgotten" in done.out
        assert ("nothing shows that it made the model of utility" in done.out) is (status == 1)


def test_what_earlier_runs_hold_against_the_model_blocks_a_stored_report_too(run: Run, tmp_path: Path) -> None:
    held = {"run": "0" * 12, "reasons": ["forgotten was FAIL of this very model"], "warnings": [], "notes": []}
    done = run("check", write(tmp_path / "report.json", claim(), history=held), "--require", "forgotten")
    assert done.status == 1
    assert "  - forgotten was FAIL of this very model\n" in done.out
    told = {**held, "reasons": [], "warnings": held["reasons"]}
    done = run("check", write(tmp_path / "report.json", claim(), history=told), "--require", "forgotten")
    assert done.status == 0
    assert "  - forgotten was FAIL of this very model\n" in done.out
