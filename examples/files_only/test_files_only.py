"""The README's two commands, each in a process of its own: files are made, judged, and their report is checked."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_the_commands_of_the_readme_release_a_retrained_model(tmp_path: Path) -> None:
    for name in ("make_files.py", "audit.toml"):
        shutil.copy(HERE / name, tmp_path)
    assert call("make_files.py", cwd=tmp_path).returncode == 0
    done = call("-m", "pytest_unlearn", "files", "audit.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "release gate: release" in done.stdout
    assert call("-m", "pytest_unlearn", "check", ".unlearn/report/report.json", cwd=tmp_path).returncode == 0
