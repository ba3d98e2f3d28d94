"""--unlearn-log=wandb: a run in Weights & Biases' offline mode, where its client is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Suite

pytest.importorskip("wandb")
pytestmark = pytest.mark.slow


@pytest.fixture
def offline(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(suite.path))
    for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(suite.path / name))
    suite.write(test_it="def test_a(): audit()")
    return suite


def test_the_run_and_its_audit_are_kept_for_sync(offline: Suite) -> None:
    result = offline.run("--unlearn-report", "--unlearn-log=wandb", subprocess=True)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["logged: Weights & Biases run *"])
    (kept,) = Path(offline.path / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    for text in (b"unlearn.decision", b"NOT DECIDED", b"unlearn.forgotten.value", b"unlearning-audit", b"report.json"):
        assert text in content


def test_what_the_service_refuses_is_said_and_fails_the_run(offline: Suite) -> None:
    result = offline.run("--unlearn-log=wandb", "--unlearn-log-model=me/digits/model:v3", subprocess=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED unlearn::log - the run could not be logged to wandb: *"])
