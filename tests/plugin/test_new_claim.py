"""A new claim takes one folder with an audit and one row of the claim table, and is found everywhere."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

import pytest_unlearn
from pytest_unlearn import AuditFailure, Policy, Step, Verdict, assert_release
from pytest_unlearn.__main__ import main
from pytest_unlearn.claims.policies import POLICIES, lines
from pytest_unlearn.claims.release import AUDITS
from pytest_unlearn.core.claim_limit import Limit, Range
from pytest_unlearn.core.claim_table import TABLE, ClaimSpec, PolicyStep
from pytest_unlearn.report.gate import LIMITS, unproven
from pytest_unlearn.report.wording import HEADLINES, headline_of
from tests.cli.conftest import claim, write
from tests.plugin.conftest import Suite
from tests.worlds.simulated import World, split
from tools import public_names

AUDIT = """
    from pytest_unlearn import Claim, Estimate, Evidence, Verdict

    def audit_toy(model, forget, max_toy: float = 0.5, *, value: float = 0.1) -> Evidence:
        "Is the toy broken?"
        estimate = Estimate(value=value, low=value - 0.01, high=value + 0.01, confidence=0.95, method="looked at",
                            n_forget=len(forget))
        return Evidence(claim=Claim(name="toy", quantity="damage", highest=max_toy), estimate=estimate,
                        verdict=Verdict.PASS if estimate.high <= max_toy else Verdict.FAIL, decided_by="a look",
                        provenance={"model": {"digest": "70" * 32}})
"""
ROW = ClaimSpec(
    name="toy",
    module="toy_claim.audit",
    states="the toy is not broken",
    passes="the toy is in one piece",
    fails="the toy is in two pieces",
    inconclusive="the toy cannot be found",
    limit=Limit("max_toy", Range(0, 1)),
    steps={"thorough": PolicyStep("the toy is whole")},
)


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One folder and one row."""
    folder = tmp_path / "claims" / "toy_claim"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "audit.py").write_text(dedent(AUDIT))
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setitem(TABLE, "toy", ROW)
    yield
    for name in ("toy_claim", "toy_claim.audit"):
        sys.modules.pop(name, None)


def test_it_is_public() -> None:
    from pytest_unlearn import assert_toy, audit_toy  # type: ignore[attr-defined]

    assert {"assert_toy", "audit_toy"} <= {*pytest_unlearn.__all__} & {*dir(pytest_unlearn)}
    assert inspect.signature(assert_toy) == inspect.signature(audit_toy)
    assert "from toy_claim.audit import audit_toy as audit_toy" in public_names.stub()
    assert "assert_toy = audit_toy" in public_names.stub()


def test_its_assertion_raises_with_its_headline() -> None:
    assert pytest_unlearn.assert_toy(None, [1]).verdict is Verdict.PASS  # type: ignore[attr-defined]
    with pytest.raises(AuditFailure, match="FAIL: the toy is in two pieces"):
        pytest_unlearn.assert_toy(None, [1], value=0.7)  # type: ignore[attr-defined]


def test_reports_have_words_for_it_and_the_gate_a_limit() -> None:
    evidence = pytest_unlearn.audit_toy(None, [1]).to_json()  # type: ignore[attr-defined]
    assert headline_of(evidence) == HEADLINES["toy", "PASS"] == "the toy is in one piece"
    assert LIMITS["toy"] == "max_toy"
    assert list(unproven(evidence)) == []
    loose = pytest_unlearn.audit_toy(None, [1], max_toy=1.5).to_json()  # type: ignore[attr-defined]
    assert list(unproven(loose)) == ["no max_toy can be 1.5"]


def test_check_has_an_option_for_its_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = str(write(tmp_path / "report.json", claim("PASS", 0.1, name="toy", highest=0.5)))
    assert main(["check", report, "--require", "toy", "--max-toy", "0.5"]) == 0
    assert main(["check", report, "--require", "toy", "--max-toy", "0.4"]) == 1
    assert "was judged at a max_toy of 0.5, the policy accepts at most 0.4" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["check", report, "--max-toy", "1"])
    assert "max_toy must be a number above 0 and below 1" in capsys.readouterr().err


def test_a_policy_may_require_it() -> None:
    assert POLICIES["thorough"].steps[-1].claim == "toy"
    assert "    assert_toy: the toy is whole [where testable]" in list(lines())
    assert AUDITS["toy"] is pytest_unlearn.audit_toy  # type: ignore[attr-defined]
    policy = Policy(name="mine", says="mine", steps=(Step(claim="toy", says="whole"),))
    world = World(split())
    assert list(assert_release(world.model(), world.task(), policy)) == ["toy"]
    with pytest.raises(AuditFailure, match="the toy is in two pieces"):
        assert_release(world.model(), world.task(), policy, max_toy=0.05)


def test_the_gate_may_require_it_and_sees_a_test_of_it_that_was_skipped(suite: Suite) -> None:
    suite.write(
        test_it="""
        from pytest_unlearn import assert_toy

        def test_whole():
            assert_toy(None, [1])

        @pytest.mark.skip
        def test_other():
            assert_toy(None, [1])
        """
    )
    suite.ini("unlearn_require = toy")
    result = suite.run("--unlearn-gate", "--unlearn-report")
    document = suite.report()
    assert [row["evidence"]["claim"]["name"] for row in document["claims"]] == ["toy"]
    assert [row["nodeid"] for row in document["without_evidence"]] == ["test_it.py::test_other"]
    assert "The toy is in one piece" in (suite.path / ".unlearn/report/report.md").read_text()
    assert document["gate"]["required"] == ["toy"]
    assert not document["gate"]["release"]
    assert result.ret == 1
    suite.write(test_it="from pytest_unlearn import assert_toy\ndef test_whole():\n    assert_toy(None, [1])")
    assert suite.run("--unlearn-gate").ret == 0
