"""Ini twins: pyproject.toml alone is enough, and a bad value there is a usage error."""

from __future__ import annotations

import pytest

from pytest_unlearn.core.settings import TABLE
from tests.plugin.conftest import Suite
from tests.plugin.settings_shown import SHOW

GOOD = {
    "seed": "7",
    "jobs": "2",
    "device": "cpu",
    "inconclusive": "warn",
    "report_dir": "out",
    "references": "2",
    "max_mia_auc": "0.6",
    "max_drop": "0.1",
    "max_gap": "0.1",
    "max_fraction": "0.5",
    "min_ratio": "0.6",
    "confidence": "0.9",
    "require_controls": "false",
    "junit_properties": "true",
    "report": "false",
    "gate": "false",
}
BAD = {
    "seed": "-1",
    "jobs": "0",
    "device": " ",
    "inconclusive": "maybe",
    "report_dir": "",
    "references": "-1",
    "max_mia_auc": "0.5",
    "max_drop": "1",
    "max_gap": "x",
    "max_fraction": "0",
    "min_ratio": "1",
    "confidence": "95",
    "require_controls": "maybe",
    "junit_properties": "maybe",
    "report": "maybe",
    "gate": "maybe",
}


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_each_ini_twin(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=SHOW + f"def test_a():\n    for name in {tuple(GOOD)}: show(name)")
    suite.ini(*(f"unlearn_{name} = {value}" for name, value in GOOD.items()))
    shown = suite.run("-rP", *arguments).stdout.str()
    for name, value in GOOD.items():
        assert f"[{name}={TABLE[name].parse(value)!r} from ini]" in shown


def test_everything_that_persists_has_an_ini_twin() -> None:
    without = {spec.name for spec in TABLE.values() if not spec.ini}
    assert without == {"fresh"}  # a cache ignored for ever would be no cache
    assert all(spec.ini_name == f"unlearn_{spec.name}" for spec in TABLE.values())


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_ini_value_is_a_usage_error_that_names_the_option(suite: Suite, name: str, value: str) -> None:
    suite.ini(f"unlearn_{name} = {value}")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: ini option unlearn_{name}: *"])
    result.stderr.no_fnmatch_line("*Traceback*")


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="[tool.pytest] is new in pytest 9.0")
def test_native_toml(suite: Suite) -> None:
    suite.write(test_it=SHOW + "def test_a(): show('max_drop'); show('report')")
    suite.pytester.makepyprojecttoml("[tool.pytest]\nunlearn_max_drop = 0.5\nunlearn_report = true\n")
    result = suite.run("-s")
    result.stdout.fnmatch_lines(["*[[]max_drop=0.5 from ini]*", "*[[]report=True from ini]*"])
