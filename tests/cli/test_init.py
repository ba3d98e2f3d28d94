"""`init` writes a suite that runs at once, overwrites nothing, and leaves pytest's settings to who has some."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
SUITE = ["conftest.py", "test_release.py", "unlearning_recipe.py"]
OWN = {"text": ["docstrings.py"]}
ORIGINAL = """

@pytest.fixture(scope="session")
def unlearned_model(original_model):
    return original_model
"""
UNRELATED = """

@pytest.fixture
def database():
    return {"customers": 3}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to start in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def call(*arguments: str, status: int = 0) -> str:
    """A real process, as a user would start it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def pytest_(*arguments: str, status: int = 0) -> str:
    """Run the suite with the plugin, whatever else this environment has."""
    return call("pytest", "-p", "pytest_unlearn.plugin", *arguments, status=status)


@pytest.mark.parametrize("kind", ["torch", "sklearn", "text"])
def test_it_writes_a_suite_and_its_settings(run: Run, here: Path, kind: str) -> None:
    done = run("init", f"--{kind}", "tests/release")
    assert done.status == 0
    assert sorted(files(here / "tests" / "release")) == sorted([*SUITE, *OWN.get(kind, ())])
    assert (here / "pyproject.toml").read_text().startswith('[tool.pytest.ini_options]\npythonpath = ["tests/release"]')
    assert "python -m pytest tests/release --unlearn-gate" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["torch", "sklearn"])
def test_the_chance_that_its_settings_name_is_the_one_that_plan_computes(run: Run, here: Path, kind: str) -> None:
    pytest.importorskip("torch", reason="the suites that are written unlearn with methods that need it")
    run("init", f"--{kind}")
    told = call("pytest_unlearn", "plan", "--no-probe", "-p", "pytest_unlearn.plugin.hooks")
    named = re.search(r"passes it (\d+) times of 100 with these 300 digits", (here / "pyproject.toml").read_text())
    planned = re.search(r"chance that a perfect method passes: about (\d+)%", told)
    assert named is not None
    assert planned is not None, told
    assert named[1] == planned[1]


def test_for_files_it_writes_what_names_them_and_what_makes_them(run: Run, here: Path) -> None:
    done = run("init", "--files", "audit")
    assert sorted(files(here)) == ["audit/audit.toml", "audit/make_outputs.py"]
    assert "python -m pytest_unlearn files audit/audit.toml" in done.out


@pytest.mark.slow
@pytest.mark.long
def test_the_documents_are_judged_at_once_and_the_original_blocks(here: Path) -> None:
    pytest.importorskip("transformers")
    call("pytest_unlearn", "init", "--text", "tests/release")
    assert "150 of 350 training documents" in call("pytest_unlearn", "plan", "--no-probe", "tests/release")
    said = pytest_("tests/release", "--unlearn-gate")
    assert "release gate: release" in said
    conftest = here / "tests" / "release" / "conftest.py"
    conftest.write_text(conftest.read_text() + ORIGINAL)
    said = pytest_("tests/release", "--unlearn-gate", status=1)
    assert "text_forgotten is FAIL" in said


@pytest.mark.slow
def test_the_files_are_judged_at_once_and_those_of_the_original_block(here: Path) -> None:
    call("pytest_unlearn", "init", "--files", "audit")
    call("audit.make_outputs")
    assert "release gate: release" in call("pytest_unlearn", "files", "audit/audit.toml")
    script = here / "audit" / "make_outputs.py"
    script.write_text(script.read_text().replace('"released": (sets["retain"], 1)', '"released": (everything, 1)'))
    call("audit.make_outputs")
    blocked = call("pytest_unlearn", "files", "audit/audit.toml", status=1)
    assert "forgotten is FAIL" in blocked


def test_it_writes_here_by_default(run: Run, here: Path) -> None:
    run("init", "--torch")
    assert sorted(files(here)) == sorted([*SUITE, "pyproject.toml"])
    assert 'pythonpath = ["."]' in (here / "pyproject.toml").read_text()


def test_the_settings_of_a_folder_elsewhere_stand_there(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    run("init", "--torch", here / "other")
    assert 'pythonpath = ["."]' in (here / "other" / "pyproject.toml").read_text()
    assert not files(here / "work")


@pytest.mark.parametrize("name", SUITE)
def test_what_is_there_is_never_overwritten(run: Run, here: Path, name: str) -> None:
    (here / name).write_text("mine")
    done = run("init", "--torch")
    assert done.status == 2
    assert f"{name} is in this folder already, and nothing was written" in done.err
    assert files(here) == {name: "mine"}


def test_all_that_is_in_the_way_is_named(run: Run, here: Path) -> None:
    for name in SUITE[:2]:
        (here / name).write_text("mine")
    assert "conftest.py, test_release.py are in this folder already" in run("init", "--sklearn").err


def test_a_file_in_place_of_the_folder_is_an_error(run: Run, here: Path) -> None:
    (here / "tests").write_text("mine")
    assert "tests is a file: name a folder" in run("init", "--torch", "tests").err


def test_settings_are_added_to_a_pyproject_without_any(run: Run, here: Path) -> None:
    (here / "pyproject.toml").write_text('[project]\nname = "mine"')
    run("init", "--torch")
    text = (here / "pyproject.toml").read_text()
    assert text.startswith('[project]\nname = "mine"\n\n[tool.pytest.ini_options]\n')
    tomllib = pytest.importorskip("tomllib")
    assert set(tomllib.loads(text)["tool"]["pytest"]["ini_options"]) == {
        "pythonpath", "unlearn_require", "unlearn_max_mia_auc", "unlearn_max_drop"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-q'\n"),
        ("pyproject.toml", "[tool]\npytest.ini_options.addopts = '-q'\n"),
        ("pytest.ini", ""),
        ("tox.ini", "[pytest]\naddopts = -q\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = -q\n"),
    ],
)
def test_where_pytest_is_configured_the_settings_are_shown_instead(run: Run, here: Path, name: str, text: str) -> None:
    (here / name).write_text(text)
    done = run("init", "--torch")
    assert done.status == 0
    assert files(here)[name] == text
    assert sorted(files(here)) == sorted([*SUITE, name])
    assert f"{name} configures pytest already; add this to it" in done.out
    assert 'unlearn_require = ["forgotten", "utility"]' in done.out


def test_a_pyproject_that_cannot_be_read_is_an_error_and_nothing_is_written(run: Run, here: Path) -> None:
    (here / "pyproject.toml").write_text("[tool")
    done = run("init", "--torch")
    assert done.status == 2
    assert "pyproject.toml cannot be read" in done.err
    assert list(files(here)) == ["pyproject.toml"]


def test_without_a_kind_and_anybody_to_ask_it_says_what_to_add(run: Run, here: Path) -> None:
    done = run("init")
    assert done.status == 2
    assert "say which kind of model it is about: --torch, --sklearn, --text, --files" in done.err
    assert not files(here)


@pytest.mark.parametrize(("answer", "imports"), [("1", "TorchRecipe"), ("sklearn", "EstimatorRecipe")])
def test_it_asks_where_somebody_can_answer(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, answer: str, imports: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert run("init").status == 0
    assert imports in (here / "unlearning_recipe.py").read_text()


@pytest.mark.slow
def test_what_it_writes_is_as_formatters_would_have_it(run: Run, here: Path) -> None:
    for kind in ("torch", "sklearn", "files"):
        run("init", f"--{kind}", kind)
    config = str(ROOT / "pyproject.toml")
    call("ruff", "format", "--check", "--config", config, ".")
    call("ruff", "check", "--config", config, "--ignore", "D,ARG,I", ".")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("torch", marks=pytest.mark.long), "sklearn"])
def test_the_honest_model_is_released_at_once_and_the_original_is_not(here: Path, kind: str) -> None:
    call("pytest_unlearn", "init", f"--{kind}", "tests/release")
    released = pytest_("--unlearn-gate")
    assert "release gate: release" in released
    models = sorted((here / ".unlearn" / "cache").glob("*"))
    with (here / "tests" / "release" / "conftest.py").open("a") as conftest:
        conftest.write(UNRELATED)
    assert "release gate: release" in pytest_("--unlearn-gate")
    assert sorted((here / ".unlearn" / "cache").glob("*")) == models
    with (here / "tests" / "release" / "conftest.py").open("a") as conftest:
        conftest.write(ORIGINAL)
    blocked = pytest_("--unlearn-gate", status=1)
    assert "forgotten is FAIL in tests/release/test_release.py::test_the_request_is_forgotten" in blocked
