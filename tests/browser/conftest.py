"""A real report, made by a real run of pytest over real audits, in a real headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.page import Browser

ROOT = Path(__file__).parents[2]
SUITE = """
import numpy as np
import pytest
from pytest_unlearn import Split, UnlearningTask, assert_forgotten, assert_matches_retrained, assert_utility
from tests.worlds.simulated import World, changed, split

WORLD = World(split(n_forget=300, n_controls=1500), skill=1.0)
TASK = WORLD.task(references=3)
SMALL = World(split(n_forget=24, n_controls=400), skill=1.0).task(references=3)


@pytest.mark.parametrize("request_of", ["<script>document.title='owned'</script>", "Ann & Bob's"])
def test_request_is_forgotten(request_of):
    assert_forgotten(WORLD.model(seed=5), TASK.forget, max_mia_auc=0.6)


def test_useful():
    assert_utility(WORLD.model(seed=5), TASK.test, max_drop=0.06)


def test_like_the_retrained():
    assert_matches_retrained(WORLD.model(seed=5), TASK.test, max_gap=0.06)


def test_leaky():
    assert_forgotten(WORLD.model(boost=1.5, seed=6), TASK.forget, max_mia_auc=0.6)


def test_too_few():
    assert_forgotten(SMALL.references[0], SMALL.forget, max_mia_auc=0.55)


def test_says_nothing():
    assert_forgotten(changed(WORLD.model(), both=np.zeros_like), TASK.forget, max_mia_auc=0.6)


def test_pictures():
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 1, 8, 8)), np.arange(n) % 2) for n in (160, 300))
    task = UnlearningTask(Split(train, forget=np.arange(120), test=test), references=0)
    x = lambda batch: np.stack([batch.reshape(len(batch), -1).mean(1), np.zeros(len(batch))], 1)
    assert_forgotten(x, task.forget, max_mia_auc=0.7, require_controls=False)


def test_label_is_hostile():
    from dataclasses import replace
    from pytest_unlearn import audit_forgotten
    from pytest_unlearn.core.recorder import record
    found = audit_forgotten(WORLD.model(boost=1.5, seed=6), TASK.forget, max_mia_auc=0.6)
    hostile = "</text></svg><script>document.title='owned'</script><img src=x onerror=alert(1)>"
    control = replace(found.controls.original, name=hostile, summary=hostile)
    record(replace(found, label=hostile, decided_by=hostile, reasons=(hostile,),
                   controls=replace(found.controls, original=control)))
"""


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report with every verdict in it, and of thumbnails that were asked for."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "test_release.py").write_text(SUITE)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--unlearn-report", "--unlearn-gate",
         "--unlearn-report-thumbnails"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    return folder / ".unlearn/report"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Headless Chromium (Debian's packages chromium and chromium-driver)."""
    found: dict[str, Any] = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        sentence = f"{' and '.join(missing)} not found: install Debian's chromium and chromium-driver to test the page"
        pytest.fail(sentence) if os.environ.get("CI") else pytest.skip(sentence)
    with Browser(found["chromium"], found["chromedriver"], tmp_path_factory.mktemp("profile")) as browser:
        yield browser
