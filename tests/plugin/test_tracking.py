"""--unlearn-log: a run in MLflow's own local store, on its run and its model version; a failing service is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.report import history
from pytest_unlearn.report.tracking import to_mlflow
from tests.plugin.conftest import Suite

mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.slow
SUITE = """
def test_a(): audit()
@pytest.mark.parametrize("k", ["x[1],y"])
def test_b(k): audit("FAIL", 0.7, name="utility")
"""


@pytest.fixture
def store(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a tracking store in files, with one registered model."""
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((suite.path / "mlruns").as_uri())
    client = mlflow.MlflowClient()
    client.create_registered_model("digits")
    client.create_model_version("digits", source=str(suite.path))
    client.set_registered_model_alias("digits", "candidate", "1")
    yield client
    mlflow.set_tracking_uri(before)


def only_run(client: Any, experiment: str = "0") -> Any:
    (run,) = client.search_runs([experiment])
    return run


def files(client: Any, run: Any) -> set[str]:
    return {Path(row.path).name for row in client.list_artifacts(run.info.run_id, to_mlflow.FOLDER)}


def test_a_run_is_logged_with_its_numbers_verdicts_and_files(suite: Suite, store: Any) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("--unlearn-gate", "--unlearn-report", "--unlearn-log=mlflow")
    run = only_run(store)
    result.stdout.fnmatch_lines([f"logged: MLflow run {run.info.run_id}"])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "unlearning-audit"
    tags = {name: value for name, value in run.data.tags.items() if name.startswith("unlearn.")}
    assert tags["unlearn.decision"] == "DO NOT RELEASE"
    assert (tags["unlearn.verdict.forgotten"], tags["unlearn.verdict.utility"]) == ("PASS", "FAIL")
    assert tags["unlearn.model"] == "5eed" * 16
    written = suite.path / ".unlearn/report"
    assert tags["unlearn.report"] == hashlib.sha256((written / "report.json").read_bytes()).hexdigest()
    flat = json.loads((written / "metrics.json").read_text())
    assert run.data.metrics == pytest.approx({f"unlearn.{name}": value for name, value in flat.items()})
    assert files(store, run) == {path.name for path in written.iterdir()}
    local = Path(store.download_artifacts(run.info.run_id, f"{to_mlflow.FOLDER}/report.json"))
    assert local.read_bytes() == (written / "report.json").read_bytes()


@pytest.mark.parametrize("name", ["digits/1", "digits@candidate", "models:/digits/1"])
def test_the_model_version_carries_the_decision(suite: Suite, store: Any, name: str) -> None:
    suite.ini("unlearn_require = forgotten", "unlearn_log = mlflow", f"unlearn_log_model = {name}")
    suite.write(test_it="def test_a(): audit()")
    assert suite.run("--unlearn-gate").ret == 0
    version = store.get_model_version("digits", "1")
    assert version.tags["unlearn.decision"] == "RELEASE"
    assert version.tags["unlearn.verdict.forgotten"] == "PASS"
    assert version.tags["unlearn.mlflow_run"] == only_run(store).info.run_id
    assert "report.json" in files(store, only_run(store))  # although nothing was written here
    assert not (suite.path / ".unlearn/report").exists()


def test_it_goes_to_the_active_run_and_leaves_it_open(suite: Suite, store: Any) -> None:
    suite.write(test_it="def test_a(): audit()")
    with mlflow.start_run() as run:
        suite.run("--unlearn-log=mlflow")
        assert store.get_run(run.info.run_id).info.status == "RUNNING"
    assert only_run(store).info.run_id == run.info.run_id
    assert only_run(store).data.tags["unlearn.decision"] == "NOT DECIDED"


def test_it_goes_to_the_run_and_the_experiment_that_the_environment_names(
    suite: Suite, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.write(test_it="def test_a(): audit()")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "releases")
    suite.run("--unlearn-log=mlflow")
    suite.run("--unlearn-log=mlflow")
    experiment = store.get_experiment_by_name("releases").experiment_id
    runs = store.search_runs([experiment])
    assert len(runs) == 2
    monkeypatch.setenv("MLFLOW_RUN_ID", runs[0].info.run_id)
    suite.run("--unlearn-log=mlflow")
    assert len(store.search_runs([experiment])) == 2


def test_a_model_that_there_is_none_of_fails_the_run_and_changes_no_verdict(suite: Suite, store: Any) -> None:
    suite.ini("unlearn_require = forgotten")
    suite.write(test_it="def test_a(): audit()")
    result = suite.run("--unlearn-gate", "--unlearn-report", "--unlearn-log=mlflow", "--unlearn-log-model=digits/7")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["release gate: release", "the run could not be logged to mlflow: *7*"])
    assert suite.report()["gate"]["release"] is True
    (remembered,), _ = history.parse((suite.path / ".unlearn/history.jsonl").read_text())
    assert (remembered["decision"], history.failures(remembered)) == ("RELEASE", ("log",))
    assert not store.search_runs(["0"])  # nothing was begun


def test_a_store_that_cannot_be_written_is_said(suite: Suite, store: Any) -> None:
    (suite.path / "file").write_text("in the way")
    mlflow.set_tracking_uri((suite.path / "file/mlruns").as_uri())
    suite.write(test_it="def test_a(): audit()")
    result = suite.run("--unlearn-log=mlflow")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED unlearn::log - the run could not be logged to mlflow: *"])


def test_pictures_of_forget_examples_stay_here(suite: Suite, store: Any) -> None:
    suite.write(
        test_it="""
        from pytest_unlearn.core.evidence import Exposure
        def test_a(): audit(most_exposed=(Exposure(index=17, percentile=0.99, pixels=((0, 255),)),))
        """
    )
    suite.run("--unlearn-report", "--unlearn-report-thumbnails", "--unlearn-log=mlflow")
    kept = files(store, only_run(store))
    assert "report.json" in kept
    assert "index.html" not in kept
