"""Call keyword > marker > command line > ini > default; the evidence says which it was."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite
from tests.plugin.settings_shown import SHOW


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
    suite.ini("unlearn_inconclusive = warn", "unlearn_max_drop = 0.4", "unlearn_max_gap = 0.25")
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
    suite.ini("unlearn_seed = 4")
    suite.run("-s", "--unlearn-seed=5").stdout.fnmatch_lines(["*[[]seed=5 from command line]*"])
