"""A run that may have left audits out is labelled partial and never satisfies the gate, whatever passed in it."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SLOW = "def test_a(): audit()\n@pytest.mark.slow\ndef test_b(): audit()"
NARROW = {
    "-k": ("-k", "test_a"),
    "-m": ("-m", "not slow"),
    "--deselect": ("--deselect", "test_it.py::test_b"),
    "node ids": ("test_it.py::test_a",),
    "setup only": ("--setup-only",),
    "setup plan": ("--setup-plan",),
    "ini": ("-o", "python_functions=test_a"),
}


def blocked(suite: Suite, *arguments: str, reason: str = "*") -> None:
    """The gate blocks this run, and says that it was partial."""
    result = suite.run("--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - a partial run cannot satisfy the gate: {reason}", f"partial run: {reason}"])


@pytest.mark.parametrize("how", NARROW)
def test_whatever_narrows_the_run_makes_it_partial(suite: Suite, how: str) -> None:
    suite.ini("markers = slow")
    suite.write(test_it=SLOW)
    blocked(suite, *NARROW[how])


def test_a_selection_that_deselects_nothing_is_complete(suite: Suite) -> None:
    suite.ini("addopts = -m 'not slow'", "markers = slow")
    suite.write(test_it="def test_a(): audit()")
    assert suite.run("--unlearn-gate").ret == 0


def test_collect_only_decides_nothing_and_says_so(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    result = suite.run("--unlearn-gate", "--collect-only")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["release gate: undecided, because --collect-only runs no test"])
    result.stdout.no_fnmatch_line("*gate: release*")


class TestWithTheCache:
    @pytest.fixture
    def cached(self, suite: Suite) -> Suite:
        """A suite that remembers; in its first run test_b failed."""
        suite.plugins = suite.plugins[1:]
        suite.write(test_it="def test_a(): audit()\ndef test_b(): assert 0\ndef test_c(): audit()")
        assert suite.run("--stepwise").ret != 0
        suite.write(test_it="def test_a(): audit()\ndef test_b(): audit()\ndef test_c(): audit()")
        return suite

    @pytest.mark.slow
    def test_last_failed(self, cached: Suite) -> None:
        blocked(cached, "--lf")

    @pytest.mark.slow
    def test_last_failed_with_nothing_failed(self, cached: Suite) -> None:
        assert cached.run().ret == 0
        blocked(cached, "--lf")
        blocked(cached, "--lf", "--lfnf=none", reason="--last-failed was given")

    @pytest.mark.slow
    def test_stepwise(self, cached: Suite) -> None:
        blocked(cached, "--stepwise", reason="1 test was deselected")

    @pytest.mark.slow
    def test_stepwise_with_nothing_to_skip_is_complete(self, cached: Suite) -> None:
        cached.run("--stepwise")
        assert cached.run("--stepwise", "--unlearn-gate").ret == 0

    @pytest.mark.slow
    def test_failed_first_only_changes_the_order(self, cached: Suite) -> None:
        assert cached.run("--ff", "--unlearn-gate").ret == 0


def test_stepwise_skip_goes_past_one_failure_and_stays_blocked(suite: Suite) -> None:
    suite.plugins = suite.plugins[1:]
    suite.write(test_it='def test_a(): audit()\ndef test_b(): audit("FAIL")')
    result = suite.run("--sw", "--sw-skip", "--unlearn-gate")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["release gate: blocked*"])


DROP = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.name != "test_b"]
"""


def test_tests_that_a_conftest_drops_without_a_word_are_missed(suite: Suite) -> None:
    suite.pytester.makeconftest(DROP)
    suite.write(test_it="def test_a(): audit()\ndef test_b(): audit()")
    blocked(suite, reason="1 test was collected and then removed by a conftest.py or a plugin")


def test_a_conftest_that_drops_first_is_caught_too(suite: Suite) -> None:
    suite.pytester.makeconftest("import pytest\n@pytest.hookimpl(tryfirst=True)" + DROP)
    suite.write(test_it="def test_a(): audit()\ndef test_b(): audit()")
    blocked(suite)


EMPTY = {
    "skipped": "import pytest\npytest.skip('no gpu', allow_module_level=True)",
    "import": "import pytest\npytest.importorskip('no_such_module')",
    "unittest": "import unittest\nraise unittest.SkipTest('no gpu')",
    "misnamed": "def tset_b(): pass",
    "no class": "class Release:\n    def test_b(self): pass",
}


@pytest.mark.parametrize("how", EMPTY)
def test_a_module_of_audits_that_yields_no_test_is_missed(suite: Suite, how: str) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.pytester.makepyfile(test_b=f"import pytest_unlearn\n{EMPTY[how]}\n", test_other=EMPTY[how])
    blocked(suite, reason="no test was collected from test_b.py, which speaks of audits")


def test_modules_that_were_not_named_or_hold_only_doctests_are_not_missed(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.pytester.makepyfile(test_b=f"import pytest_unlearn\n{EMPTY['misnamed']}\n")
    (suite.pytester.mkdir("src") / "product.py").write_text("import pytest_unlearn\n")
    assert suite.run("--unlearn-gate", "test_it.py").ret == 0
    assert suite.run("--unlearn-gate", "test_it.py", "src", "--doctest-modules").ret == 0


@pytest.mark.slow
def test_workers_tell_all_of_it(suite: Suite) -> None:
    suite.pytester.makeconftest(DROP)
    suite.write(test_it="def test_a(): audit()\ndef test_b(): audit()\ndef test_c(): audit()")
    suite.pytester.makepyfile(test_s=f"# unlearned_model\n{EMPTY['skipped']}\n", test_broken="import no_such_module")
    result = suite.run("--unlearn-gate", "--continue-on-collection-errors", "-k", "not test_c", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    reasons = {line.removeprefix("partial run: ") for line in result.outlines if line.startswith("partial run:")}
    assert reasons == {
        "test_broken.py could not be collected",
        "no test was collected from test_s.py, which speaks of audits",
        "1 test was collected and then removed by a conftest.py or a plugin",
        "1 test was deselected",
    }


def test_a_skipped_module_that_has_nothing_to_do_with_audits_is_not_missed(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.pytester.makepyfile(test_b=EMPTY["skipped"])
    assert suite.run("--unlearn-gate").ret == 0


def test_a_module_that_cannot_be_collected_is_missed(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.pytester.makepyfile(test_b="import no_such_module")
    blocked(suite, "--continue-on-collection-errors", reason="test_b.py could not be collected")


class TestIgnored:
    @pytest.fixture
    def folders(self, suite: Suite) -> Suite:
        """Audits in one folder, other tests in the next; what pytest never enters does not count."""
        for name in ("release", "units", "build"):
            suite.pytester.mkdir(name)
        suite.write(test_it="def test_a(): audit()")
        (suite.path / "release/test_b.py").write_text("import pytest_unlearn\ndef test_b(): pass")
        (suite.path / "units/test_c.py").write_text("def test_c(): pass")
        (suite.path / "units/helper.py").write_text("import pytest_unlearn")
        (suite.path / "build/test_d.py").write_text("import pytest_unlearn")
        return suite

    @pytest.mark.parametrize("path", ["release", "release/test_b.py"])
    def test_what_holds_audits_is_missed(self, folders: Suite, path: str) -> None:
        blocked(folders, f"--ignore={path}", reason=f"--ignore left out {path}")

    @pytest.mark.parametrize("path", ["units", "build", "nowhere"])
    def test_what_holds_none_is_not(self, folders: Suite, path: str) -> None:
        assert folders.run("--unlearn-gate", f"--ignore={path}").ret == 0

    def test_nor_what_lies_apart_from_the_tests(self, folders: Suite) -> None:
        assert folders.run("--unlearn-gate", "test_it.py", "--ignore=release").ret == 0

    def test_a_pattern_may_hide_anything(self, folders: Suite) -> None:
        blocked(folders, "--ignore-glob=*/no_such_*", reason="--ignore-glob was given")


IMPORT = "from pytest_unlearn import assert_forgotten\n"
OUT_OF_SIGHT = {
    "a class with a constructor": "class TestA:\n    def __init__(self): ...\n"
    "    def test_b(self): assert_forgotten(1, 2)",
    "a class that is no test": "class TestA:\n    __test__ = False\n    def test_b(self): assert_forgotten(1, 2)",
    "one definition over another": "def test_b(): assert_forgotten(1, 2)\ntest_b = 3",
}


@pytest.mark.parametrize("how", OUT_OF_SIGHT)
def test_an_audit_that_pytest_does_not_see_is_missed(suite: Suite, how: str) -> None:
    suite.write(test_it=f"{IMPORT}def test_a(): audit()\n{OUT_OF_SIGHT[how]}")
    result = suite.run("--unlearn-gate", "-Wignore")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - a partial run *: test_b in test_it.py asserts what an audit does, and was not *"])


def test_a_file_of_audits_that_a_conftest_ignores_is_missed(suite: Suite) -> None:
    suite.pytester.makeconftest("collect_ignore = ['test_more.py', 'test_other.py']")
    suite.write(test_it="def test_a(): audit()", test_other="def test_c(): pass")
    suite.write(test_more=f"{IMPORT}def test_b(): audit('FAIL')")
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - a partial run *: test_more.py, which speaks of audits, was not collected"])
    result.stdout.no_fnmatch_line("*test_other*")
    assert suite.run("--unlearn-gate", "test_it.py").ret == 0


@pytest.mark.parametrize("text", ["pytest_unlearn: retrained on Monday\n", ""])
def test_notes_beside_tests_hold_no_test_also_where_the_command_line_names_them(suite: Suite, text: str) -> None:
    suite.write(test_it="def test_a(): audit()")
    (suite.path / "notes.txt").write_text(text)
    assert suite.run("--unlearn-gate", "test_it.py", "notes.txt").ret == 0


def test_a_text_whose_doctests_a_conftest_takes_away_is_missed(suite: Suite) -> None:
    suite.pytester.makeconftest("""
def pytest_collectstart(collector):
    if collector.name == "audit.txt":
        collector.collect = list
""")
    suite.write(test_it="def test_a(): audit()")
    (suite.path / "audit.txt").write_text(">>> from pytest_unlearn import assert_forgotten\n")
    result = suite.run("--unlearn-gate", "audit.txt")
    result.stdout.fnmatch_lines(["partial run: no test was collected from audit.txt, which speaks of audits"])


@pytest.mark.slow
def test_a_gate_that_will_block_a_partial_run_says_so_before_the_first_test(suite: Suite) -> None:
    suite.write(test_it="def test_a(): print('TEST RUNS'); audit()")
    suite.pytester.makepyfile(test_b=f"import pytest_unlearn\n{EMPTY['misnamed']}\n")
    lines = suite.run("--unlearn-gate", "-s", "-k", "test_a", "test_it.py", "test_b.py").outlines
    early = "\n".join(lines[: next(k for k, line in enumerate(lines) if "TEST RUNS" in line)])
    assert "release gate: it will block, as this is a partial run: no test was collected from test_b.py, which" in early
    assert "Name folders in place of files" in early
    assert not any("will block" in line for line in suite.run("test_it.py", "test_b.py").outlines)
    assert not any("will block" in line for line in suite.run("--unlearn-gate", "test_it.py").outlines)


def test_a_text_with_doctests_is_no_file_of_audits(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    (suite.path / "guide.txt").write_text("pytest_unlearn says:\n\n>>> 1 + 1\n2\n")
    assert suite.run("--unlearn-gate", "test_it.py", "guide.txt", "--doctest-glob=*.txt").ret == 0
