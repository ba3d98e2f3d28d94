"""The header speaks of audits with -v only, and once."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SUITE = "def test_a(): pass"


def test_the_header_appears_only_with_v(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    suite.run("-v", "--unlearn-seed=3").stdout.fnmatch_lines(["unlearn: seed=3 (command line)"])
    suite.run("-v").stdout.fnmatch_lines(["unlearn: every setting at its default"])


def test_a_run_without_audits_looks_as_if_the_plugin_were_not_there(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    assert "unlearn" not in suite.run().stdout.str().replace(str(suite.path), "")


@pytest.mark.slow
def test_workers_print_no_header(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    lines = suite.run("-v", "-n2", "--unlearn-seed=3").outlines
    assert sum(line.startswith("unlearn:") for line in lines) == 1
