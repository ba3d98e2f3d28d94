"""Exit codes are pytest's own, with pytest's meaning; and a gate that blocks is never a success."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

FAILED = pytest.ExitCode.TESTS_FAILED
CODES = {
    "passed": ("def test_a(): audit()", (), 0),
    "failed": ("def test_a(): audit('FAIL')", (), 1),
    "inconclusive": ("def test_a(): audit('INCONCLUSIVE')", (), 1),
    "blocked": ("def test_a(): pass", ("--unlearn-gate",), 1),
    "usage": ("def test_a(): audit()", ("--unlearn-seed=x",), 4),
    "nothing": ("", (), 5),
    "nothing, gate": ("", ("--unlearn-gate",), 1),
}


@pytest.mark.parametrize("how", CODES)
def test_codes(suite: Suite, how: str) -> None:
    body, arguments, code = CODES[how]
    suite.write(test_it=body)
    assert suite.run(*arguments).ret == code


LEAVES_EARLY = "def test_a(): audit()\ndef test_b(): pytest.exit('enough', returncode=0)\ndef test_c(): audit('FAIL')"


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_test_that_ends_the_run_with_zero_does_not_open_the_gate(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=LEAVES_EARLY)
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret != 0
    assert suite.report()["gate"]["release"] is False
    assert suite.report()["partial"]


def test_without_the_gate_such_a_run_ends_as_it_says(suite: Suite) -> None:
    suite.write(test_it=LEAVES_EARLY)
    assert suite.run().ret == 0


GREENWASH = "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session): session.exitstatus = 0"


@pytest.mark.parametrize("arguments", [("--unlearn-gate",), ("--unlearn-report", "--unlearn-report-dir=taken")])
def test_nor_does_a_plugin_that_resets_the_exit_status(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.pytester.makeconftest(GREENWASH)
    suite.write(test_it="def test_a(): pass")
    (suite.path / "taken").write_text("a file in the way")
    assert suite.run(*arguments).ret == FAILED


def test_nor_does_a_run_without_a_terminal(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit('PASS', name='utility')\ndef test_b(): audit()")
    assert suite.run("-p", "no:terminal", "--unlearn-gate").ret == 0
    assert suite.run("-p", "no:terminal", "--unlearn-gate", "-k", "test_a").ret == FAILED
