"""Audits that nobody marked: one that was skipped, failed or never ran blocks the gate, although it left nothing."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

PROVEN = "def test_proven(): audit()\n"
HIDDEN = {
    "skip_mark": "@pytest.mark.skip\ndef test_b(): pytest_unlearn.assert_forgotten(1, 2)",
    "skip_in_body": "def test_b():\n    pytest.skip()\n    assert_forgotten(1, 2)",
    "skipif": "@pytest.mark.skipif(True, reason='no gpu')\ndef test_b(): assert_forgotten(1, 2)",
    "xfail_not_run": "@pytest.mark.xfail(run=False)\ndef test_b(): assert_forgotten(1, 2)",
    "xfail": "@pytest.mark.xfail\ndef test_b(): assert_forgotten(1, 2)",
    "failed": "def test_b(): assert_forgotten(1, 2)",
    "class_skip": "@pytest.mark.skip\nclass TestB:\n    def test_b(self): assert_utility(1, 2)",
    "nested": "@pytest.mark.skip\ndef test_b():\n    check = lambda: [assert_utility(m, 2) for m in ()]\n    check()",
    "local_import": "@pytest.mark.skip\ndef test_b():\n    from pytest_unlearn import assert_utility as f\n    f()",
    "alias": "from pytest_unlearn import assert_utility as f\n@pytest.mark.skip\ndef test_b(): f()",
    "helper": "def helper(): assert_utility(1, 2)\n@pytest.mark.skip\ndef test_b(): helper()",
    "method": "class Base:\n    def check(self): assert_utility(1)\n"
    "@pytest.mark.skip\nclass TestB(Base):\n    def test_b(self): self.check()",
    "unittest": "import unittest\nclass TestB(unittest.TestCase):\n    @unittest.skip('x')\n"
    "    def test_b(self): assert_utility(1, 2)",
    "unittest_class": "import unittest\n@unittest.skip('x')\nclass TestB(unittest.TestCase):\n"
    "    def test_b(self): assert_utility(1, 2)",
    "hypothesis": "from hypothesis import given, strategies as st\n@pytest.mark.skip\n@given(st.integers())\n"
    "def test_b(n): assert_utility(n, 2)",
    "decorated": "def plain(f):\n    def inner(): f()\n    return inner\n"
    "@pytest.mark.skip\n@plain\ndef test_b(): assert_utility(1, 2)",
    "parameter": "@pytest.mark.skip\n@pytest.mark.parametrize('f', [assert_forgotten])\ndef test_b(f): f(1, 2)",
    "partial": "import functools\nf = functools.partial(assert_utility, max_drop=0.1)\n@pytest.mark.skip\n"
    "def test_b(): f(1, 2)",
    "empty_parameters": "@pytest.mark.parametrize('n', [])\ndef test_b(n): assert_utility(n, 2)",
    "fixture_asserts": "@pytest.fixture\ndef f(): assert_utility(1, 2)\n@pytest.mark.skip\ndef test_b(f): ...",
    "model": "@pytest.mark.skip\ndef test_b(unlearned_model): ...",
    "unlearn": "@pytest.fixture\ndef other(unlearn): ...\n@pytest.mark.skip\ndef test_b(other): ...",
    "stress": "from pytest_unlearn import stress\n@pytest.mark.skip\n@stress\ndef test_b(unlearned): ...",
    "setup_error": "@pytest.fixture\ndef broken(): assert 0\ndef test_b(broken): assert_utility(1, 2)",
}
ELSEWHERE = {
    "module": "import audits_of_ours\n@pytest.mark.skip\ndef test_b(): audits_of_ours.check(1)",
    "import_in_body": "import audits_of_ours\ndef test_b():\n    from audits_of_ours import check\n"
    "    pytest.skip()\n    check(1)",
    "xfail": "import audits_of_ours\n@pytest.mark.xfail\ndef test_b(): audits_of_ours.check(1)",
    "fails": "import audits_of_ours\ndef test_b(): audits_of_ours.check(1)",
    "static": "class Check:\n    @staticmethod\n    def run(): assert_forgotten(1, 2)\n"
    "@pytest.mark.skip\ndef test_b(): Check.run()",
    "instance": "class Check:\n    def __call__(self): assert_forgotten(1, 2)\ncheck = Check()\n"
    "@pytest.mark.skip\ndef test_b(): check()",
    "set_up": "import unittest\nclass TestB(unittest.TestCase):\n    def setUp(self): assert_forgotten(1, 2)\n"
    "    @unittest.skip('x')\n    def test_b(self): ...",
}
IMPORTS = "import pytest_unlearn\nfrom pytest_unlearn import assert_forgotten, assert_utility\n"


@pytest.mark.parametrize("name", HIDDEN)
def test_an_unmarked_audit_that_did_not_pass_blocks(suite: Suite, name: str) -> None:
    suite.write(test_it=IMPORTS + PROVEN + HIDDEN[name])
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - test_it.py::*test_b* looks like an audit but ended without any evidence (*)"])
    result.stdout.fnmatch_lines(["2 claims planned, 1 ran: 1 passed*"])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_audit_behind_another_module_or_object_blocks_too(suite: Suite, name: str) -> None:
    suite.pytester.makepyfile(
        audits_of_ours="import pytest_unlearn\ndef check(m): pytest_unlearn.assert_forgotten(m, 2)"
    )
    suite.write(test_it=IMPORTS + PROVEN + ELSEWHERE[name])
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - test_it.py::*test_b* looks like an audit but ended without any evidence (*)"])


def test_a_suite_outside_the_root_directory_is_looked_at_too(suite: Suite) -> None:
    for folder in ("ci", "tests"):
        (suite.path / folder).mkdir()
    (suite.path / "ci/pytest.ini").write_text("[pytest]\n")
    skipped = "from unlearn_helpers import *\nimport pytest\n" + IMPORTS + PROVEN + HIDDEN["skip_mark"]
    (suite.path / "tests/test_it.py").write_text(skipped)
    result = suite.run("--unlearn-gate", "-c", "ci/pytest.ini", "tests")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - *test_b looks like an audit*"])


@pytest.mark.slow
def test_it_is_the_same_with_workers(suite: Suite) -> None:
    names = ("skip_mark", "class_skip", "helper", "model", "xfail_not_run")
    for number, name in enumerate(names):
        suite.write(**{f"test_{number}": IMPORTS + HIDDEN[name]})
    suite.write(test_it=PROVEN)
    result = suite.run("--unlearn-gate", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - test_{number}.py::*looks like an audit*" for number in range(len(names))])
    result.stdout.fnmatch_lines(["6 claims planned, 1 ran: 1 passed*"])


def test_a_module_of_skipped_audits_blocks(suite: Suite) -> None:
    suite.write(test_b=IMPORTS + "pytestmark = pytest.mark.skip\ndef test_b(): assert_forgotten(1, 2)", test_it=PROVEN)
    result = suite.run("--unlearn-gate")
    result.stdout.fnmatch_lines(["  - test_b.py::test_b looks like an audit*(skipped)"])


def test_a_skipped_subtest_blocks(suite: Suite) -> None:
    pytest.importorskip("_pytest.subtests")
    suite.write(
        test_it=IMPORTS
        + PROVEN
        + """
def test_b(subtests):
    with subtests.test():
        pytest.skip()
        assert_forgotten(1, 2)
"""
    )
    suite.run("--unlearn-gate").stdout.fnmatch_lines(["  - test_it.py::test_b looks like an audit*(skipped)"])


def test_what_passed_without_evidence_or_has_nothing_to_do_with_audits_does_not_block(suite: Suite) -> None:
    suite.write(
        test_it=IMPORTS
        + PROVEN
        + """
def test_that_an_assertion_refuses_nonsense():
    with pytest.raises(TypeError):
        assert_forgotten()
@pytest.mark.skip
def test_other():
    import math
    math.sqrt(assertion_of_another_kind())
def test_mock():
    from unittest import mock
@pytest.mark.skip
@pytest.mark.parametrize("thing", [__import__("unittest.mock").mock.MagicMock(), len, int, None])
def test_parameters(thing): assert thing
"""
    )
    result = suite.run("--unlearn-gate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 claim planned, 1 ran: 1 passed*", "release gate: release"])


def test_an_audit_that_was_never_reached_blocks(suite: Suite) -> None:
    suite.write(test_it=IMPORTS + PROVEN + "def test_x(): assert 0\ndef test_b(): assert_forgotten(1, 2)")
    result = suite.run("--unlearn-gate", "-x")
    result.stdout.fnmatch_lines(["  - test_it.py::test_b looks like an audit*(not run)"])
