"""Whether scores are stored: by the ini file, the command line and the marker, and what `verify` then says."""

from __future__ import annotations

import json

import pytest

from pytest_unlearn.__main__ import main
from tests.plugin.conftest import Suite
from tests.worlds import simulated  # noqa: F401 - imported here, it survives pytester's clean-up of sys.modules

AUDIT = """
from pytest_unlearn import assert_utility
from tests.worlds.simulated import World, split
def test_it():
    world = World(split(n_forget=50, n_controls=200), seed=1)
    assert_utility(world.model(), world.task().test, 0.2)
"""
MARKED = AUDIT.replace("def test_it", "@pytest.mark.unlearn(store_scores={})\ndef test_it")


@pytest.mark.parametrize(
    ("ini", "arguments", "test", "stored"),
    [
        ("", (), AUDIT, True),
        ("unlearn_store_scores = false", (), AUDIT, False),
        ("", ("--unlearn-store-scores", "false"), AUDIT, False),
        ("", (), MARKED.format(False), False),
        ("unlearn_store_scores = false", ("--unlearn-store-scores", "true"), AUDIT, True),
        ("unlearn_store_scores = true", ("--unlearn-store-scores", "true"), MARKED.format(False), False),
    ],
)
def test_scores_that_were_not_stored_verify_nothing(
    suite: Suite, capsys: pytest.CaptureFixture[str], ini: str, arguments: tuple[str, ...], test: str, stored: bool
) -> None:
    suite.write(test_it=test)
    suite.ini(ini)
    assert suite.run("--unlearn-report", *arguments).ret == 0
    assert bool(json.loads((suite.path / ".unlearn/report/scores.json").read_text())["arrays"]) is stored
    capsys.readouterr()
    status = main(["verify", str(suite.path / ".unlearn/report/report.json")])
    said = capsys.readouterr().out
    assert status == (0 if stored else 1)
    words = "agrees: utility in" if stored else "it has no scores (store_scores was off, or they were taken away)"
    assert words in said
