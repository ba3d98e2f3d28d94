"""The composite action can be read, passes nothing into a shell but by variables, and its commands do what it says."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
ACTION = yaml.safe_load((HERE / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
SUITE = """
from tests.evidences import evidence
from pytest_unlearn.core.recorder import record

def test_release():
    found = evidence({verdict!r}, {value})
    record(found)
    assert found.verdict.value == "PASS"
"""


def test_it_is_a_composite_action_whose_every_input_is_used_and_explained():
    assert ACTION["runs"]["using"] == "composite"
    text = (HERE / "action.yml").read_text()
    for name, given in ACTION["inputs"].items():
        assert given["description"]
        assert f"${{{{ inputs.{name} }}}}" in text or f"inputs.{name} ==" in text
    for output in ACTION["outputs"].values():
        step = re.search(r"steps\.(\w+)\.outputs", output["value"])
        assert step
        assert any(one.get("id") == step[1] for one in ACTION["runs"]["steps"])


def test_every_step_is_a_command_with_a_shell_or_an_action_of_a_version():
    for step in ACTION["runs"]["steps"]:
        if "run" in step:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"]  # or an input would be code
        else:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-actions", "action.yml"), ("vendor.github-workflows", "unlearning-audit.yml")]
)
def test_it_is_valid_under_the_published_schema(schema, file):
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*command, HERE / file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    broken = HERE.joinpath(file).read_text().replace("steps:", "stepz:")
    refused = subprocess.run([*command, "-"], input=broken, capture_output=True, text=True, check=False)
    assert refused.returncode == 1


def test_nothing_is_attested_but_what_was_released_and_the_report_is_always_kept():
    condition = STEPS["Attest"]["if"]
    assert "steps.statement.outputs.decision == 'RELEASE'" in condition
    assert "always()" not in condition
    assert STEPS["Keep the report"]["if"] == STEPS["Keep the history"]["if"] == "always()"
    given = STEPS["Attest"]["with"]
    assert given["predicate-type"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert set(given) == {"subject-checksums", "predicate-type", "predicate-path"}
    assert list(STEPS).index("Check the report and its statement") < list(STEPS).index("Attest")


def run(step, folder):
    """Run a step as a runner does: inputs at their defaults, in variables alone."""
    environment = dict(os.environ, PYTHONPATH=str(HERE.parents[1]), GITHUB_OUTPUT=str(folder / "output.txt"),
                       RUNNER_TEMP=str(folder / "temp"))  # fmt: skip
    for name, value in step.get("env", {}).items():
        environment[name] = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: ACTION["inputs"][m[1]]["default"], value)
    command = step["run"].replace("python ", f"{shlex.quote(sys.executable)} ")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A project that releases two files, whose audit passes."""
    (tmp_path / "tests/release").mkdir(parents=True)
    (tmp_path / "temp").mkdir()
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nunlearn_require = forgotten\nunlearn_release_files = *.safetensors\npythonpath = .\n"
    )
    for name in ("model", "the head"):
        (tmp_path / f"{name}.safetensors").write_text(name)
    return tmp_path


def outputs(project):
    return dict(line.split("=", 1) for line in (project / "output.txt").read_text().splitlines())


@pytest.mark.slow
def test_a_release_is_attested_for_its_files_and_nothing_else(project):
    (project / "tests/release/test_it.py").write_text(SUITE.format(verdict="PASS", value=0.5))
    audit = run(STEPS["Audit and gate"], project)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert run(STEPS["Say what is attested"], project).returncode == 0
    assert outputs(project) == {"decision": "RELEASE", "subjects": "2"}
    subjects = (project / "temp/unlearning-subjects.txt").read_text().splitlines()
    assert subjects == [
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}.safetensors" for name in ("model", "the head")
    ]
    predicate = json.loads((project / "temp/unlearning-predicate.json").read_text())
    assert predicate["result"] == "PASSED"
    assert predicate == json.loads((project / ".unlearn/report/attestation.json").read_text())["predicate"]
    check = run(STEPS["Check the report and its statement"], project)
    assert check.returncode == 0, check.stdout + check.stderr
    (project / "the head.safetensors").write_text("another")
    assert run(STEPS["Check the report and its statement"], project).returncode == 1


@pytest.mark.slow
def test_a_blocked_release_keeps_its_report_and_is_remembered(project):
    (project / "tests/release/test_it.py").write_text(SUITE.format(verdict="FAIL", value=0.7))
    assert run(STEPS["Audit and gate"], project).returncode == 1
    assert run(STEPS["Say what is attested"], project).returncode == 0
    assert outputs(project)["decision"] == "DO NOT RELEASE"
    assert (project / ".unlearn/report/index.html").exists()
    history = (project / ACTION["inputs"]["history"]["default"]).read_text().splitlines()
    runs = {json.loads(line)["run"] for line in history}  # a run writes a line at its start, and one at its end
    assert len(runs) == 1
    assert json.loads(history[-1])["claims"][0]["verdict"] == "FAIL"


@pytest.mark.slow
def test_a_suite_that_does_not_run_decides_nothing(project):
    (project / "tests/release/test_it.py").write_text("import os\ndef test_a(): os._exit(0)\n")
    assert run(STEPS["Audit and gate"], project).returncode == 1
    assert run(STEPS["Say what is attested"], project).returncode == 0
    assert outputs(project) == {"decision": "NOT DECIDED", "subjects": "0"}
