"""Every request gets an answer, and examples may come in any container."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pytest_unlearn.conformance.case import ConformanceError, Unsupported, is_unsupported
from pytest_unlearn.conformance.harness import Bench
from pytest_unlearn.conformance.scenario import Trial
from pytest_unlearn.conformance.state_diff import contents, differing, shared, traits

BATCH_OF_ONE = "If it is BatchNorm: merge or drop a last batch of one, and pass a single forget example in eval mode."
ALLOWED = 1e-3  # probability that may move when the same examples come in another container


def one_forget_example(bench: Bench) -> None:
    """The request of one person; a network with BatchNorm cannot train on a batch of one."""
    with bench.advising(BATCH_OF_ONE):
        bench.require_usable(bench.home.asking(bench.home.forget[:1]))


def forget_a_whole_class(bench: Bench) -> None:
    """No example of a class is left."""
    _usable_if_the_recipe_is(bench, bench.home.asking(bench.of_one_class(bench.home)))


def retain_a_single_class(bench: Bench) -> None:
    """All examples that are left have one label."""
    others = np.setdiff1d(np.arange(len(bench.home.rows)), bench.of_one_class(bench.home))
    _usable_if_the_recipe_is(bench, bench.home.asking(others))


def _usable_if_the_recipe_is(bench: Bench, trial: Trial) -> None:
    bench.trained(trial)  # a recipe that cannot even train the original is no excuse
    try:
        bench.require_usable(trial)
    except ConformanceError:
        alone = replace(trial, rows=tuple(trial.rows[i] for i in trial.retain(bench.data(trial)[1])), forget=())
        try:
            bench.outputs(bench.trained(alone), alone)
        except ConformanceError:
            raise Unsupported("the recipe itself gives no usable model on the classes that are left.") from None
        raise


def duplicate_examples(bench: Bench) -> None:
    """Examples twice in the forget set, twice in the retain set, and once in each."""
    home = bench.home
    n, gone = len(home.rows), home.forget
    stays = home.retain(bench.data(home)[1])
    rows = (*home.rows, *(home.rows[i] for i in (gone[0], stays[0], gone[1])))
    bench.require_usable(replace(home, rows=rows).asking([*gone, n]))


def last_batch_of_one(bench: Bench) -> None:
    """Sets of 129 and 65 leave one example over for batches of 128, 64, 32, ...: BatchNorm cannot train on it."""
    with bench.advising(BATCH_OF_ONE):
        bench.require_usable(bench.larger_problem(retain=129, forget=65))


def nothing_to_forget(bench: Bench) -> None:
    """An empty forget set gives an unchanged, independent copy."""
    trial = bench.home.asking([])
    with bench.advising("Return a deep copy before anything else when len(forget) is 0."):
        seen = bench.observe(trial)
    before, after = ({**contents(model), **traits(model)} for model in (seen.given, seen.result))
    changed = bench.listed(differing(before, after))
    bench.require(not changed, f"changed the model where nothing was to be forgotten: {changed}. Return a deep copy.")
    independent = seen.result is not seen.model and not shared(seen.model, seen.result)
    bench.require(independent, "returned its input where nothing was to be forgotten: return a deep copy of it.")


def everything_to_forget(bench: Bench) -> None:
    """An empty retain set is an error in a sentence: nothing is left that a model could be kept for."""
    trial = bench.home.asking(range(len(bench.home.rows)))
    model, sets = bench.trained(trial), bench.datasets(trial)
    try:
        bench.call(trial, model, *sets)
    except Exception as error:
        says_so = any(word in str(error).lower() for word in ("retain", "forget"))
        if says_so and (isinstance(error, ValueError) or is_unsupported(error)):
            return
        raise ConformanceError(
            f"{bench.case.label} crashed with {type(error).__name__} when asked to forget the whole dataset ({error}): "
            "raise a ValueError first that says that the retain set is empty."
        ) from error
    bench.fail(
        "returned a model when asked to forget the whole dataset: raise a ValueError that says that the retain set is "
        "empty."
    )


def plain_rows(bench: Bench) -> None:
    """Lists of (numpy array, int) do as well as tensors."""
    _same_in(bench, "lists of (array, int)")


def any_map_style_dataset(bench: Bench) -> None:
    """`__len__` and `__getitem__` are all that is asked of a dataset, as of the audit's own views."""
    _same_in(bench, "datasets with __len__ and __getitem__ only")


def _same_in(bench: Bench, container: str) -> None:
    usual, seen = (bench.observe(trial) for trial in (bench.home, replace(bench.home, container=container)))
    bench.require(not seen.written, f"wrote into the {' and '.join(seen.written)} set ({container}): work on copies.")
    moved = bench.distance(usual.result, seen.result, bench.home)
    bench.require(
        moved <= ALLOWED,
        f"gave another model when the same examples came as {container} ({moved:.1%} of the outputs' probability "
        "moved): read examples by len(dataset) and dataset[i] only.",
    )
