"""Require an answer to every request, with examples in any container."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_unlearn.conformance.case import ConformanceError, Unsupported, is_unsupported
from pytest_unlearn.conformance.harness import Harness
from pytest_unlearn.conformance.scenario import Scenario
from pytest_unlearn.conformance.state_diff import contents, differing, shared, traits

BATCH_OF_ONE = "If it is BatchNorm: merge or drop a last batch of one, and pass a single forget example in eval mode."
ALLOWED = 1e-3  # probability that may move when the same examples come in another container


def one_forget_example(harness: Harness) -> None:
    """Ask to forget one example; BatchNorm cannot train on a batch of one."""
    with harness.advising(BATCH_OF_ONE):
        harness.require_usable(harness.home.asking(harness.home.forget[:1]))


def forget_a_whole_class(harness: Harness) -> None:
    """Ask to forget every example of a class."""
    _usable_if_the_recipe_is(harness, harness.home.asking(harness.of_one_class(harness.home)))


def retain_a_single_class(harness: Harness) -> None:
    """Ask to forget all examples but those of one class."""
    others = np.setdiff1d(np.arange(len(harness.home.rows)), harness.of_one_class(harness.home))
    _usable_if_the_recipe_is(harness, harness.home.asking(others))


def _usable_if_the_recipe_is(harness: Harness, scenario: Scenario) -> None:
    harness.trained(scenario)  # a recipe that cannot even train the original is no excuse
    try:
        harness.require_usable(scenario)
    except ConformanceError:
        alone = replace(
            scenario, rows=tuple(scenario.rows[i] for i in scenario.retain(harness.data(scenario)[1])), forget=()
        )
        try:
            harness.outputs(harness.trained(alone), alone)
        except ConformanceError:
            raise Unsupported("the recipe itself gives no usable model on the classes that are left.") from None
        raise


def duplicate_examples(harness: Harness) -> None:
    """Put examples twice in the forget set, twice in the retain set, once in each."""
    home = harness.home
    n, gone = len(home.rows), home.forget
    stays = home.retain(harness.data(home)[1])
    rows = (*home.rows, *(home.rows[i] for i in (gone[0], stays[0], gone[1])))
    harness.require_usable(replace(home, rows=rows).asking([*gone, n]))


def last_batch_of_one(harness: Harness) -> None:
    """Hand over sets of 129 and 65, which leave one example over.

    For batches of 128, 64, 32, ...: BatchNorm cannot train on it.
    """
    with harness.advising(BATCH_OF_ONE):
        harness.require_usable(harness.larger_problem(retain=129, forget=65))


def nothing_to_forget(harness: Harness) -> None:
    """Require an unchanged, independent copy where the forget set is empty."""
    scenario = harness.home.asking([])
    with harness.advising("Return a deep copy before anything else when len(forget) is 0."):
        seen = harness.observe(scenario)
    before, after = ({**contents(model), **traits(model)} for model in (seen.given, seen.result))
    changed = differing(before, after)
    harness.require_none(changed, "changed the model where nothing was to be forgotten: {names}. Return a deep copy.")
    independent = seen.result is not seen.model and not shared(seen.model, seen.result)
    harness.require(independent, "returned its input where nothing was to be forgotten: return a deep copy of it.")


def everything_to_forget(harness: Harness) -> None:
    """Require an error in a sentence where the retain set is empty."""
    scenario = harness.home.asking(range(len(harness.home.rows)))
    model, sets = harness.trained(scenario), harness.datasets(scenario)
    try:
        harness.call(scenario, model, *sets)
    except Exception as error:
        explained = any(word in str(error).lower() for word in ("retain", "forget"))
        if explained and (isinstance(error, ValueError) or is_unsupported(error)):
            return
        raise ConformanceError(
            f"{harness.case.label} crashed with {type(error).__name__} when asked to forget the whole dataset "
            f"({error}): raise a ValueError first that says that the retain set is empty."
        ) from error
    harness.fail(
        "returned a model when asked to forget the whole dataset: raise a ValueError that says that the retain set is "
        "empty."
    )


def plain_rows(harness: Harness) -> None:
    """Require lists of (numpy array, int) to do as well as tensors."""
    _same_in(harness, "lists of (array, int)")


def any_map_style_dataset(harness: Harness) -> None:
    """Require no more of a dataset than `__len__` and `__getitem__`."""
    _same_in(harness, "datasets with __len__ and __getitem__ only")


def _same_in(harness: Harness, container: str) -> None:
    usual, seen = (harness.observe(scenario) for scenario in (harness.home, replace(harness.home, container=container)))
    harness.require(not seen.written, f"wrote into the {' and '.join(seen.written)} set ({container}): work on copies.")
    moved = harness.distance(usual.result, seen.result, harness.home)
    harness.require(
        moved <= ALLOWED,
        f"gave another model when the same examples came as {container} ({moved:.1%} of the outputs' probability "
        "moved): read examples by len(dataset) and dataset[i] only.",
    )
