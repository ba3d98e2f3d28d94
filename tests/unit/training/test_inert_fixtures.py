"""A fixture beside the recipe counts for its key unless nothing that is trained can depend on it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pytest_unlearn.training.fingerprint.fixtures import drop_inert_fixtures
from pytest_unlearn.training.fingerprint.imports import reach
from pytest_unlearn.training.fingerprint.source import parse

RECIPE = "import pytest\nimport torch\nSTATE = {}\n\ndef train(dataset, *, seed):\n    return STATE\n\n"
FIXTURE = "@pytest.fixture\ndef other(request):\n    "


def counts(text: str) -> bool:
    """Whether a fixture is part of a conftest's digest."""
    tree = ast.parse(RECIPE + text)
    drop_inert_fixtures(tree)
    return any(isinstance(node, ast.FunctionDef) and node.name == "other" for node in tree.body)


@pytest.mark.parametrize(
    "body",
    [
        "return 3",
        "return {'customers': 3, 'names': ['a', 'b'][0]}",
        "yield [x * 2 for x in range(3)]",
        "'''Words.'''\n    found = max(1, 2)\n    if found:\n        return f'{found}'\n    return None",
        "return request",
    ],
)
@pytest.mark.parametrize("scope", ["", "(scope='session')"])
def test_one_that_only_computes_a_value_does_not_count(body: str, scope: str) -> None:
    assert not counts(FIXTURE.replace("@pytest.fixture", f"@pytest.fixture{scope}") + body)


@pytest.mark.parametrize(
    "body",
    [
        "torch.set_default_dtype(torch.float64)",
        "return torch.set_default_dtype(torch.float64)",
        "STATE['epochs'] = 3",
        "global STATE\n    STATE = {1: 2}",
        "STATE.epochs = 3",
        "state = STATE\n    state |= {1: 2}\n    return state",
        "del STATE['epochs']",
        "import helpers\n    return 3",
        "with torch.no_grad():\n        yield",
        "return train(3, seed=0)",
        "return [0 for STATE['epochs'] in (3,)]",
        "def train(dataset, *, seed):\n        return 1\n    return train",
        "return lambda dataset, seed: 1",
        "return (STATE := 3)",
        "return request.getfixturevalue('precision')",
        "try:\n        return 1\n    finally:\n        pass",
        "return STATE.popitem",
    ],
)
def test_one_that_may_do_anything_else_counts(body: str) -> None:
    assert counts(FIXTURE + body)


@pytest.mark.parametrize(
    "text",
    [
        FIXTURE.replace("@pytest.fixture", "@pytest.fixture(autouse=True)") + "return 3",
        FIXTURE.replace("@pytest.fixture", "@pytest.fixture(params=[1, 2])") + "return 3",
        FIXTURE.replace("@pytest.fixture", "@pytest.fixture(name='unlearn_recipe')") + "return 3",
        FIXTURE.replace("@pytest.fixture", "@pytest.fixture\n@torch.no_grad()") + "return 3",
        FIXTURE.replace("@pytest.fixture", "@torch.fixture") + "return 3",
        FIXTURE.replace("@pytest.fixture\n", "") + "return 3",
        FIXTURE.replace("(request)", "(request, x=torch.manual_seed(3))") + "return 3",
        FIXTURE + "return 3\n\nKEPT = other\n",
        FIXTURE + "return 3\n\nNAMES = ['other']\n",
        FIXTURE + "return 3\n\ndef found():\n    return globals()\n",
        FIXTURE + "return max(1, 2)\n\ndef max(a, b):\n    STATE[a] = b\n",
        "from helpers import max\n" + FIXTURE + "return max(1, 2)\n",
        "from helpers import *\n" + FIXTURE + "return 3\n",
    ],
)
def test_so_does_one_that_is_used_or_named_otherwise(text: str) -> None:
    assert counts(text)


def test_only_fixtures_are_left_out_and_only_where_that_is_asked_for() -> None:
    one, other = (f"{RECIPE}{FIXTURE}return {value}\n".encode() for value in (1, 2))
    assert parse(one).digest != parse(other).digest
    digests = {parse(text, without_inert_fixtures=True).digest for text in (one, other, RECIPE.encode())}
    assert len(digests) == 1
    changed = RECIPE.replace("return STATE", "return 1").encode()
    assert parse(changed, without_inert_fixtures=True).digest not in digests


def test_a_conftest_that_holds_the_recipe_is_digested_without_them(tmp_path: Path) -> None:
    def digest(value: int, name: str = "conftest.py", helper: str = "X = 1\n") -> str:
        (tmp_path / "near.py").write_text(helper)
        (tmp_path / name).write_text(f"import near\n{RECIPE}{FIXTURE}return {value}\n")
        return reach(tmp_path / name)[f"file:{name}"]

    assert digest(1) == digest(2)
    assert digest(1, "recipes.py") != digest(2, "recipes.py")
    shared = "import conftest\nX = conftest.other.__wrapped__(0)\n"
    assert digest(1, helper=shared) != digest(2, helper=shared)
