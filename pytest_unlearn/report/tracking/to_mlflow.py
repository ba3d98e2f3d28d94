"""Log to MLflow: on a run, and as tags on a version of a registered model.

The run is the active one or MLFLOW_RUN_ID's, else a new one in the experiment that MLFLOW_EXPERIMENT_NAME or
MLFLOW_EXPERIMENT_ID names. Which server, MLFLOW_TRACKING_URI says.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pytest_unlearn.report.tracking.record import Logged

RUN_NAME = FOLDER = "unlearning-audit"
LONGEST_TAG = 5_000
MODEL = re.compile(r"(?:models:/)?(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")


def active_run() -> str:
    """Return the id of the active run, or of the one that the environment names."""
    mlflow = sys.modules.get("mlflow")
    run = mlflow.active_run() if mlflow is not None else None
    return str(run.info.run_id) if run is not None else os.environ.get("MLFLOW_RUN_ID", "")


def log(logged: Logged, run_id: str, model: str) -> str:
    """Log a run, and return where.

    Args:
        logged: what to log.
        run_id: of the run to log to; empty for a new one.
        model: a version of a registered model, as NAME/VERSION or NAME@ALIAS; empty for none.

    Raises:
        Exception: whatever the client raises.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunTag

    client, own = MlflowClient(), not run_id
    # Asked for before anything is written: a name that there is none of must not leave half a record.
    version = _version(client, model) if model else None
    if own:
        run_id = client.create_run(_experiment(client), run_name=RUN_NAME).info.run_id
    tags = {name: value[:LONGEST_TAG] for name, value in logged.tags.items()}
    now = int(time.time() * 1000)
    measured = [Metric(name, value, now, 0) for name, value in logged.metrics.items()]
    labels = [RunTag(name, value) for name, value in tags.items()]
    status = "FAILED"
    try:
        for start in range(0, len(measured), 500):
            client.log_batch(run_id, metrics=measured[start : start + 500])
        for start in range(0, len(labels), 100):
            client.log_batch(run_id, tags=labels[start : start + 100])
        with tempfile.TemporaryDirectory() as folder:
            for name, text in logged.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            client.log_artifacts(run_id, folder, FOLDER)
        if version is not None:
            for name, value in {**tags, "unlearn.mlflow_run": run_id}.items():
                client.set_model_version_tag(version.name, version.version, name, value)
        status = "FINISHED"
    finally:
        if own:
            client.set_terminated(run_id, status)
    on = f" and model {version.name} version {version.version}" if version is not None else ""
    return f"MLflow run {run_id}{on}"


def _experiment(client: Any) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "")
    if not name:
        return os.environ.get("MLFLOW_EXPERIMENT_ID", "0")
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))


def _version(client: Any, model: str) -> Any:
    found = MODEL.fullmatch(model)
    if found is None:
        raise ValueError(f"{model!r} is no version of a registered model: write NAME/VERSION or NAME@ALIAS")
    if found["alias"]:
        return client.get_model_version_by_alias(found["name"], found["alias"])
    return client.get_model_version(found["name"], found["version"])
