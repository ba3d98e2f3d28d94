"""unlearning_laws: the laws of unlearning as tests of a method, one a law."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import class_names
from pytest_unlearn.search.laws import LAWS, Law, LawBroken, check_law
from pytest_unlearn.search.strategies import available, check_sizes
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner


def unlearning_laws(
    unlearner: Any = None,
    task: UnlearningTask | None = None,
    *,
    families: Sequence[str] | None = None,
    sizes: tuple[int, int] | None = None,
    budget: int | timedelta | Budget = 4,
) -> Any:
    """Make a test of whether a method obeys the laws of unlearning.

    Used as `test_laws = unlearning_laws(unlearner, task)`. The laws are of an empty request, the order of a request,
    the size of batches, a larger request (monotonicity), the same request again (idempotence), two in a row
    (commutation), one seed (determinism), and requests that break things. The two sides of a law may be as far apart as
    retrained models are that differ by their seed; Hypothesis looks for a request on which they are further.

    Args:
        unlearner: the method; the fixture `unlearner` by default.
        task: what was trained on, and how; the fixture `unlearning_task` by default.
        families: names of request families; by default all that need no other models.
        sizes: the smallest and largest request; by default from 10 examples to a fifth of train.
        budget: how many requests to try for each law, for how long, or a `Budget`.

    Returns:
        A test, parametrised over the laws; one in which the method raises `Unsupported` is skipped.

    Raises:
        TypeError: a method that cannot be called, or no task.
        ValueError: a budget of nothing, families or sizes that are none.
    """
    import pytest

    if unlearner is not None:
        check_unlearner(unlearner)
    if task is not None and not isinstance(task, UnlearningTask):
        raise TypeError(f"the laws need an UnlearningTask(split, recipe), not a {type(task).__name__}.")
    as_budget(budget)
    available(families, groups=True)
    if sizes is not None:
        check_sizes(sizes)
    wanted = [name for name, given in (("unlearner", unlearner), ("unlearning_task", task)) if given is None]

    def test_law(law: Law, request: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        method = fixtures["unlearner"] if unlearner is None else unlearner
        world = fixtures["unlearning_task"] if task is None else task
        key = request.node.nodeid
        try:
            check_law(law, method, world, families=families, sizes=sizes, budget=budget, key=key)
        except LawBroken as broken:
            raise broken.with_traceback(None) from broken.__cause__
        except Exception as error:
            if "Unsupported" not in class_names(error):
                raise
            pytest.skip(f"unsupported: {error}")

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in ("law", "request", *wanted)]
    test_law.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return pytest.mark.parametrize("law", [pytest.param(law, id=law.name) for law in LAWS])(test_law)
