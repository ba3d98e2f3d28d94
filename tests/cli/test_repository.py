"""What no option of `check` says is taken from the ini file, as pytest finds it and without running code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_unlearn.cli import repository
from tests.cli.conftest import Run, claim, write

VALUES = {"unlearn_require": "utility", "unlearn_max_mia_auc": "0.58", "unlearn_max_age": "7d"}
FILES = {
    "pyproject.toml": "[tool.pytest.ini_options]\n"
    + "".join(f"{name} = {[value] if name == 'unlearn_require' else value!r}\n" for name, value in VALUES.items()),
    **{
        name: f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in VALUES.items())
        for name, section in {"pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}.items()
    },
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose code must not run, seen from a folder below its root."""
    (tmp_path / "conftest.py").write_text("raise SystemExit('a conftest.py was run')")
    (tmp_path / "below").mkdir()
    write(tmp_path / "report.json", claim(highest=0.6))
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_the_settings_come_from_the_ini_file(run: Run, root: Path, name: str) -> None:
    (root / name).write_text(FILES[name])
    done = run("check", root / "report.json")
    assert done.status == 1
    assert f"required: utility (unlearn_require in {name})" in done.out
    assert f"policy: forgotten at a max_mia_auc of at most 0.58 (unlearn_max_mia_auc in {name})" in done.out
    assert f"policy: made no longer ago than 7 days, 0:00:00 (unlearn_max_age in {name})" in done.out
    assert "no evidence for the required claim 'utility'" in done.out
    assert "was judged at a max_mia_auc of 0.6, the policy accepts at most 0.58" in done.out


def test_options_override_it(run: Run, root: Path) -> None:
    (root / "pytest.ini").write_text(FILES["pytest.ini"])
    done = run("check", root / "report.json", "--require", "forgotten", "--max-mia-auc", "0.6", "--max-age", "1h")
    assert done.status == 0
    assert "required: forgotten (--require)" in done.out
    assert "at most 0.6 (--max-mia-auc)" in done.out
    assert "no longer ago than 1:00:00 (--max-age)" in done.out


def test_a_policy_and_release_files(run: Run, root: Path) -> None:
    (root / "pytest.ini").write_text("[pytest]\nunlearn_policy = quick\nunlearn_release_files = *.bin\n")
    done = run("check", root / "report.json")
    assert done.status == 1
    assert "required: forgotten, utility (policy quick)" in done.out
    assert "policy: quick (unlearn_policy in pytest.ini)" in done.out
    assert "unlearn_release_files names *.bin, and the report records no file" in done.out


def test_without_an_ini_file_nothing_is_asked_besides(run: Run, root: Path) -> None:
    assert run("check", root / "report.json").status == 0


@pytest.mark.parametrize("line", ["unlearn_max_age = soon", "unlearn_policy = strict", "unlearn_max_mia_auc = high"])
def test_a_wrong_value_is_an_error(run: Run, root: Path, line: str) -> None:
    (root / "pytest.ini").write_text(f"[pytest]\n{line}\n")
    done = run("check", root / "report.json")
    assert done.status == 2
    assert line.split()[0] in done.err


def test_no_code_of_the_repository_or_its_environment_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "evil.py").write_text("raise SystemExit('a plugin was loaded')")
    (root / "pytest.ini").write_text(
        "[pytest]\naddopts = -p evil -n 4 --no-such\nrequired_plugins = nothing-like-it\npythonpath = .\n"
        "unlearn_report = true\nunlearn_require = utility\n"
    )
    (root / ".unlearn/report").mkdir(parents=True)
    kept = root / ".unlearn/report/report.json"
    kept.write_text("{}")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p evil")
    monkeypatch.setenv("PYTEST_PLUGINS", "evil")
    before = dict(os.environ)
    found = repository.read()
    assert (found.root, found.file, found.demands.required) == (root, "pytest.ini", ("utility",))
    assert dict(os.environ) == before
    assert kept.exists()
