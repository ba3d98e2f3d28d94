"""One thread for linear algebra: of small problems several only wait."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def on_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function whose matrices are small on one BLAS thread.

    Threads of BLAS spin until the last one is done: beside one busy process, the eigenvectors of a layer took 2 seconds
    of CPU on two threads and .03 on one.
    """

    @functools.wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return alone
