"""Define the fixtures: inputs that a user overrides, and what is made of them.

Heavy imports are inside the bodies.
All are session-scoped, so that `@given` tests may use them, and every one may be overridden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_unlearn.core import settings
from pytest_unlearn.plugin.capture import progress_to_terminal
from pytest_unlearn.plugin.overrides import overridden
from pytest_unlearn.plugin.session import layers

if TYPE_CHECKING:
    from pytest_unlearn.search.unlearned import Unlearn
    from pytest_unlearn.task import Split, UnlearningTask


DEFINE_METHOD = (
    "define the session-scoped fixture `unlearner` in conftest.py, which returns it, in place of `unlearned_model`"
)


def _define(name: str, code: str, instead: str = "") -> NoReturn:
    pytest.fail(
        f"Define the session-scoped fixture `{name}` in conftest.py{instead}, for example:\n\n"
        f'    @pytest.fixture(scope="session")\n    def {name}():\n        {code}',
        pytrace=False,
    )


@pytest.fixture(scope="session")
def unlearn_split() -> Split:
    """Define in conftest.py what was trained on and what must go: a `Split`."""
    _define("unlearn_split", "return Split(train, forget=indices, test=test)")


@pytest.fixture(scope="session")
def unlearn_recipe() -> Callable[..., Any]:
    """Define in conftest.py how to train: `recipe(dataset, *, seed) -> model`."""
    both = " (or both `original_model` and `retrained_models`)"
    _define("unlearn_recipe", "return TorchRecipe(build_model, epochs=10)", both)


@pytest.fixture(scope="session")
def unlearner(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Define in conftest.py `unlearner(model, retain, forget, *, seed) -> model`."""
    result = " (or `unlearned_model`, if the method has already run)"
    if overridden(request, "unlearned_model"):
        result = ": a test judges the method, for which a model that it has made (`unlearned_model`) does not stand in"
    _define("unlearner", "return my_method  # my_method(model, retain, forget, *, seed) -> model", result)


@pytest.fixture(scope="session")
def unlearning_task(request: pytest.FixtureRequest, unlearn_split: Split) -> UnlearningTask:
    """Build the task of split, original and references; override to do it yourself."""
    training = training_settings(request.config)
    own_original, own_references = (overridden(request, name) for name in ("original_model", "retrained_models"))
    original = request.getfixturevalue("original_model") if own_original else None
    references = request.getfixturevalue("retrained_models") if own_references else None
    trains = not own_original or (not own_references and training["references"] > 0)
    # A recipe that is not needed may stay undefined; one that is defined goes along (it may train an original later).
    recipe = None
    if trains or overridden(request, "unlearn_recipe"):
        recipe = request.getfixturevalue("unlearn_recipe")
    return make_task_of(request.config, unlearn_split, recipe, original, references)


@pytest.fixture(scope="session")
def original_model(unlearning_task: UnlearningTask) -> Any:
    """Train the model before unlearning, on all of train; override to hand it over."""
    return unlearning_task.original


@pytest.fixture(scope="session")
def retrained_models(unlearning_task: UnlearningTask) -> list[Any]:
    """Train reference models on the retain set, cached; override to hand them over."""
    return unlearning_task.retrained


@pytest.fixture(scope="session")
def retrained_model(retrained_models: list[Any]) -> Any:
    """Return the first of `retrained_models`."""
    if not retrained_models:
        problem = "There is no retrained model: unlearn_references is 0, or `retrained_models` is empty."
        pytest.fail(problem, pytrace=False)
    return retrained_models[0]


@pytest.fixture(scope="session")
def unlearned_model(unlearning_task: UnlearningTask, unlearner: Any) -> Any:
    """Run `unlearner` on the original; override to hand over a model to audit."""
    return unlearning_task.unlearn(unlearner)


@pytest.fixture(scope="session")
def forget_loader(unlearning_task: UnlearningTask) -> Any:
    """Load the forget set in fixed order; assertions find the controls through it."""
    return unlearning_task.forget.loader()


@pytest.fixture(scope="session")
def retain_loader(unlearning_task: UnlearningTask) -> Any:
    """Load the retain set in fixed order, by a DataLoader."""
    return unlearning_task.retain.loader()


@pytest.fixture(scope="session")
def test_loader(unlearning_task: UnlearningTask) -> Any:
    """Load the test set in fixed order, by a DataLoader."""
    return unlearning_task.test.loader()


@pytest.fixture(scope="session")
def unlearn(request: pytest.FixtureRequest, unlearning_task: UnlearningTask, unlearner: Any) -> Unlearn:
    """Return `unlearn(request) -> UnlearnedRequest(model, task)` for property tests.

    A request is a `ForgetRequest`, as `forget_sets(split)` draws them, or the indices to forget.
    """
    from pytest_unlearn.search.unlearned import Unlearn

    # Models retrained without one forget set are no references for another: new references need the recipe.
    recipe = request.getfixturevalue("unlearn_recipe")

    task = make_task_of(request.config, unlearning_task.split, recipe, unlearning_task.original)
    return Unlearn(task, unlearner)


def make_task_of(
    config: pytest.Config, split: Split, recipe: Any, original: Any, references: Any = None
) -> UnlearningTask:
    """Make a task with the settings of this run."""
    from pytest_unlearn.core.cache_place import cache_folder
    from pytest_unlearn.task import UnlearningTask

    value = training_settings(config)
    task = UnlearningTask(
        split,
        recipe,
        original=original,
        references=value["references"] if references is None else references,
        seed=value["seed"],
        cache_dir=cache_folder(value["cache"], config.rootpath).place,
        device=value["device"],
        n_jobs=value["jobs"],
        fresh=value["fresh"],
        shadow_models=value["shadow_models"],
    )
    progress_to_terminal(task, config)
    return task


def training_settings(config: pytest.Config) -> dict[str, Any]:
    """Collect the session's settings of trainings."""
    # Not the running test's layers: a session fixture must not take over the marker of the test that came first.
    names = ("cache", "seed", "jobs", "device", "references", "fresh", "shadow_models")
    known = layers(config)
    return {name: settings.resolve(name, None, known).value for name in names}
