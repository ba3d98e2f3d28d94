"""Forty deleted images, from the verdict to a gate: honest models are released, the original never."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Suite

pytestmark = pytest.mark.slow

CONFTEST = """
import pytest
from torch import nn
from pytest_unlearn import Split, TorchRecipe
from tests.worlds.real import fashion_split

def build():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))

class Retrain:
    def __call__(self, model, retain, forget, *, seed):
        return TorchRecipe(build, epochs=80)(retain, seed=70 + seed)

@pytest.fixture(scope="session")
def unlearn_split():
    return fashion_split(draw=DRAW, train=500, forget=40)

@pytest.fixture(scope="session")
def unlearn_recipe():
    return TorchRecipe(build, epochs=80)

@pytest.fixture(scope="session")
def unlearner():
    return Retrain()
"""
HANDED_OVER = """
@pytest.fixture(scope="session")
def unlearned_model(original_model, retrained_models):
    return MODEL
"""
TESTS = """
from pytest_unlearn import *

def test_request(unlearned_model, forget_loader, unlearner, unlearning_task):
    LINE

def test_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.1)
"""
ASKED = "assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.55)"


def audited(suite: Suite, line: str, require: str, model: str = "", draw: int = 1) -> pytest.RunResult:
    """Run the suite with a gate, in a process of its own."""
    handed = HANDED_OVER.replace("MODEL", model) if model else ""
    (suite.path / "conftest.py").write_text(CONFTEST.replace("DRAW", str(draw)) + handed)
    (suite.path / "test_release.py").write_text(TESTS.replace("LINE", line))
    suite.ini("unlearn_gate = true", f"unlearn_require = {require}")
    return suite.run("--unlearn-report", subprocess=True)


def advised(result: pytest.RunResult) -> tuple[str, str]:
    """The line and the ini value that a blocked gate names."""
    text = " ".join(result.stdout.str().split())
    found = re.search(
        r"Paste (assert_\w+\([^)]*\)) in its place, and into the ini file unlearn_require = \[(.*?)\]", text
    )
    assert found, text
    return found[1], f"[{found[2]}]"


@pytest.mark.long
def test_what_a_blocked_gate_names_releases_an_honest_model_and_blocks_those_that_remember(suite: Suite) -> None:
    asked = audited(suite, ASKED, '["forgotten", "utility"]')
    assert asked.ret == pytest.ExitCode.TESTS_FAILED
    line, require = advised(asked)
    assert line.startswith("assert_leakage_reduced(")
    assert require == '["leakage_reduced", "utility"]'
    assert audited(suite, line, require).ret == 0
    assert suite.report()["gate"]["release"] is True
    assert audited(suite, line, require, model="original_model").ret == pytest.ExitCode.TESTS_FAILED
    assert suite.report()["gate"]["release"] is False


@pytest.mark.long  # an original, a method and a reference for every run
def test_a_method_that_passes_over_its_runs_releases_its_own_model_and_not_the_original(suite: Suite) -> None:
    line = "assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.62, runs=12)"
    honest = audited(suite, line, '["algorithm", "utility"]')
    assert honest.ret == 0, honest.stdout.str()
    gate = suite.report()["gate"]
    assert gate["release"]
    assert "no claim says of this very model that the request is forgotten" in gate["notes"][0]
    # The original is as useful, and the method as good; nothing was asked of this very model.
    original = audited(suite, line, '["algorithm", "utility"]', model="original_model")
    assert original.ret == pytest.ExitCode.TESTS_FAILED
    (reason,) = suite.report()["gate"]["reasons"]
    assert "nothing shows that it made the model of utility" in reason
