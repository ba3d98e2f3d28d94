"""Evaluate the user's inputs by pytest, as tests see them, and train nothing."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_unlearn.cli.console import Unusable, one_line
from pytest_unlearn.cli.plan.asked import Asked, asked_by, calls_of
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.settings import MAX_MIA_AUC
from pytest_unlearn.plugin import fixtures
from pytest_unlearn.plugin.hooks import marked_settings
from pytest_unlearn.plugin.overrides import NAMES, SOURCES, overridden, resolved_fixtures
from pytest_unlearn.plugin.session import LAYERS

if TYPE_CHECKING:
    from pytest_unlearn.task import UnlearningTask

INPUTS = ("unlearn_split", "unlearn_recipe", "unlearning_task", "original_model", "retrained_models")
HANDED_OVER = ("original_model", "retrained_models")
TRAINING = ("original_model", "retrained_model", "retrained_models", "unlearned_model", "unlearn")
WRITING = ("xmlpath", "htmlpath", "report_log")  # options that would replace a file of the last real run
REMEMBERING = ("lfplugin", "nfplugin", "stepwiseplugin")  # plugins that note which tests failed
DEFINE = (
    "define the session-scoped fixture `unlearn_split` in conftest.py, as a Split(train, forget=indices, test=test)"
)


@dataclass(frozen=True)
class Inputs:
    """Hold what the tests of one place audit; its task has trained nothing yet.

    `asked` is what the tests claim, each at its settings, `warnings` what the inputs said, `missing` what a test asks
    for and nobody defines. `max_mia_auc` is the limit that is configured. `original` and `references` are models that
    were handed over, where plan may ask them.
    """

    place: str
    task: UnlearningTask
    own_original: bool
    own_references: bool
    asked: tuple[Asked, ...]
    warnings: tuple[str, ...]
    missing: tuple[str, ...] = ()
    max_mia_auc: float = float(MAX_MIA_AUC)
    original: Any = None
    references: Sequence[Any] | None = None


class _Trains(Exception):  # noqa: N818 - named for what a fixture does
    """Raised for a fixture that plan must not evaluate."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an input or an autouse fixture asks for `{name}`, and plan trains nothing: let it not depend on models"
        )


class Planner:
    """Run one item for each set of inputs, in place of the tests."""

    def __init__(self, visit: Callable[[Inputs], None], models: bool) -> None:
        self.visit, self.models = visit, models
        self.handing_over = False
        self.visited = 0
        self.problem = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Keep this run from overwriting what a real one wrote."""
        for name in WRITING:
            if hasattr(config.option, name):
                setattr(config.option, name, None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember the first thing that could not be collected."""
        if report.failed and not self.problem:
            self.problem = f"{report.nodeid} could not be collected: {told(report.longreprtext)}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what an autouse fixture fails with."""
        if report.failed and not self.problem:
            self.problem = f"the inputs could not be evaluated: {told(report.longreprtext)}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Refuse whatever trains and `refuse_training` cannot foresee."""
        if fixturedef.argname in TRAINING and not (self.handing_over and fixturedef.argname in HANDED_OVER):
            raise _Trains(fixturedef.argname)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Visit every set of inputs, each after the fixtures of the one before are gone."""
        if not self.problem and LAYERS not in session.config.stash:
            self.problem = "the plugin of pytest-unlearn is not loaded in this run: add -p unlearn"
        if not self.problem and not session.items:
            self.problem = "no tests were collected: give the path of the suite that audits"
        if self.problem:
            return True
        for name in REMEMBERING:
            if session.config.pluginmanager.hasplugin(name):
                session.config.pluginmanager.unregister(name=name)
        chosen = [item for item in session.items if set(NAMES) & set(getattr(item, "fixturenames", ()))]
        for item in self._by_inputs(chosen or session.items):
            try:
                refuse_training(item, item.fixturenames)  # type: ignore[attr-defined]
            except _Trains as error:
                self.problem = str(error)
                break
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        if not self.visited and not self.problem:
            self.problem = DEFINE
        return True

    def _by_inputs(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Make one item for each distinct set of input fixtures."""
        modules: dict[pytest.Module, list[pytest.Item]] = {}
        for item in items:
            module = item.getparent(pytest.Module)
            if module is not None:
                modules.setdefault(module, []).append(item)
        groups: dict[frozenset[Any], tuple[pytest.Item, list[pytest.Item]]] = {}
        for module, tests in modules.items():
            # From the module: it sees what its tests see, and no fixture that only they ask for.
            seen: list[pytest.Item] = []
            item = pytest.Function.from_parent(module, name="unlearn-plan", callobj=self._looking(seen))
            behind = item.config.stash[SOURCES].behind(INPUTS, item)
            _, all_seen = groups.setdefault(frozenset(behind.items()), (item, seen))
            all_seen += tests
        return [item for item, _ in groups.values()]

    def _looking(self, tests: list[pytest.Item]) -> Callable[..., None]:
        def look(request: pytest.FixtureRequest) -> None:
            try:
                inputs = evaluate(request, tests)
                if inputs is not None and self.models:
                    inputs = self._with_models(inputs, request)
                if inputs is not None:
                    self.visited += 1
                    self.visit(inputs)
            except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
                self.problem = self.problem or _sentence(error)

        return look

    def _with_models(self, inputs: Inputs, request: pytest.FixtureRequest) -> Inputs:
        """Evaluate the models that are handed over, by fixtures that train nothing themselves."""
        self.handing_over = True
        given: dict[str, Any] = {}
        for name, own in zip(HANDED_OVER, (inputs.own_original, inputs.own_references), strict=True):
            if own and overridden(request, name):
                needs = {
                    one for found in resolved_fixtures(request._pyfuncitem, [name]).values() for one in found.argnames
                }
                refuse_training(request._pyfuncitem, needs)
                given[name] = request.getfixturevalue(name)
        self.handing_over = False
        return replace(inputs, original=given.get("original_model"), references=given.get("retrained_models"))


def collect(arguments: Sequence[str], visit: Callable[[Inputs], None], *, models: bool = False) -> None:
    """Let pytest collect a suite, and visit its inputs while fixtures are alive.

    Args:
        arguments: of pytest's command line.
        visit: called with each distinct set of inputs.
        models: whether models that are handed over are evaluated as well.

    Raises:
        Unusable: pytest cannot collect the suite, or it has no inputs that can be evaluated.
    """
    planner, output = Planner(visit, models), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        # Collecting only, so that no gate decides and no report is written.
        status = pytest.main([*arguments, "--collect-only", "-q"], plugins=[planner])
    if planner.problem:
        raise Unusable(planner.problem)
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or not planner.visited:
        raise Unusable(f"pytest could not collect the suite: {told(output.getvalue())}")


def refuse_training(item: pytest.Item, names: Iterable[str]) -> None:
    """Refuse fixtures that stand, directly or not, on one that may train."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in TRAINING:
            raise _Trains(name)
        if name not in seen:
            seen.add(name)
            waiting += [needed for found in resolved_fixtures(item, [name]).values() for needed in found.argnames]


def evaluate(request: pytest.FixtureRequest, tests: Iterable[pytest.Item]) -> Inputs | None:
    """Evaluate the inputs that a test sees, without models; None without a split."""
    from pytest_unlearn.task import UnlearningTask

    seen = resolved_fixtures(request._pyfuncitem, INPUTS)
    main = next((name for name in ("unlearning_task", "unlearn_split") if overridden(request, name)), None)
    if main is None:
        return None
    own_original, own_references = (overridden(request, name) for name in ("original_model", "retrained_models"))
    with warnings.catch_warnings(record=True) as caught:
        if main == "unlearning_task":
            refuse_training(request._pyfuncitem, [main])
            task = request.getfixturevalue(main)
            if not isinstance(task, UnlearningTask):
                raise Unusable(f"`unlearning_task` gives a {type(task).__name__}: let it return an UnlearningTask")
        else:
            task = _task(request, own_original, own_references)
    return Inputs(
        place=seen[main].baseid or ".",
        task=task,
        own_original=own_original,
        own_references=own_references or not isinstance(task.references, int),
        asked=_asked(request.config, tests),
        warnings=tuple(dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning)),
        missing=tuple(_missing(request, tests)),
        max_mia_auc=settings.resolve("max_mia_auc", None, request.config.stash[LAYERS]).value,
    )


def _task(request: pytest.FixtureRequest, own_original: bool, own_references: bool) -> UnlearningTask:
    """Make the task that the plugin's fixture makes, without models handed over."""
    trains = not own_original or (not own_references and fixtures.training_settings(request.config)["references"] > 0)
    refuse_training(request._pyfuncitem, ["unlearn_split", *(["unlearn_recipe"] if trains else [])])
    split = request.getfixturevalue("unlearn_split")
    recipe = request.getfixturevalue("unlearn_recipe") if trains else None
    return fixtures.make_task_of(request.config, split, recipe, None, [] if own_references else None)


def _asked(config: pytest.Config, tests: Iterable[pytest.Item]) -> tuple[Asked, ...]:
    found: dict[tuple[Any, ...], Asked] = {}
    configured = config.stash[LAYERS]
    for test in tests:
        marker: dict[str, Any] = {}
        with contextlib.suppress(ValueError):  # a marker with a typo fails its own test
            marker = marked_settings(test)
        for asked in asked_by(test, {"marker": marker, **configured}):
            found.setdefault(asked.values, asked)
    return tuple(found.values())


def _missing(request: pytest.FixtureRequest, tests: Iterable[pytest.Item]) -> Iterator[str]:
    """Yield what to define for tests that judge a method, where none is defined."""
    if overridden(request, "unlearner"):
        return
    for test in tests:
        judges = any(call.claim in TABLE and TABLE[call.claim].planned == "runs" for call in calls_of(test))
        if judges and "unlearner" in getattr(test, "fixturenames", ()):
            yield f"{test.name} judges the method, and none is defined: {fixtures.DEFINE_METHOD}"


def _sentence(error: BaseException) -> str:
    """Say in one line what went wrong in an input."""
    if isinstance(error, (Unusable, _Trains)):
        return str(error)
    if isinstance(error, (pytest.fail.Exception, pytest.skip.Exception)):
        first = str(error.msg).split("\n")[0].removesuffix(", for example:")
        return first[:1].lower() + first[1:]
    return f"the inputs could not be evaluated: {type(error).__name__}: {one_line(error)}"


def told(text: str) -> str:
    """Find the line of pytest's output that tells what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if re.match(r"E\s", line)]
    errors = [line for line in lines if "error: " in line.lower() and "usage:" not in line]
    return next(iter([*marked[-1:], *errors, *lines[-1:]]), "it gave no reason")
