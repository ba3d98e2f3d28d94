"""A recipe's digest changes with everything that training depends on, and with nothing else."""

import collections
import functools
import logging
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from pytest_unlearn.training import EstimatorRecipe, Recipe, TorchRecipe, UnknownRecipe, fingerprint
from pytest_unlearn.training.fingerprint.imports import reach

ROOT = Path(__file__).resolve().parents[3]
PROJECT = {
    "recipes.py": '"""Recipes."""\nfrom helpers import build\n\ndef train(dataset, *, seed):\n    """Train."""\n'
    "    from lazily import late\n    return build(seed) + late()\n",
    "helpers.py": "import json\nfrom pkg.inner import layer\n\ndef build(seed):\n    return layer(seed)\n",
    "lazily.py": "import importlib\n\ndef late():\n    return importlib.import_module('deepest').VALUE\n",
    "deepest.py": "VALUE = 1\n",
    "pkg/__init__.py": "SETTING = 1\n",
    "pkg/inner.py": "from . import beside\nfrom .deeper import WIDTH\n\ndef layer(seed):\n    return WIDTH * seed\n",
    "pkg/deeper.py": "import recipes  # a cycle\nWIDTH = 3\n",
    "pkg/beside.py": "BESIDE = 1\n",
    "stranger.py": "NOBODY = 1\n",
}
ASK = "import recipes\nfrom pytest_unlearn.training import fingerprint\nprint(fingerprint(recipes.train))"


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(folder, *arguments):
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("recipes.py", "+ late", "- late"),
        ("helpers.py", "layer(seed)\n", "layer(seed) + 1\n"),
        ("pkg/deeper.py", "WIDTH = 3", "WIDTH = 4"),
        ("pkg/beside.py", "BESIDE = 1", "BESIDE = 2"),
        ("pkg/__init__.py", "SETTING = 1", "SETTING = 2"),
        ("lazily.py", ".VALUE", ".VALUE + 1"),
        ("deepest.py", "VALUE = 1", "VALUE = 2"),
    ],
)
def test_editing_any_file_that_imports_reach_changes_the_digest(tmp_path, file, old, new):
    write(tmp_path, PROJECT)
    before = run(tmp_path, "-c", ASK)
    assert old in PROJECT[file]
    write(tmp_path, {file: PROJECT[file].replace(old, new)})
    assert run(tmp_path, "-c", ASK) != before


def test_editing_comments_docstrings_layout_or_unreached_files_does_not(tmp_path):
    write(tmp_path, PROJECT)
    before = run(tmp_path, "-c", ASK)
    write(
        tmp_path,
        {
            "recipes.py": "# a comment\n\n" + PROJECT["recipes.py"].replace('"""Train."""', '"""Train a model."""'),
            "pkg/deeper.py": PROJECT["pkg/deeper.py"].replace("3", "3  # wide"),
            "deepest.py": "VALUE = (\n    1\n)\n",
            "stranger.py": "NOBODY = 2\n",
        },
    )
    assert run(tmp_path, "-c", ASK) == before


@pytest.mark.slow
def test_whether_a_module_is_imported_yet_and_where_the_project_lies_do_not_matter(tmp_path):
    write(tmp_path / "one", PROJECT)
    write(tmp_path / "two", PROJECT)
    before = run(tmp_path / "one", "-c", ASK)
    assert run(tmp_path / "one", "-c", "import lazily, deepest, recipes\n" + ASK) == before
    assert run(tmp_path / "two", "-c", ASK) == before


@pytest.mark.slow
def test_a_folder_without_init_below_a_package_that_is_not_imported_yet_is_followed(tmp_path):
    late = {
        "space/__init__.py": "",
        "lazily.py": "def late():\n    from space.open import leaf\n    return leaf.LEAF\n",
    }
    write(tmp_path, {**PROJECT, **late, "space/open/leaf.py": "LEAF = 1\n"})
    before = run(tmp_path, "-c", ASK)
    assert run(tmp_path, "-c", "import space.open.leaf\n" + ASK) == before
    write(tmp_path, {"space/open/leaf.py": "LEAF = 2\n"})
    assert run(tmp_path, "-c", ASK) != before


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["importlib", "prepend"])
def test_a_conftest_is_followed_under_either_import_mode(tmp_path, mode):
    conftest = "def train(dataset, *, seed):\n    import near\n    return near.VALUE\n"
    test = (
        "from pathlib import Path\nfrom pytest_unlearn.training import fingerprint\n\ndef test(request):\n"
        "    (plugin,) = [p for p in request.config.pluginmanager.get_plugins() if hasattr(p, 'train')]\n"
        "    Path('digest').write_text(fingerprint(plugin.train))\n"
    )
    digests = set()
    for value in (1, 2):
        write(
            tmp_path, {"tests/conftest.py": conftest, "tests/test_it.py": test, "tests/near.py": f"VALUE = {value}\n"}
        )
        run(tmp_path, "-m", "pytest", "-q", "-p", "no:unlearn", f"--import-mode={mode}", "--rootdir=.")
        digests.add((tmp_path / "digest").read_text())
    assert len(digests) == 2


def test_what_the_auditor_itself_imports_does_not_count(tmp_path):
    """Only the file that a recipe imports does, or every recipe would depend on how reports look."""
    write(tmp_path, {"recipes.py": "from pytest_unlearn.training import recipes\n"})
    own = {Path(name).name for name in reach(tmp_path / "recipes.py") if "/pytest_unlearn/" in name}
    assert own == {"__init__.py", "recipes.py"}


WIDTH = 3
TABLE = np.arange(3)


def names_a_global(dataset, *, seed):
    return WIDTH


def names_an_array(dataset, *, seed):
    return TABLE


def names_a_function(dataset, *, seed):
    return names_a_global(dataset, seed=seed)


@pytest.mark.parametrize("recipe", [names_a_global, names_a_function])
def test_the_value_of_a_global_counts_also_through_other_functions(recipe, monkeypatch):
    before = fingerprint(recipe)
    monkeypatch.setitem(globals(), "WIDTH", 4)
    assert fingerprint(recipe) != before


def test_the_content_of_a_global_array_counts(monkeypatch):
    before = fingerprint(names_an_array)
    monkeypatch.setitem(globals(), "TABLE", np.arange(3) + 1)
    assert fingerprint(names_an_array) != before


@dataclass(frozen=True)
class Trainer:
    width: object
    depth: int = 1

    def __call__(self, dataset, *, seed):
        return self.width

    def method(self, dataset, *, seed):
        return self.depth


class Slotted:
    __slots__ = ("width",)

    def __init__(self, width):
        self.width = width

    def __call__(self, dataset, *, seed):
        return self.width


class Pair(NamedTuple):
    first: int
    second: int


def closing_over(value):
    return lambda dataset, *, seed: value


def defaulting_to(value):
    def train(dataset, option=value, *, seed):
        return option

    return train


def keyword_defaulting_to(value):
    def train(dataset, *, seed, option=value):
        return option

    return train


def of_a_local_class(value):
    class Local:
        def __call__(self, dataset, *, seed):
            return value

    return Local()


def wrapped(value):
    @functools.lru_cache
    def inner():
        return value

    return lambda dataset, *, seed: inner()


CARRIERS = [
    closing_over,
    defaulting_to,
    keyword_defaulting_to,
    of_a_local_class,
    wrapped,
    Trainer,
    Slotted,
    lambda value: Trainer(value).method,
    lambda value: functools.partial(names_a_global, value),
    lambda value: Recipe(closing_over(value)),
    lambda value: TorchRecipe(functools.partial(closing_over(value), None, seed=0)),
]
PAIRS = [
    (1, 2),
    (1, 1.0),
    (1, True),
    ("a", b"a"),
    ([1], (1,)),
    ({"a": [1]}, {"a": [2]}),
    ({1, 2}, {1, 3}),
    (np.zeros(2), np.ones(2)),
    (np.zeros(2), np.zeros(2, np.float32)),
    (torch.zeros(2), torch.zeros(2, 1)),
    (Path("a"), Path("b")),
    (Trainer(1), Trainer(2)),
    (LogisticRegression(C=1.0), LogisticRegression(C=2.0)),
    (nn.ReLU(), nn.GELU()),
    (nn.Dropout(0.1), nn.Dropout(0.2)),
    (torch.relu, torch.tanh),
    (torch.float32, torch.float64),
    (np.random.default_rng(0), np.random.default_rng(1)),
    (lambda: 1, lambda: 2),
    (Trainer, Slotted),
    (Pair(1, 2), Pair(1, 3)),
    (collections.deque([1]), collections.deque([2])),
    (re.compile("a"), re.compile("b")),
    (logging.getLogger("a"), logging.getLogger("b")),
    (list[int], list[str]),
]


@pytest.mark.parametrize("carry", CARRIERS)
def test_every_way_to_carry_a_value_makes_the_value_count(carry):
    assert fingerprint(carry(1)) == fingerprint(carry(1))
    assert fingerprint(carry(1)) != fingerprint(carry(2))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_different_values_have_different_digests(one, other):
    assert fingerprint(closing_over(one)) == fingerprint(closing_over(one))
    assert fingerprint(closing_over(one)) != fingerprint(closing_over(other))


def test_values_that_refer_to_themselves_end():
    ring = [1]
    ring.append(ring)
    other = [2]
    other.append(other)
    assert fingerprint(closing_over(ring)) != fingerprint(closing_over(other))


@pytest.mark.slow
def test_digests_are_the_same_in_every_process(tmp_path):
    value = "[{'a', 'b', 'c'}, 1.5, {'x': (1, None)}]"
    script = f"from pytest_unlearn.training import fingerprint\nprint(fingerprint({value}))"
    assert len({run(tmp_path, "-c", script) for _ in range(3)}) == 1


def made_by_exec():
    space: dict = {}
    exec("def train(dataset, *, seed): return 1", space)
    return space["train"]


@pytest.mark.parametrize(
    "recipe",
    [
        made_by_exec(),
        closing_over(made_by_exec()),
        closing_over(value for value in [1]),
        closing_over(threading.Lock()),
        closing_over([].append),
        defaulting_to(threading.Lock()),
        Trainer(threading.Lock()),
    ],
)
def test_what_cannot_be_read_asks_for_a_key_instead_of_being_skipped(recipe):
    with pytest.raises(
        UnknownRecipe, match=r'give it an explicit key, `Recipe\(function, key="..."\)`, and change the key'
    ):
        fingerprint(recipe)
    assert len(fingerprint(Recipe(recipe, key="v1"))) == 64


def test_an_open_file_asks_for_a_key(tmp_path):
    with (tmp_path / "file").open("w") as file, pytest.raises(UnknownRecipe, match="closure variable `value`"):
        fingerprint(closing_over(file))


def test_an_explicit_key_is_all_that_counts():
    assert fingerprint(Recipe(closing_over(1), key="v1")) == fingerprint(Recipe(closing_over(2), key="v1"))
    assert fingerprint(Recipe(closing_over(1), key="v1")) != fingerprint(Recipe(closing_over(1), key="v2"))
    assert fingerprint(TorchRecipe(nn.ReLU, key="v1")) == fingerprint(Recipe(TorchRecipe(nn.ReLU, key="v1")))
    assert fingerprint(EstimatorRecipe(LogisticRegression(), key="v1")) == fingerprint(Recipe(wrapped(1), key="v1"))


def test_settings_of_the_provided_recipes_count():
    assert fingerprint(TorchRecipe(nn.ReLU, epochs=1)) != fingerprint(TorchRecipe(nn.ReLU, epochs=2))
    one, other = EstimatorRecipe(LogisticRegression(C=1)), EstimatorRecipe(LogisticRegression(C=2))
    assert fingerprint(one) != fingerprint(other)


def test_importing_the_package_is_light(tmp_path):
    heavy = "{'torch', 'sklearn', 'scipy', 'joblib', 'skops', 'safetensors'}"
    script = f"import sys, pytest_unlearn.training\nprint({heavy} & set(sys.modules))"
    assert run(tmp_path, "-c", script).strip() == "set()"
