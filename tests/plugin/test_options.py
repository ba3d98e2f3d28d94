"""Options on the command line: accepted, checked, in one group, and of a shape that xdist can hand on."""

from __future__ import annotations

import json

import pytest

from pytest_unlearn.core.settings import TABLE
from tests.plugin.conftest import Suite
from tests.plugin.settings_shown import SHOW

FLAGS = ("report", "gate", "fresh")
GOOD = {"seed": "7", "jobs": "2", "device": "cpu", "inconclusive": "warn", "report_dir": "out"}
BAD = {"seed": "-1", "jobs": "0", "device": " ", "inconclusive": "maybe", "report_dir": ""}
PRINT_OPTIONS = """
import json
def pytest_unconfigure(config):
    options = {name: value for name, value in vars(config.option).items() if "unlearn" in name}
    print("OPTIONS", json.dumps(options))
"""


def test_each_option_that_takes_a_value(suite: Suite) -> None:
    suite.write(test_it=SHOW + f"def test_a():\n    for name in {tuple(GOOD)}: show(name)")
    given = [part for name, value in GOOD.items() for part in (TABLE[name].option, value)]
    shown = suite.run("-s", *given).stdout.str()
    for name, value in GOOD.items():
        assert f"[{name}={TABLE[name].parse(value)!r} from command line]" in shown


@pytest.mark.slow
def test_flags_take_no_value_and_leave_the_path_alone(suite: Suite) -> None:
    suite.write(test_it=SHOW + f"def test_a():\n    for name in {FLAGS}: show(name)")
    for distribute in ((), ("-n2",)):
        result = suite.run("-rP", *(TABLE[name].option for name in FLAGS), "test_it.py", *distribute)
        result.stdout.fnmatch_lines([f"*[[]{name}=True from command line]*" for name in FLAGS])


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_bad_value_is_a_usage_error(suite: Suite, name: str, value: str) -> None:
    result = suite.run(f"{TABLE[name].option}={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{TABLE[name].option}: {name} must be *, not {value!r}"])


def test_help_lists_the_documented_options_in_one_group_and_no_others(suite: Suite) -> None:
    lines = suite.run("--help").outlines
    start = lines.index("machine-unlearning audit:")
    group = lines[start + 1 : lines.index("", start)]
    flags = {line.split()[0].split("=")[0] for line in lines if line.startswith("  --unlearn-")}
    names = {"report", "report-dir", "gate", "seed", "jobs", "device", "fresh", "inconclusive"}
    assert {f"--unlearn-{name}" for name in names} <= flags
    assert flags == {line.split()[0].split("=")[0] for line in group if line.startswith("  --")}
    assert flags == {spec.option for spec in TABLE.values() if spec.flag} | {
        "--unlearn-policies"
    }  # which is no setting


def test_what_options_store_is_prefixed_and_survives_the_way_to_a_worker(suite: Suite) -> None:
    suite.pytester.makeconftest(PRINT_OPTIONS)
    given = [part for name, value in GOOD.items() for part in (TABLE[name].option, value)]
    output = suite.run("-s", *given, "--unlearn-gate").stdout.str()
    options = json.loads(next(line for line in output.splitlines() if line.startswith("OPTIONS"))[len("OPTIONS ") :])
    assert set(options) == {f"unlearn_{spec.name}" for spec in TABLE.values() if spec.flag} | {"unlearn_policies"}
    assert options["unlearn_seed"] == 7
    assert options["unlearn_gate"] is True
