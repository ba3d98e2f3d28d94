"""Options, ini twins and the marker: each accepted, each checked, and their precedence."""

from __future__ import annotations

import pytest

from pytest_unlearn.settings import TABLE
from tests.plugin.conftest import Suite

SHOW = """
from pytest_unlearn.settings import resolve
def show(name, call=None):
    s = resolve(name, call)
    print(f"[{name}={s.value!r} from {s.source}]")
"""
GOOD = {"seed": "7", "jobs": "2", "device": "cpu", "inconclusive": "warn", "report_dir": "out"}
INI = {**GOOD, "max_mia_auc": "0.6", "max_drop": "0.1", "max_gap": "0.1", "confidence": "0.9", "references": "2"}
BAD = {"seed": "-1", "jobs": "0", "device": " ", "inconclusive": "maybe", "report_dir": ""}
BAD_INI = {**BAD, "max_mia_auc": "0.5", "max_drop": "1", "max_gap": "x", "confidence": "95", "references": "-1"}


@pytest.mark.parametrize(("name", "value"), GOOD.items())
def test_each_option_on_the_command_line(suite: Suite, name: str, value: str) -> None:
    suite.write(test_it=SHOW + f"def test_a(): show({name!r})")
    result = suite.run("-s", TABLE[name].option, value)
    result.stdout.fnmatch_lines([f"*[[]{name}={TABLE[name].parse(value)!r} from command line]*"])


@pytest.mark.parametrize(("name", "value"), INI.items())
def test_each_ini_twin(suite: Suite, name: str, value: str) -> None:
    suite.write(test_it=SHOW + f"def test_a(): show({name!r})")
    suite.pytester.makeini(f"[pytest]\nunlearn_{name} = {value}\n")
    result = suite.run("-s")
    result.stdout.fnmatch_lines([f"*[[]{name}={TABLE[name].parse(value)!r} from ini]*"])


@pytest.mark.parametrize("name", ["report", "gate", "fresh"])
def test_flags_take_no_value_and_leave_the_path_alone(suite: Suite, name: str) -> None:
    suite.write(test_it=SHOW + f"def test_a(): show({name!r})")
    result = suite.run("-s", TABLE[name].option, "test_it.py")
    result.stdout.fnmatch_lines([f"*[[]{name}=True from command line]*"])


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_option_is_a_usage_error(suite: Suite, name: str, value: str) -> None:
    result = suite.run(f"{TABLE[name].option}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{TABLE[name].option}: {name} must be *, not {value!r}"])


@pytest.mark.parametrize(("name", "value"), BAD_INI.items())
def test_a_bad_ini_value_is_a_usage_error(suite: Suite, name: str, value: str) -> None:
    suite.pytester.makeini(f"[pytest]\nunlearn_{name} = {value}\n")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *"])
    result.stderr.no_fnmatch_line("*Traceback*")


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="[tool.pytest] is new in pytest 9.0")
def test_native_toml(suite: Suite) -> None:
    suite.write(test_it=SHOW + "def test_a(): show('max_drop'); show('report')")
    suite.pytester.makepyprojecttoml("[tool.pytest]\nunlearn_max_drop = 0.5\nunlearn_report = true\n")
    result = suite.run("-s")
    result.stdout.fnmatch_lines(["*[[]max_drop=0.5 from ini]*", "*[[]report=True from ini]*"])


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_precedence(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        test_it=SHOW
        + """
pytestmark = pytest.mark.unlearn(inconclusive="warn", max_drop=0.3)
@pytest.mark.unlearn(inconclusive="xfail")
def test_a():
    show("inconclusive", "fail"); show("inconclusive"); show("max_drop"); show("max_gap"); show("confidence"); assert 0
"""
    )
    suite.pytester.makeini("[pytest]\nunlearn_inconclusive = warn\nunlearn_max_drop = 0.4\nunlearn_max_gap = 0.25\n")
    result = suite.run("--unlearn-inconclusive=fail", *arguments)
    result.stdout.fnmatch_lines(
        [
            "[[]inconclusive='fail' from call keyword]",
            "[[]inconclusive='xfail' from marker]",
            "[[]max_drop=0.3 from marker]",
            "[[]max_gap=0.25 from ini]",
            "[[]confidence=0.95 from default]",
        ]
    )


def test_the_command_line_beats_the_ini_file(suite: Suite) -> None:
    suite.write(test_it=SHOW + "def test_a(): show('seed')")
    suite.pytester.makeini("[pytest]\nunlearn_seed = 4\n")
    suite.run("-s", "--unlearn-seed=5").stdout.fnmatch_lines(["*[[]seed=5 from command line]*"])


@pytest.mark.parametrize("mark", ["max_auc=0.6", "0.6", "seed=3"])
def test_a_marker_with_a_typo_is_an_error_that_names_the_keywords(suite: Suite, mark: str) -> None:
    suite.write(test_it=f"@pytest.mark.unlearn({mark})\ndef test_a(): audit()")
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.unlearn takes no *; its keywords are max_mia_auc, max_drop, max_gap, *"])


def test_a_marker_with_a_value_out_of_range_is_an_error(suite: Suite) -> None:
    suite.write(test_it="@pytest.mark.unlearn(max_mia_auc=0.4)\ndef test_a(): audit()")
    result = suite.run("-n2")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["max_mia_auc must be a number above 0.5 and below 1, not 0.4"])


def test_the_marker_is_registered(suite: Suite) -> None:
    suite.write(test_it="@pytest.mark.unlearn(max_drop=0.1)\ndef test_a(): pass")
    assert suite.run("--strict-markers").ret == 0
    suite.run("--markers").stdout.fnmatch_lines(["@pytest.mark.unlearn(max_mia_auc=..., max_drop=*"])


def test_the_header_appears_only_with_v(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    suite.run("-v", "--unlearn-seed=3").stdout.fnmatch_lines(["unlearn: seed=3 (command line)"])
    suite.run("--unlearn-seed=3").stdout.no_fnmatch_line("unlearn:*")


def test_help_lists_the_documented_options_and_no_others(suite: Suite) -> None:
    flags = {line.split()[0].split("=")[0] for line in suite.run("--help").outlines if line.startswith("  --unlearn-")}
    names = ("report", "report-dir", "gate", "seed", "jobs", "device", "fresh", "inconclusive")
    assert flags == {f"--unlearn-{name}" for name in names}
