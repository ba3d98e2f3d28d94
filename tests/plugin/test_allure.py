"""Allure's results show the claims of each test, and the gate as a test of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.conftest import Suite

SUITE = 'def test_a(): audit()\ndef test_b(): audit("FAIL", 0.9)\ndef test_c(): pass'


def results(suite: Suite) -> dict[str, dict[str, Any]]:
    """The results that allure-pytest wrote, by name."""
    found = [json.loads(path.read_text()) for path in (suite.path / "allure").glob("*-result.json")]
    return {result["name"]: result for result in found}


def attached(suite: Suite, result: dict[str, Any]) -> list[str]:
    """What is attached to a result about the audit."""
    return [
        (suite.path / "allure" / one["source"]).read_text()
        for one in result.get("attachments", ())
        if one["name"] == "unlearning audit"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_claims_are_attached_and_a_blocked_gate_is_a_failed_result(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("-pallure_pytest.plugin", "--alluredir=allure", "--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = results(suite)
    assert {name: one["status"] for name, one in found.items() if name != "test_b"} == {
        "test_a": "passed", "test_c": "passed", "unlearn::release-gate": "failed"
    }  # fmt: skip
    assert found["test_b"]["status"] in ("failed", "broken")
    assert "forgotten is FAIL in test_it.py::test_b" in found["unlearn::release-gate"]["statusDetails"]["message"]
    (proven,), (refuted,) = attached(suite, found["test_a"]), attached(suite, found["test_b"])
    assert proven.startswith("forgotten: PASS")
    assert refuted.startswith("forgotten: FAIL")
    assert attached(suite, found["test_c"]) == []


def test_a_released_gate_is_a_passed_result_with_one_history(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    histories = set()
    for _ in range(2):
        arguments = ("-pallure_pytest.plugin", "--alluredir=allure", "--clean-alluredir")
        assert suite.run(*arguments, "--unlearn-gate").ret == 0
        gate = results(suite)["unlearn::release-gate"]
        assert gate["status"] == "passed"
        histories.add(gate["historyId"])
    assert len(histories) == 1


def test_without_results_nothing_of_allure_is_asked(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    assert suite.run("-pallure_pytest.plugin", "--unlearn-gate").ret == 0
    assert not (suite.path / "allure").exists()
