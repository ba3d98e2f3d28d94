"""@stress in a suite of its own: the same with workers, and replayed in a new process."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.plugin.conftest import Suite

CONFTEST = """
import pytest
from tests.search.conftest import RECIPE
from tests.search.weaknesses import Forgets, noisy_digits

def remembered(retain, forget):
    return [len(forget) >= 40] * len(forget)

@pytest.fixture(scope="session")
def unlearn_split():
    return noisy_digits(train=600)[0]

@pytest.fixture(scope="session")
def unlearn_recipe():
    return RECIPE

@pytest.fixture(scope="session")
def unlearner():
    return Forgets(RECIPE, remembered)
"""
SEARCH = """
from pytest_unlearn import ForgetRequest, Verdict, assert_forgotten, assert_survives, audit_request, stress

FAMILIES = ["random", "class-fraction"]

@stress(budget=20, families=FAMILIES, sizes=(20, 120))
def test_any(unlearned):
    assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.6)

def test_survives(unlearner, unlearning_task):
    assert_survives(unlearner, unlearning_task, budget=20, families=FAMILIES, max_mia_auc=0.6)
"""


@pytest.fixture
def forests(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite whose method forgets only requests of less than forty."""
    monkeypatch.setenv("CI", "true")
    suite.pytester.makeconftest(CONFTEST)
    return suite


def searches(suite: Suite) -> dict[str, Any]:
    """What a report says of each test, without times."""
    found = {}
    for claim in suite.report()["claims"]:
        claim["evidence"]["provenance"].pop("seconds", None)
        found[claim["nodeid"]] = claim["evidence"]
    return found


@pytest.mark.long
@pytest.mark.slow
def test_workers_find_the_same_and_a_new_process_replays_it(forests: Suite) -> None:
    forests.write(test_search=SEARCH)
    alone = forests.run("--unlearn-report", subprocess=True)
    alone.assert_outcomes(failed=2)
    seen = searches(forests)
    forests.run("--unlearn-report", "-n2").assert_outcomes(failed=2)
    assert searches(forests) == seen

    alone.stdout.fnmatch_lines(["FAIL *test_any*", "*made smaller:*", "*confirmed:*"])
    decorator, call = dict.fromkeys(re.findall(r"^  replay: (.*)$", str(alone.stdout), flags=re.MULTILINE))
    replayed = f"""
    {decorator}
    def test_any(unlearned):
        assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.6)

    def test_survives(unlearner, unlearning_task):
        task = unlearning_task
        assert {call}.verdict is Verdict.FAIL
    """
    forests.write(test_search=SEARCH.partition("FAMILIES")[0] + replayed.replace("\n    ", "\n"))
    again = forests.run("--unlearn-report", subprocess=True)
    again.assert_outcomes(failed=1, passed=1)
    (stressed,) = searches(forests).values()
    (before,) = [evidence for nodeid, evidence in seen.items() if nodeid.endswith("test_any")]
    assert stressed["verdict"] == before["verdict"] == "FAIL"
    assert stressed["attacks"] == before["attacks"]
