"""A gate that asks less than the committed baseline names it and blocks; one that asks more says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from pytest_unlearn.__main__ import main
from pytest_unlearn.report.baseline import FILE
from tests.cli.conftest import Done, Run
from tests.plugin.conftest import Suite

AUDITS = """
def terms(limit=0.6, confidence=0.95, left=0.5):
    from dataclasses import replace
    found = evidence("PASS", highest=limit)
    settings = {"require_controls": True, "max_share_left": left}
    estimate = replace(found.estimate, confidence=confidence)
    share = replace(estimate, value=0.1, low=0.0, high=0.2)
    provenance = {**found.provenance, "settings": settings}
    record(replace(found, estimate=estimate, attacks={}, deciding=(), share_left=share, provenance=provenance))

def test_a(): terms()
def test_b(): audit("PASS", 0.01, name="utility", highest=0.04)
"""
INI = ("unlearn_require =", "    forgotten", "    utility", "unlearn_policy = quick", "unlearn_max_age = 7d",
       "unlearn_release_files = *.bin")  # fmt: skip


GONE = "the audit test_it.py::test_b did not run, or asserts nothing any more"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command as `python -m pytest_unlearn` would."""

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        return Done(main(arguments), *capsys.readouterr())

    return command


@pytest.fixture
def released(suite: Suite, monkeypatch: pytest.MonkeyPatch, run: Run) -> Suite:
    """A suite whose gate released, with its baseline."""
    suite.write(test_it=AUDITS)
    suite.ini(*INI)
    (suite.path / "model.bin").write_bytes(b"model")
    assert suite.run("--unlearn-gate", "--unlearn-report").ret == 0
    monkeypatch.chdir(suite.path)
    done = run("baseline")
    assert done.status == 0, done.out + done.err
    return suite


def rewritten(suite: Suite, old: str, new: str) -> None:
    path = suite.path / "test_it.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))  # within a second and of the same size, bytecode would pass for current


def blocked(suite: Suite, *arguments: str) -> list[str]:
    """The reasons of a blocked gate that are about the baseline, without their prefix."""
    prefix = "weaker than the baseline: "
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    document = suite.report()
    found = [text for text in document["gate"]["reasons"] if text.startswith(prefix)]
    assert found == document["baseline"]["weaker"]
    return [text.removeprefix(prefix) for text in found]


@pytest.mark.slow
def test_the_baseline_is_reviewable(released: Suite) -> None:
    text = (released.path / FILE).read_text()
    assert json.loads(text) == {
        "version": 1,
        "required": ["forgotten", "utility"],
        "policy": "quick",
        "max_age": "7d",
        "release_files": ["*.bin"],
        "inconclusive": "fail",
        "audits": {
            "test_it.py::test_a": [
                {
                    "claim": "forgotten",
                    "confidence": 0.95,
                    "max_mia_auc": 0.6,
                    "max_share_left": 0.5,
                    "require_controls": True,
                }
            ],
            "test_it.py::test_b": [{"claim": "utility", "confidence": 0.95, "max_drop": 0.04}],
        },
    }
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_the_same_gate_is_neither_weaker_nor_stronger(released: Suite, arguments: tuple[str, ...]) -> None:
    assert released.run("--unlearn-gate", "--unlearn-report", *arguments).ret == 0
    assert released.report()["baseline"] == {"weaker": [], "stronger": []}
    assert released.report()["gate"]["notes"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("limit=0.6", "limit=0.65", "test_it.py::test_a judges forgotten at max_mia_auc=0.65, not max_mia_auc=0.6"),
        ("confidence=0.95", "confidence=0.9",
         "test_it.py::test_a judges forgotten at confidence=0.9, not confidence=0.95"),
        ("left=0.5", "left=0.7", "test_it.py::test_a judges forgotten at max_share_left=0.7, not max_share_left=0.5"),
        ('"require_controls": True', '"require_controls": False',
         "test_it.py::test_a judges forgotten at require_controls=False, not require_controls=True"),
        ("highest=0.04", "highest=0.05", "test_it.py::test_b judges utility at max_drop=0.05, not max_drop=0.04"),
        ("def test_b", "@pytest.mark.unlearn\n@pytest.mark.skip\ndef test_b",
         "the audit test_it.py::test_b is skipped"),
        ("def test_b(): ", "@pytest.mark.xfail(strict=False)\ndef test_b():\n    ",
         "the audit test_it.py::test_b is xpassed"),
        ("def test_b(): ", "@pytest.mark.xfail\ndef test_b():\n    1/0; ", GONE),
        ("def test_b", "def test_c", GONE),
        ("def test_b(): ", "def test_b(): pass\ndef other(): ", GONE),
        ('name="utility"', 'name="no_residual"', "test_it.py::test_b claims utility no longer"),
    ],
)  # fmt: skip
def test_an_audit_that_asks_less_blocks(released: Suite, old: str, new: str, reason: str) -> None:
    rewritten(released, old, new)
    assert blocked(released) == [reason]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    utility", "", ""),  # the policy asks it
        ("unlearn_policy = quick", "", "the policy 'quick' is no longer asked (there is none)"),
        ("unlearn_max_age = 7d", "unlearn_max_age = 8d", "a report of at most 7d is no longer asked (there is '8d')"),
        ("unlearn_max_age = 7d", "", "a report of at most 7d is no longer asked (there is none)"),
        ("unlearn_release_files = *.bin", "", "the release files '*.bin' are no longer named"),
        ("unlearn_max_age", "unlearn_inconclusive = warn\nunlearn_max_age",
         "an INCONCLUSIVE verdict no longer fails its test (there is 'warn')"),
    ],
)  # fmt: skip
def test_a_repository_that_asks_less_blocks(released: Suite, old: str, new: str, reason: str) -> None:
    released.ini(*"\n".join(INI).replace(old, new).splitlines())
    if reason:
        assert blocked(released) == [reason]
    else:
        assert released.run("--unlearn-gate").ret == 0


def test_required_claims_that_no_policy_asks_are_missed(released: Suite) -> None:
    released.ini("unlearn_require = forgotten", *INI[4:])
    assert blocked(released) == [
        "the claim 'utility' is no longer required",
        "the policy 'quick' is no longer asked (there is none)",
    ]


def test_an_ini_limit_that_a_test_loosens_is_named_and_check_does_not_accept_it(released: Suite, run: Run) -> None:
    (released.path / FILE).unlink()
    released.ini(*INI, "unlearn_max_mia_auc = 0.58", "unlearn_max_drop = 0.05", "unlearn_confidence = 0.95")
    result = released.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == 0  # a keyword goes before the ini file, in a run
    (note,) = released.report()["gate"]["notes"]
    assert note == (
        "looser than the ini file, by keyword or marker, which `check` does not accept: test_it.py::test_a judges "
        "forgotten at max_mia_auc=0.6, not max_mia_auc=0.58"
    )
    result.stdout.fnmatch_lines(["looser than the ini file*"])
    done = run("check", ".unlearn/report/report.json")
    assert done.status == 1
    assert "judged at a max_mia_auc of 0.6, the policy accepts at most 0.58" in done.out


def test_a_deselected_audit_is_named(released: Suite) -> None:
    assert blocked(released, "-k", "test_a") == [
        "the audit test_it.py::test_b did not run, or asserts nothing any more"
    ]


def test_the_command_line_can_weaken_nothing_silently(released: Suite) -> None:
    assert blocked(released, "--unlearn-inconclusive=warn") == [
        "an INCONCLUSIVE verdict no longer fails its test (there is 'warn')"
    ]


@pytest.mark.slow
def test_a_failing_audit_weakens_no_gate(released: Suite) -> None:
    rewritten(released, "def test_b(): ", "def test_b():\n    assert 0; ")
    assert blocked(released) == []


def test_stronger_is_fine_and_said(released: Suite) -> None:
    rewritten(released, "limit=0.6", "limit=0.58")
    released.write(test_more="def test_more(): audit()")
    result = released.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == 0
    (note,) = released.report()["gate"]["notes"]
    assert note == (
        "stronger than the baseline, which can be renewed (python -m pytest_unlearn baseline): test_it.py::test_a "
        "judges forgotten at max_mia_auc=0.58, not max_mia_auc=0.6; test_more.py::test_more is an audit"
    )
    result.stdout.fnmatch_lines(["stronger than the baseline, which can be renewed*"])


@pytest.mark.slow
def test_a_changed_baseline_is_the_new_one(released: Suite, run: Run) -> None:
    rewritten(released, "limit=0.6", "limit=0.65")
    assert blocked(released)
    done = run("baseline")  # of a run that was blocked by nothing else
    assert done.status == 0
    assert "  weaker: test_it.py::test_a judges forgotten at max_mia_auc=0.65, not max_mia_auc=0.6" in done.out
    assert '"max_mia_auc": 0.65' in (released.path / FILE).read_text()
    assert released.run("--unlearn-gate").ret == 0


@pytest.mark.slow
def test_check_names_what_the_run_was_weaker_in(released: Suite, run: Run) -> None:
    rewritten(released, "limit=0.6", "limit=0.65")
    assert released.run("--unlearn-report").ret == 0  # without the gate, nothing blocks a run
    done = run("check", ".unlearn/report/report.json")
    assert done.status == 1
    assert "  - weaker than the baseline: test_it.py::test_a judges forgotten at max_mia_auc=0.65" in done.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("<<<<<<< HEAD\n{}", "Expecting value"),
        ("[]", "it is not a baseline of version 1"),
        ('{"version": 2}', "it is not a baseline of version 1"),
        ('{"version": 1}', "audits is missing or none of its fields"),
        ('{"version": 1, "version": 1}', "a name is given twice"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_one_that_cannot_be_read_blocks(released: Suite, text: str, why: str) -> None:
    (released.path / FILE).write_text(text)
    result = released.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [f"*the baseline {FILE} cannot be read*{why}*renew it (python -m pytest_unlearn baseline)"]
    )


@pytest.mark.slow
def test_one_that_is_no_file_blocks(released: Suite) -> None:
    (released.path / FILE).unlink()
    assert released.run("--unlearn-gate").ret == 0  # a missing one changes nothing
    (released.path / FILE).symlink_to("nowhere")
    assert released.run("--unlearn-gate").ret == pytest.ExitCode.TESTS_FAILED
    (released.path / FILE).unlink()
    (released.path / FILE).mkdir()
    assert released.run("--unlearn-gate").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--unlearn-report",), "its gate was not asked"),
        (("--unlearn-report", "--unlearn-gate", "-k", "test_a"), "a partial run cannot satisfy the gate"),
    ],
)
def test_no_baseline_is_made_of_a_run_that_did_not_release(
    released: Suite, run: Run, arguments: tuple[str, ...], why: str
) -> None:
    before = (released.path / FILE).read_text()
    released.run(*arguments)
    done = run("baseline")
    assert done.status == 1
    assert f"  - {why}" in done.out
    assert (released.path / FILE).read_text() == before
