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

@stress(budget=10, families=FAMILIES, sizes=(20, 120))
def test_any(unlearned):
    assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.6)

def test_survives(unlearner, unlearning_task):
    assert_survives(unlearner, unlearning_task, budget=10, families=FAMILIES, max_mia_auc=0.6)
"""


REQUEST = """
@pytest.fixture(scope="session")
def unlearn_split():
    return noisy_digits(train=600)[0].with_forget(range(200))

@pytest.fixture(scope="session")
def unlearner():
    return Forgets(RECIPE)
"""
PROPERTIES = """
from hypothesis import given, settings, strategies as st
from pytest_unlearn import assert_forgotten, assert_survives, check_unlearner, stress
from tests.plugin.test_stress import RANDOM
from tests.search.conftest import RECIPE
from tests.search.weaknesses import Forgets

few = settings(max_examples=2, deadline=None, database=None, derandomize=True)

@stress(budget=1, **RANDOM)
def test_any(unlearned):
    assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.65)

def test_survives(unlearner, unlearning_task):
    assert_survives(unlearner, unlearning_task, budget=1, families=RANDOM["families"], max_mia_auc=0.65)

@few
@given(size=st.integers(100, 140))
def test_unlearn(unlearn, size):
    done = unlearn(range(size))
    assert_forgotten(done.model, done.task.forget, max_mia_auc=0.7)

@few
@given(size=st.integers(100, 140))
def test_with_request(unlearner, unlearning_task, size):
    task = unlearning_task.with_request(range(size))
    assert_forgotten(task.unlearn(unlearner), task.forget, max_mia_auc=0.7)

def test_conformance():
    check_unlearner(Forgets(RECIPE), recipe=RECIPE, on_fail=None)
"""
CANDIDATE = """
def test_candidate(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.65)
"""
RANDOM: dict[str, Any] = {"families": ["random"], "sizes": (100, 120)}


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


@pytest.mark.long
@pytest.mark.slow
def test_a_gate_releases_beside_properties_of_the_method_and_never_on_them_alone(forests: Suite) -> None:
    forests.pytester.makeconftest(CONFTEST + REQUEST)
    forests.write(test_release=PROPERTIES + CANDIDATE)
    released = forests.run("--unlearn-gate", "--unlearn-report", subprocess=True)
    released.assert_outcomes(passed=7)  # the gate is one of them
    assert {row["nodeid"].partition("::")[2] for row in forests.report()["claims"]} == {
        *("test_any", "test_survives", "test_unlearn", "test_with_request", "test_candidate")
    }
    forests.write(test_release=PROPERTIES.replace("def test_any", "def any_request"))
    blocked = forests.run("--unlearn-gate", "--unlearn-report", subprocess=True)
    blocked.assert_outcomes(passed=4, failed=1)
    (reason,) = forests.report()["gate"]["reasons"]
    assert reason.startswith("forgotten is claimed only of what a property test draws (test_release.py::test_unlearn)")
