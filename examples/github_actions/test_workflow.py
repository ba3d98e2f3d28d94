"""The workflow can be read, says what its README says, and its commands do what it takes them to do."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
WORKFLOW = yaml.safe_load((HERE / "unlearning-audit.yml").read_text())
STEPS = {step.get("name", step.get("uses")): step for step in WORKFLOW["jobs"]["audit"]["steps"]}
CONFTEST = """
import numpy as np, pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from pytest_unlearn import EstimatorRecipe, Split

@pytest.fixture(scope="session")
def unlearn_split():
    data = load_digits()
    return Split((data.data[:700], data.target[:700]), forget=np.arange(300), test=(data.data[700:], data.target[700:]))

@pytest.fixture(scope="session")
def unlearn_recipe():
    return EstimatorRecipe(KNeighborsClassifier(5))

@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return lambda model, retain, forget, *, seed: unlearn_recipe(retain, seed=seed)
"""
TESTS = """
from pytest_unlearn import assert_forgotten, assert_utility

def test_request_is_forgotten(unlearned_model, forget_loader):
    assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.65)

def test_model_is_still_useful(unlearned_model, test_loader):
    assert_utility(unlearned_model, test_loader, max_drop=0.1)
"""


def test_the_steps_come_in_the_order_that_saves_time_and_loses_nothing():
    names = list(STEPS)
    expected = ["Restore trained models", "Check the cache", "Say what this request can certify, and what it will cost",
                "Audit and gate", "Keep the report", "Keep trained models"]  # fmt: skip
    assert [name for name in names if name in expected] == expected
    for name in ("Keep the report", "Keep trained models"):
        assert STEPS[name]["if"] == "always()"
    assert ".unlearn/report/" in STEPS["Keep the report"]["with"]["path"]
    assert STEPS["Keep the report"]["with"]["include-hidden-files"] is True
    kept, restored = (STEPS[name]["with"]["path"] for name in ("Keep trained models", "Restore trained models"))
    assert kept == restored == ".unlearn/cache"
    assert WORKFLOW["permissions"] == {"contents": "read"}


@pytest.mark.slow
def test_its_commands_run_on_a_small_project(tmp_path):
    folder = tmp_path / "tests/release"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_release.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nunlearn_require =\n    forgotten\n    utility\n")
    summary = tmp_path / "summary.md"
    found = {}
    for name in ("Check the cache", "Say what this request can certify, and what it will cost", "Audit and gate"):
        command = STEPS[name]["run"].replace("python ", f"{shlex.quote(sys.executable)} ")
        environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(HERE.parents[1])}
        found[name] = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
    audit = found["Audit and gate"]
    assert all(found[name].returncode == 0 for name in list(found)[:2]), found
    assert "limit 0.65 (call keyword) at confidence 0.95 (default): can be certified" in found[list(found)[1]].stdout
    assert audit.returncode in (0, 1), audit.stdout + audit.stderr
    assert "release gate: " in audit.stdout
    assert summary.read_text().startswith("# Unlearning audit")
    for file in (".unlearn/report/index.html", ".unlearn/report/report.json", "audit.xml"):
        assert (tmp_path / file).exists()
