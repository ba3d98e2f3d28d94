"""Log to Weights & Biases: a run's summary, and an artifact of type "audit".

The model's artifact is marked as used by the run. The run is the active one, else a new one; WANDB_PROJECT,
WANDB_ENTITY and WANDB_MODE say where, as for any run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pytest_unlearn.report.tracking.record import Logged

NAME = "unlearning-audit"


def log(logged: Logged, model: str) -> str:
    """Log a run, and return where.

    Args:
        logged: what to log.
        model: an artifact that holds the audited model, as NAME:VERSION or NAME:ALIAS; empty for none.

    Raises:
        Exception: whatever the client raises.
    """
    import wandb

    run, own = wandb.run, wandb.run is None
    if run is None:
        quiet = wandb.Settings(silent=True, console="off")
        run = wandb.init(job_type=NAME, name=NAME, settings=quiet)
    try:
        if model:
            run.use_artifact(model)
        run.summary.update({**logged.tags, **logged.metrics})
        audit = wandb.Artifact(NAME, type="audit", metadata={**logged.tags, **({"audited": model} if model else {})})
        with tempfile.TemporaryDirectory() as folder:
            for name, text in logged.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            audit.add_dir(folder)
            run.log_artifact(audit)
    except BaseException:
        if own:
            run.finish(exit_code=1)
        raise
    if own:
        run.finish()
    return f"Weights & Biases run {run.id}"
