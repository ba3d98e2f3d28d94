"""The house keeps its shape: imports go one way, files have one job."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = [path for package in ("pytest_unlearn", "unlearners") for path in sorted((ROOT / package).rglob("*.py"))]


def test_import_contracts_are_kept():
    program = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_two_jobs(path):
    assert len(path.read_text().splitlines()) <= 500


def test_torchvision_is_never_imported():
    assert not [path for path in SOURCES if "torchvision" in path.read_text()]


def test_nothing_is_unpickled():
    for path in SOURCES:
        text = path.read_text()
        assert "pickle.load" not in text
        assert "torch.load(" not in text
        assert "joblib.load(" not in text
