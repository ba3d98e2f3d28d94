"""Stages run in their order, requests add up, and nothing is published that its gate did not release."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.release_pipeline import project, stages

ROOT = Path(__file__).parents[2]
MAKEFILE = "examples/release_pipeline/Makefile"

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def made(work: Path, *targets: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-f", MAKEFILE, f"WORK={work}", f"PYTHON={sys.executable}", "LOG=", *targets]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "UNLEARN_"))}
    return subprocess.run(command, cwd=ROOT, env=clean | variables, capture_output=True, text=True)


def test_nobody_asks_twice_and_later_requests_are_audited_with_earlier_ones(tmp_path: Path):
    for number in (1, 2):
        stages.request(tmp_path, number)
    first, second = (project.read(tmp_path, number) for number in (1, 2))
    assert not set(first) & set(second)
    assert set(project.split(tmp_path, 1).forget_indices.tolist()) == set(first)
    assert set(project.split(tmp_path, 2).forget_indices.tolist()) == {*first, *second}
    assert json.loads((tmp_path / "requests/2.json").read_text())["id"] == "R-2"


def test_a_saved_model_is_the_model(tmp_path: Path):
    model = project.build()
    project.save(model, tmp_path / "models/0.safetensors")
    loaded = project.load(tmp_path / "models/0.safetensors").state_dict()
    assert all((loaded[name] == weights).all() for name, weights in model.state_dict().items())


def test_every_stage_of_both_weeks_is_planned_and_publishing_comes_after_the_gate(tmp_path: Path):
    planned = made(tmp_path, "--dry-run").stdout
    assert [planned.count(f"stages {stage}") for stage in ("train", "request", "unlearn", "publish")] == [1, 2, 2, 2]
    for number in (1, 2):
        gate, check = (
            planned.index(f"{what}")
            for what in (f"REQUEST={number} UNLEARN_REQUEST", f"audits/{number}/report.json --model")
        )
        assert gate < check < planned.index(f"publish {tmp_path} {number}")
    assert planned.index(f"publish {tmp_path} 1") < planned.index(f"unlearn {tmp_path} 2")


@pytest.mark.slow
@pytest.mark.long
def test_two_requests_are_released_and_a_model_that_forgot_nothing_is_not(tmp_path: Path, request):
    place_of_work = ROOT / ".unlearn" / tmp_path.name  # files of a release are named relative to the checkout
    request.addfinalizer(lambda: shutil.rmtree(place_of_work, ignore_errors=True))
    tmp_path = place_of_work.relative_to(ROOT)
    done = made(tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for number in (1, 2):
        place = ROOT / tmp_path / f"published/{number}"
        assert {path.name for path in place.iterdir()} == {
            "model.safetensors",
            "attestation.json",
            "report.json",
            "README.md",
        }
        assert json.loads((place / "report.json").read_text())["gate"]["release"] is True
    assert "0 regressions" in (place_of_work / "compared.md").read_text()
    shutil.copy(place_of_work / "models/0.safetensors", place_of_work / "models/2.safetensors")
    shutil.rmtree(place_of_work / "published/2")
    blocked = made(tmp_path, str(tmp_path / "published/2/model.safetensors"))
    assert blocked.returncode != 0
    assert not (place_of_work / "published/2").exists()
    assert "DO NOT RELEASE" in blocked.stdout
