"""The inputs a user defines in conftest.py and the fixtures derived from them; heavy imports are inside the bodies.

All are session-scoped, so that `@given` tests may use them, and every one may be overridden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_unlearn import progress, settings
from pytest_unlearn.overrides import overridden
from pytest_unlearn.session import LAYERS

if TYPE_CHECKING:
    from pytest_unlearn.task import Split, UnlearningTask

NAMES = (
    *("unlearn_split", "unlearn_recipe", "unlearner", "unlearning_task", "original_model", "unlearned_model"),
    *("retrained_model", "retrained_models", "forget_loader", "retain_loader", "test_loader", "unlearn"),
)
KEPT_REQUESTS = 32  # how many requests `unlearn` keeps with their models


def _define(name: str, code: str, instead: str = "") -> NoReturn:
    pytest.fail(
        f"Define the session-scoped fixture `{name}` in conftest.py{instead}, for example:\n\n"
        f'    @pytest.fixture(scope="session")\n    def {name}():\n        {code}',
        pytrace=False,
    )


@pytest.fixture(scope="session")
def unlearn_split() -> Split:
    """What was trained on and what must go: a `pytest_unlearn.Split`. To be defined in conftest.py."""
    _define("unlearn_split", "return Split(train, forget=indices, test=test)")


@pytest.fixture(scope="session")
def unlearn_recipe() -> Callable[..., Any]:
    """How a model is trained: `recipe(dataset, *, seed) -> model`. To be defined in conftest.py."""
    both = " (or both `original_model` and `retrained_models`)"
    _define("unlearn_recipe", "return TorchRecipe(build_model, epochs=10)", both)


@pytest.fixture(scope="session")
def unlearner() -> Callable[..., Any]:
    """The method: `unlearner(model, retain, forget, *, seed) -> model`. To be defined in conftest.py."""
    result = " (or `unlearned_model`, if the method has already run)"
    _define("unlearner", "return lambda model, retain, forget, *, seed: ...", result)


@pytest.fixture(scope="session")
def unlearning_task(request: pytest.FixtureRequest, unlearn_split: Split) -> UnlearningTask:
    """The deletion request as a task: split, original and retrained references. Override to build it yourself."""
    from pytest_unlearn.task import UnlearningTask

    value = _settings(request)
    given = {name: overridden(request, name) for name in ("original_model", "retrained_models")}
    references = request.getfixturevalue("retrained_models") if given["retrained_models"] else value["references"]
    original = request.getfixturevalue("original_model") if given["original_model"] else None
    wants_recipe = original is None or not given["retrained_models"]
    if not wants_recipe and not overridden(request, "unlearn_recipe"):
        recipe = None
    elif original is not None and references == 0 and not overridden(request, "unlearn_recipe"):
        recipe = None
    else:
        recipe = request.getfixturevalue("unlearn_recipe")
    task = UnlearningTask(
        unlearn_split,
        recipe,
        original=original,
        references=references,
        seed=value["seed"],
        cache_dir=request.config.rootpath / ".unlearn" / "cache",
        device=value["device"],
        n_jobs=value["jobs"],
        fresh=value["fresh"],
    )
    progress.attach(task, request.config)
    return task


@pytest.fixture(scope="session")
def original_model(unlearning_task: UnlearningTask) -> Any:
    """The model before unlearning: trained by `unlearn_recipe` on all of train unless overridden."""
    return unlearning_task.original


@pytest.fixture(scope="session")
def retrained_models(unlearning_task: UnlearningTask) -> list[Any]:
    """Reference models trained on the retain set, distinct seeds, cached; override to hand over your own."""
    return unlearning_task.retrained


@pytest.fixture(scope="session")
def retrained_model(retrained_models: list[Any]) -> Any:
    """The first of `retrained_models`."""
    if not retrained_models:
        pytest.fail("There is no retrained model: unlearn_references is 0, or `retrained_models` is empty.", pytrace=False)
    return retrained_models[0]


@pytest.fixture(scope="session")
def unlearned_model(request: pytest.FixtureRequest, unlearning_task: UnlearningTask) -> Any:
    """The model to audit: `unlearner` run on the original. Override it if the method has already run."""
    method = request.getfixturevalue("unlearner")
    task = unlearning_task
    return method(task.original, task.retain, task.forget, seed=_settings(request)["seed"])


@pytest.fixture(scope="session")
def forget_loader(unlearning_task: UnlearningTask) -> Any:
    """A DataLoader over the forget set, in fixed order; assertions find the controls through it."""
    return unlearning_task.forget.loader()


@pytest.fixture(scope="session")
def retain_loader(unlearning_task: UnlearningTask) -> Any:
    """A DataLoader over the retain set, in fixed order."""
    return unlearning_task.retain.loader()


@pytest.fixture(scope="session")
def test_loader(unlearning_task: UnlearningTask) -> Any:
    """A DataLoader over the test set, in fixed order."""
    return unlearning_task.test.loader()


@dataclass(frozen=True, repr=False)
class UnlearnedRequest:
    """A deletion request and the model it left behind; prints in one line, as Hypothesis shows fixture values."""

    model: Any
    task: UnlearningTask

    def __repr__(self) -> str:
        indices = [int(index) for index in self.task.forget.indices]
        shown = ", ".join(map(str, indices[:6])) + (", ..." if len(indices) > 6 else "")
        return f"<UnlearnedRequest: {len(indices)} forgotten: {shown}>"


class Unlearn:
    """Runs `unlearner` on any request; the same request twice is answered once."""

    def __init__(self, task: UnlearningTask, make_task: Callable[[Split], UnlearningTask], method: Any, seed: int) -> None:
        self._task, self._make_task, self._method, self._seed = task, make_task, method, seed
        self._cached = lru_cache(maxsize=KEPT_REQUESTS)(self._run)

    def __call__(self, forget_indices: Iterable[int]) -> UnlearnedRequest:
        return self._cached(tuple(int(index) for index in forget_indices))

    def __repr__(self) -> str:
        return "<unlearn: runs the unlearner on a forget request>"

    def _run(self, indices: tuple[int, ...]) -> UnlearnedRequest:
        task = self._make_task(self._task.split.with_forget(indices))
        return UnlearnedRequest(self._method(task.original, task.retain, task.forget, seed=self._seed), task)


@pytest.fixture(scope="session")
def unlearn(request: pytest.FixtureRequest, unlearning_task: UnlearningTask, unlearner: Any) -> Unlearn:
    """`unlearn(forget_indices) -> UnlearnedRequest(model, task)`: the method on any request, for property tests."""
    from pytest_unlearn.task import UnlearningTask

    value, config = _settings(request), request.config
    # Models that were retrained without one forget set say nothing about another: new references need the recipe.
    recipe = request.getfixturevalue("unlearn_recipe")

    def make_task(split: Split) -> UnlearningTask:
        task = UnlearningTask(
            split,
            recipe,
            original=unlearning_task.original,
            references=value["references"],
            seed=value["seed"],
            cache_dir=config.rootpath / ".unlearn" / "cache",
            device=value["device"],
            n_jobs=value["jobs"],
            fresh=value["fresh"],
        )
        progress.attach(task, config)
        return task

    return Unlearn(unlearning_task, make_task, unlearner, value["seed"])


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    # Not the running test's layers: a session fixture must not take over the marker of the test that came first.
    layers = request.config.stash[LAYERS]
    return {
        name: settings.resolve(name, None, layers).value for name in ("seed", "jobs", "device", "references", "fresh")
    }
