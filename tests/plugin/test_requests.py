"""Several requests in one project: whoever asks, and however, gets the data of its own directory."""

from __future__ import annotations

import itertools

import pytest
import torch  # noqa: F401 - imported here, it survives pytester's clean-up of sys.modules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugin.conftest import Suite
from tests.plugin.layouts import OVERRIDES, WAYS, Folder, write

NUMBER = itertools.count()
PLACES = ("conftest", "module", "class")
EVERY_WAY = [
    Folder((way,), override, place)
    for way, override, place in zip(WAYS, itertools.cycle(OVERRIDES), itertools.cycle((*PLACES, "class")), strict=False)
]


def run(
    suite: Suite, folders: list[Folder], *chosen: str, seed: int | None = None, dynamic: bool = False, workers: int = 0
) -> None:
    """Run a project: whoever can be right is, and nobody else passes."""
    root = suite.path / f"project{next(NUMBER)}"
    root.mkdir()
    names = write(root, folders, seed=seed, dynamic=dynamic)
    there = chosen or names
    options = (f"--rootdir={root}", f"-c{root}/pytest.ini", "-Wignore", "-q", *([f"-n{workers}"] if workers else []))
    result = suite.run(*options, *(str(root / name) for name in there))
    right = [len(folder.ways) for name, folder in zip(names, folders, strict=True) if name in there and folder.right]
    wrong = [len(folder.ways) for name, folder in zip(names, folders, strict=True) if name in there]
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed", 0) == sum(right), result.stdout.str()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == sum(wrong) - sum(right), result.stdout.str()


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("seed", [None, 1])
def test_every_way_to_a_fixture_gives_the_data_of_its_own_place(suite: Suite, seed: int | None, dynamic: bool) -> None:
    run(suite, EVERY_WAY, seed=seed, dynamic=dynamic)


@pytest.mark.parametrize("chosen", [("f0", "f1"), ("f1", "f0"), ("f0",), ("f1",)])
def test_whichever_comes_first_and_each_alone(suite: Suite, chosen: tuple[str, ...]) -> None:
    run(suite, [Folder(("argument",)), Folder(("getfixturevalue", "TestCase", "doctest"))], *chosen)


def test_a_kept_function_gives_no_value_that_was_made_since_for_another_directory(suite: Suite) -> None:
    ways = ("function of a fixture",) * 2
    run(suite, [Folder(ways), Folder(("argument",))], seed=0)  # the second directory's test runs between the first's


@pytest.mark.slow
def test_with_workers(suite: Suite) -> None:
    run(suite, EVERY_WAY, workers=2)


FOLDERS = st.lists(
    st.builds(
        Folder,
        ways=st.lists(st.sampled_from(list(WAYS)), min_size=1, max_size=2, unique=True).map(tuple),
        override=st.sampled_from(list(OVERRIDES)),
        place=st.sampled_from(PLACES),
        scope=st.sampled_from(["session"] * 4 + ["module", "class"]),
    ),
    min_size=2,
    max_size=4,
)
LAYOUTS = {"folders": FOLDERS, "seed": st.none() | st.integers(0, 9), "dynamic": st.booleans()}
FIXTURE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=FIXTURE)
@given(**LAYOUTS)
def test_any_layout(suite: Suite, folders: list[Folder], seed: int | None, dynamic: bool) -> None:
    run(suite, folders, seed=seed, dynamic=dynamic)


@pytest.mark.long
@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=FIXTURE)
@given(**LAYOUTS)
def test_any_of_many_layouts(suite: Suite, folders: list[Folder], seed: int | None, dynamic: bool) -> None:
    run(suite, folders, seed=seed, dynamic=dynamic)
