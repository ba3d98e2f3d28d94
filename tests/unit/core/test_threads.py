"""Small matrices are worked on by one thread, and the library has its threads back afterwards."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pytest_unlearn.core.threads import on_one_thread


def threads():
    np.linalg.eigvalsh(np.eye(3))  # the library is loaded when it is first used
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_a_function_runs_on_one_thread_of_linear_algebra_and_the_others_come_back():
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        if 2 not in before:
            pytest.skip("this machine's linear algebra has one thread only")

        @on_one_thread
        def inside(number, *, more):
            """Say what is left."""
            return threads(), number + more

        assert inside(1, more=2) == ([1] * len(before), 3)
        assert threads() == before
        assert inside.__doc__ == "Say what is left."


def test_threads_come_back_after_an_error():
    @on_one_thread
    def failing():
        raise KeyError("inside")

    before = threads()
    with pytest.raises(KeyError):
        failing()
    assert threads() == before
