"""Projects as users have them, each with the gate in its own way: they release exactly when they should.

The models are saved outputs, so that an audit takes moments. Every project is run as it is, which releases, and with
one change, after which it must not: by default its model still remembers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest
import torch  # noqa: F401 - what is imported here survives pytester's clean-up of sys.modules between runs

import pytest_unlearn.claims.forgotten.audit
import pytest_unlearn.task  # noqa: F401
from tests.plugin.conftest import Suite

MODELS = """
import numpy as np
from pytest_unlearn import SavedOutputs, Split

N, MEMORY = 600, 0.0
X, Y = np.random.default_rng(9).normal(size=(3 * N, 2)), np.arange(3 * N) % 2
EASE = np.random.default_rng(0).normal(1, 1, size=N)

def saved(seed, memory):
    rng = np.random.default_rng(seed)
    def logits(part, more):
        margin = EASE + rng.normal(size=N) / 2 + more
        return np.stack([np.where(Y[part] == k, margin, 0.0) for k in range(2)], 1)
    train = np.concatenate([logits(slice(N), memory), logits(slice(N, 2 * N), 1.0)])
    return SavedOutputs(train=train, test=logits(slice(2 * N, None), 0.0))

def split(): return Split((X[:2 * N], Y[:2 * N]), forget=range(N), test=(X[2 * N:], Y[2 * N:]))
def unlearned(): return saved(5, MEMORY)
"""
SPLIT = """
@pytest.fixture(scope="session")
def unlearn_split(): return models.split()
"""
FIXTURES = """
@pytest.fixture(scope="session")
def original_model(): return models.saved(1, 2.0)
@pytest.fixture(scope="session")
def retrained_models(): return [models.saved(seed, 0.0) for seed in (2, 3, 4)]
@pytest.fixture(scope="session")
def unlearned_model(): return models.unlearned()
"""
HEAD = "import pytest\nimport models\n"
CONFTEST = HEAD + SPLIT + FIXTURES
CALL = "assert_forgotten(unlearned_model, forget_loader, max_mia_auc=0.65)"
TEST = f"""
import pytest
from pytest_unlearn import assert_forgotten
def test_forgotten(unlearned_model, forget_loader):
    {CALL}
"""
GATE = "unlearn_gate = true\n"
INI = "[pytest]\n" + GATE


@dataclass(frozen=True)
class Project:
    """A project's files, how it is run, and the change after which it must not be released."""

    files: Mapping[str, str] = field(default_factory=dict)
    ini: str = INI
    ini_name: str = "pytest.ini"
    arguments: tuple[str, ...] = ()
    change: tuple[str, str, str] = ("models.py", "MEMORY = 600, 0.0", "MEMORY = 600, 2.0")
    says: str = "is FAIL in"
    subprocess: bool = False


PLAIN = {"conftest.py": CONFTEST, "models.py": MODELS, "test_release.py": TEST}
UNITTEST = """
import unittest, pytest
from pytest_unlearn import assert_forgotten
class TestRelease(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def inputs(self, unlearned_model, forget_loader):
        self.inputs = unlearned_model, forget_loader
    def test_forgotten(self):
        assert_forgotten(*self.inputs, max_mia_auc=0.65)
"""
DOCTEST = '''
def release():
    """
    >>> from pytest_unlearn import assert_forgotten
    >>> _ = assert_forgotten(getfixture("unlearned_model"), getfixture("forget_loader"), max_mia_auc=0.65)
    """
'''
SUBTESTS = f"""
from pytest_unlearn import assert_forgotten
def test_forgotten(subtests, unlearned_model, forget_loader):
    for _ in range(2):
        with subtests.test("again"):
            {CALL}
"""
PARAMETRISED = f"""
import models, pytest
from pytest_unlearn import assert_forgotten
MODELS = [models.unlearned()] * 2
@pytest.mark.parametrize("unlearned_model", MODELS, ids=["a", "b"])
def test_forgotten(unlearned_model, forget_loader):
    {CALL}
"""
RERUN = f"""
import pytest
from pytest_unlearn import assert_forgotten
TRIES = []
def test_forgotten(unlearned_model, forget_loader):
    TRIES.append(1)
    assert len(TRIES) > 0
    {CALL}
"""
SHUFFLED = """
import random
def pytest_collection_modifyitems(items): random.Random(3).shuffle(items)
"""
CLASS = f"""
import pytest
from pytest_unlearn import assert_forgotten
class TestRelease:
    @pytest.fixture(scope="class")
    def inputs(self, unlearned_model, forget_loader): return unlearned_model, forget_loader
    def test_forgotten(self, inputs):
        unlearned_model, forget_loader = inputs
        {CALL}
"""
HELPER = f"""
from pytest_unlearn import assert_forgotten
def release(unlearned_model, forget_loader):
    {CALL}
"""
HELPED = """
from helper import release
def test_forgotten(unlearned_model, forget_loader): release(unlearned_model, forget_loader)
"""
AUTOUSE = f"""
import pytest
from pytest_unlearn import assert_forgotten
@pytest.fixture(autouse=True, scope="module")
def audited(unlearned_model, forget_loader):
    {CALL}
def test_something_else(): pass
"""
OTHER = "def test_another(): pass\n"
SKIP = ("test_release.py", "def test_forgotten", "@pytest.mark.skip\ndef test_forgotten")
PROJECTS = {
    "src layout": Project(
        {"src/models.py": MODELS, "tests/conftest.py": CONFTEST, "tests/test_release.py": TEST},
        ini=f"{INI}pythonpath = src\ntestpaths = tests\n",
        change=("src/models.py", "MEMORY = 600, 0.0", "MEMORY = 600, 2.0"),
    ),
    "pyproject.toml": Project(
        PLAIN, ini_name="pyproject.toml", ini='[tool.pytest.ini_options]\nunlearn_gate = "true"\npythonpath = ["."]\n'
    ),
    "a skipped audit": Project(PLAIN, change=SKIP, says="ended without any evidence (skipped)"),
    "unittest": Project({**PLAIN, "test_release.py": UNITTEST}),
    "a baseline": Project(
        {**PLAIN, ".unlearn-baseline.json": ""},
        change=("test_release.py", "max_mia_auc=0.65", "max_mia_auc=0.7"),
        says="weaker than the baseline: test_release.py::test_forgotten judges forgotten at max_mia_auc=0.7",
    ),
    "tests beside code": Project(
        {"conftest.py": CONFTEST, "models.py": MODELS, "shop/code.py": "", "shop/test_release.py": TEST}
    ),
    "conftest.py in a folder": Project(
        {
            "models.py": MODELS,
            "conftest.py": HEAD + SPLIT,
            "tests/release/conftest.py": HEAD + FIXTURES,
            "tests/release/test_release.py": TEST,
            "tests/test_another.py": OTHER,
        }
    ),
    "tox.ini": Project(PLAIN, ini_name="tox.ini"),
    "setup.cfg": Project(PLAIN, ini_name="setup.cfg", ini="[tool:pytest]\n" + GATE),
    "a required claim": Project(
        PLAIN,
        change=("pytest.ini", GATE, GATE + "unlearn_require =\n    forgotten\n    utility\n"),
        says="no evidence for the required claim 'utility'",
    ),
    "xdist": Project(PLAIN, arguments=("-n2",), subprocess=True),
    "rerunfailures": Project(
        {**PLAIN, "test_release.py": RERUN},
        arguments=("-p", "pytest_rerunfailures", "--reruns", "2"),
        change=("test_release.py", "> 0", "> 1"),
        says="that test ended as rerun",
    ),
    "random order": Project({**PLAIN, "conftest.py": CONFTEST + SHUFFLED, "test_another.py": OTHER * 3}),
    "a conftest.py that drops tests": Project(
        {**PLAIN, "conftest.py": CONFTEST + SHUFFLED, "test_another.py": OTHER},
        change=("conftest.py", "random.Random(3).shuffle(items)", "items[:] = [items[-1]]"),
        says="collected and then removed",
    ),
    "doctest": Project(
        {**PLAIN, "test_release.py": "", "release.py": DOCTEST}, ini=INI + "addopts = --doctest-modules\n"
    ),
    "subtests": Project({**PLAIN, "test_release.py": SUBTESTS}),
    "parametrised": Project(
        {**PLAIN, "test_release.py": PARAMETRISED},
        change=("test_release.py", "[models.unlearned()] * 2", "[models.unlearned(), models.saved(6, 0.0)]"),
        says="model",
    ),
    "markers": Project(
        {**PLAIN, "test_release.py": TEST.replace(", max_mia_auc=0.65", "").replace(
            "def test", "@pytest.mark.unlearn(max_mia_auc=0.65)\ndef test")},
        ini=INI + "addopts = --strict-markers\n",
        change=("test_release.py", "max_mia_auc=0.65", "max_mia_auc=0.501"),
        says="is INCONCLUSIVE in",
    ),
    "-m by default": Project(
        {**PLAIN, "test_another.py": "import pytest\n" + OTHER},
        ini=INI + "addopts = -m 'not slow'\nmarkers = slow\n",
        change=("test_another.py", "def test", "@pytest.mark.slow\ndef test"),
        says="1 test was deselected",
    ),
    "-k by default": Project(
        {**PLAIN, "test_another.py": OTHER.replace("another", "forgotten_too")},
        ini=INI + "addopts = -k forgotten\n",
        change=("test_another.py", "forgotten_too", "something"),
        says="1 test was deselected",
    ),
    "importmode=importlib": Project(
        {"models.py": MODELS, "conftest.py": CONFTEST, "a/test_it.py": TEST, "b/test_it.py": TEST},
        ini=INI + "addopts = --import-mode=importlib\npythonpath = .\n",
    ),
    "a namespace": Project(
        {"acme/audit/models.py": MODELS,
         "conftest.py": CONFTEST.replace("import models", "from acme.audit import models"),
         "acme/audit/test_release.py": TEST},
        ini=INI + "pythonpath = .\nconsider_namespace_packages = true\n",
        change=("acme/audit/models.py", "MEMORY = 600, 0.0", "MEMORY = 600, 2.0"),
    ),
    "a package of tests": Project(
        {"audits/__init__.py": "", "audits/models.py": MODELS, "audits/test_release.py": TEST,
         "audits/conftest.py": CONFTEST.replace("import models", "from . import models")},
        change=("audits/models.py", "MEMORY = 600, 0.0", "MEMORY = 600, 2.0"),
    ),
    "a class with fixtures": Project({**PLAIN, "test_release.py": CLASS}),
    "a helper that asserts": Project({**PLAIN, "helper.py": HELPER, "test_release.py": HELPED}),
    "an autouse fixture that asserts": Project({**PLAIN, "test_release.py": AUTOUSE}),
    "names of its own": Project(
        {"conftest.py": CONFTEST, "models.py": MODELS,
         "checks/check_release.py": TEST.replace("def test_", "def check_")},
        ini=INI + "python_files = check_*.py\npython_functions = check_*\ntestpaths = checks\n",
    ),
    "expected failures": Project(
        PLAIN,
        ini=INI + "xfail_strict = true\n",
        change=("test_release.py", "def test", "@pytest.mark.xfail(strict=False)\ndef test"),
        says="that test ended as xpassed",
    ),
}  # fmt: skip
BASELINE = """
{"version": 1, "required": ["forgotten"], "policy": null, "max_age": null, "release_files": [], "inconclusive": "fail",
 "audits": {"test_release.py::test_forgotten": [{"claim": "forgotten", "max_mia_auc": 0.65, "confidence": 0.95}]}}
"""
FAST = tuple(PROJECTS)[:5]


def make(root: Path, project: Project) -> None:
    """Write a project's files."""
    for name, text in {**project.files, project.ini_name: project.ini}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(BASELINE if name == ".unlearn-baseline.json" else text))


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in PROJECTS]
)
def test_a_project_releases_exactly_when_it_should(suite: Suite, name: str) -> None:
    project = PROJECTS[name]
    make(suite.path, project)
    released = suite.run(*project.arguments, subprocess=project.subprocess)
    released.stdout.fnmatch_lines(["release gate: release"])
    assert released.ret == 0
    file, old, new = project.change
    text = (suite.path / file).read_text()
    assert old in text
    (suite.path / file).write_text(text.replace(old, new))
    later = (suite.path / file).stat().st_mtime + 10
    os.utime(suite.path / file, (later, later))  # within a second and of the same size, bytecode would pass for current
    blocked = suite.run(*project.arguments, subprocess=project.subprocess)
    assert blocked.ret == pytest.ExitCode.TESTS_FAILED
    blocked.stdout.fnmatch_lines(["release gate: blocked, *"])
    assert project.says in " ".join(line.strip() for line in blocked.stdout.lines)


def test_there_are_twenty_and_more() -> None:
    assert len(PROJECTS) >= 20
