"""Projects of several requests, written from a description: each test checks that its own directory's data came."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

WAYS = {
    "argument": """
        def test_it({self}forget_loader, unlearned_model):
            check(forget_loader, unlearned_model)
        """,
    "getfixturevalue": """
        def test_it({self}request):
            check(request.getfixturevalue("forget_loader"), request.getfixturevalue("unlearned_model"))
        """,
    "autouse": """
        @pytest.fixture(autouse=True)
        def found({self}request):
            return request.getfixturevalue("forget_loader"), request.getfixturevalue("unlearned_model")
        def test_it({self}found):
            check(*found)
        """,
    "fixture of the project": """
        def test_it({self}pair):
            check(*pair)
        """,
    "fixture of the project that asks": """
        def test_it({self}forget_loader, asking):
            check(*asking)
        """,
    "function of a fixture": """
        def test_it({self}lookup):
            check(lookup("forget_loader"), lookup("unlearned_model"))
        """,
    "TestCase": """
        @pytest.fixture(autouse=True)
        def found(self, request):
            self.found = request.getfixturevalue("forget_loader"), request.getfixturevalue("unlearned_model")
        def test_it(self):
            check(*self.found)
        """,
    "TestCase with arguments": """
        @pytest.fixture(autouse=True)
        def found(self, forget_loader, unlearned_model):
            self.found = forget_loader, unlearned_model
        def test_it(self):
            check(*self.found)
        """,
    "class of a TestCase": """
        @pytest.fixture(autouse=True, scope="class")
        def found(self, request, pair):
            request.cls.found = pair
        def test_it(self):
            check(*self.found)
        """,
    "doctest": """
        def documented():
            '''
            >>> check(getfixture("forget_loader"), getfixture("unlearned_model"))
            '''
        """,
}
CONFTEST = """
import random
import numpy as np, pytest
from pytest_unlearn import Split

def make_split(size):
    X, y = np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), np.arange(60) % 2
    return Split((X[:30], y[:30]), forget=range(size), test=(X[30:], y[30:]))

class Model:
    classes_ = np.array([0, 1])
    def __init__(self, size): self.size = size
    def __call__(self, x): return np.zeros((len(x), 2))

@pytest.fixture(scope="session")
def size(): return 29
@pytest.fixture(scope="session")
def original_model(): return Model(0)
@pytest.fixture(scope="session")
def retrained_models(): return [Model(1), Model(2)]
@pytest.fixture(scope="session")
def unlearned_model(unlearning_task): return Model(len(unlearning_task.forget))
@pytest.fixture(scope="session")
def pair(forget_loader, unlearned_model): return forget_loader, unlearned_model
@pytest.fixture(scope="session")
def asking(request):
    return request.getfixturevalue("forget_loader"), request.getfixturevalue("unlearned_model")
@pytest.fixture(scope="session")
def lookup(request): return request.getfixturevalue

def pytest_collection_modifyitems(items):
    if (seed := {seed}) is not None:
        random.Random(seed).shuffle(items)
"""
STATIC = """
@pytest.fixture(scope="session")
def unlearn_split(size): return make_split(size)
"""
DYNAMIC = """
@pytest.fixture(scope="session")
def unlearn_split(request): return make_split(request.getfixturevalue("size"))
"""
OVERRIDES = {
    "unlearn_split": "return conftest.make_split({size})",
    "unlearning_task": "return UnlearningTask(conftest.make_split({size}), original=conftest.Model(0), references=[])",
    "size": "return {size}",
}
MODULE = """
import unittest
import conftest, pytest
from pytest_unlearn import UnlearningTask

def check(loader, model):
    assert (len(loader.dataset), model.size) == ({size}, {size})
"""


@dataclass(frozen=True)
class Folder:
    """One request: what is overridden where and for how long, and how its tests ask."""

    ways: tuple[str, ...]
    override: str = "unlearn_split"
    place: str = "conftest"
    scope: str = "session"

    @property
    def right(self) -> bool:
        """Whether its tests can pass: values for the session cannot be made from values for a class."""
        return self.scope == "session"


def write(root: Path, folders: list[Folder], *, seed: int | None = None, dynamic: bool = False) -> list[str]:
    """Write a project with a request a folder; returns how many tests each folder has."""
    (root / "conftest.py").write_text(CONFTEST.replace("{seed}", repr(seed)) + (DYNAMIC if dynamic else STATIC))
    (root / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib --doctest-modules --ignore=conftest.py\npythonpath = .\n"
    )
    names = []
    for k, folder in enumerate(folders):
        size = k + 3
        home = root / f"f{k}"
        home.mkdir()
        body = OVERRIDES[folder.override].format(size=size)
        for number, way in enumerate(folder.ways):
            within = folder.place == "class" and way != "doctest"
            fixture = f'@pytest.fixture(scope="{folder.scope}")\ndef {folder.override}({"self" * within}): {body}\n'
            testcase = "TestCase" in way
            parts = dedent(WAYS[way]).replace("{self}", "self, " if within else "")
            if within or testcase:
                head = "class TestIt(unittest.TestCase):" if testcase else "class TestIt:"
                parts = f"{head}\n" + indent((fixture if within else "") + parts, "    ")
            if folder.place == "module" or (folder.place == "class" and not within):
                parts = fixture + parts
            (home / f"test_{k}{number}.py").write_text(MODULE.replace("{size}", str(size)) + parts)
            if folder.place == "conftest":
                (home / "conftest.py").write_text(
                    f"import conftest, pytest\nfrom pytest_unlearn import UnlearningTask\n{fixture}"
                )
        names.append(home.name)
    return names
