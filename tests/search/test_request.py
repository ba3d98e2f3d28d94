"""ForgetRequest: one line that recreates it, and a strategy that draws and shrinks it."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from pytest_unlearn import ForgetRequest, forget_sets
from pytest_unlearn.search.dataset_stats import DatasetStats
from pytest_unlearn.search.families import FAMILIES, resolve
from pytest_unlearn.search.strategies import ALL, available


def test_its_line_recreates_it_and_says_no_more_than_needed():
    request = ForgetRequest(
        "union", parts=(ForgetRequest("random", size=3), ForgetRequest("cluster", space="features"))
    )
    assert repr(request) == (
        "ForgetRequest('union', parts=(ForgetRequest('random', size=3), ForgetRequest('cluster', space='features')))"
    )
    assert eval(repr(request)) == request


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"family": "random", "size": 0}, "a size from 1"),
        ({"family": "random", "seed": -1}, "from 0"),
        ({"family": "sequence"}, "two or more parts"),
        ({"family": "random", "parts": (ForgetRequest("random"), ForgetRequest("random"))}, "other families none"),
        ({"family": "random", "size": 2.5}, "size is a whole number, not 2.5"),
        ({"family": "random", "seed": True}, "seed is a whole number, not True"),
        ({"family": "cluster", "space": "nonsense"}, "space is one of input, features, not 'nonsense'"),
        ({"family": "union", "parts": ("a", "b")}, "parts that are ForgetRequests"),
        ({"family": "union", "parts": (ForgetRequest("union", parts=(ForgetRequest("random"),) * 2),) * 2}, "no parts"),
    ],
)
def test_what_is_no_request_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        ForgetRequest(**arguments)


def test_numbers_of_numpy_print_as_numbers():
    request = ForgetRequest("class-fraction", size=np.int64(40), label=np.int32(3))
    assert repr(request) == "ForgetRequest('class-fraction', size=40, label=3)"


class TestStrategy:
    """Drawn by Hypothesis."""

    def test_every_family_is_drawn_and_every_request_can_be_resolved(self, world):
        seen = set()
        stats = DatasetStats(world.task)
        names = [name for name in ALL if name not in ("group", "memorised")]

        @settings(max_examples=150, deadline=None, database=None, derandomize=True)
        @given(forget_sets(world.task.split, families=names, sizes=(1, 60)))
        def draw(request):
            seen.add(request.family)
            assert eval(repr(request)) == request
            for step in resolve(request, stats):
                assert 1 <= len(step) <= 300
                assert len(set(step.tolist())) == len(step)

        draw()
        assert seen == set(names)

    def test_it_shrinks_to_the_plainest_and_smallest(self, world):
        options = settings(database=None, derandomize=True, deadline=None)
        assert find(forget_sets(world.task.split), lambda r: r.size >= 17, settings=options) == ForgetRequest(
            "random", size=17
        )
        assert find(forget_sets(world.task.split), lambda _: True, settings=options) == ForgetRequest("random")

    def test_groups_are_asked_for_only_where_there_are_any(self, world):
        assert "group" not in available(None, groups=False)
        assert "group" in available(None, groups=True)
        with pytest.raises(ValueError, match="families must be some of random, .*, not nonsense"):
            forget_sets(world.task.split, families=["nonsense"])
        with pytest.raises(ValueError, match="sizes must be"):
            forget_sets(world.task.split, sizes=(9, 3))


@given(st.sampled_from(sorted(set(FAMILIES) - {"group", "memorised"})), st.integers(1, 400), st.integers(0, 9))
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
def test_a_family_gives_no_more_than_was_asked_for(world, family, size, seed):
    (positions,) = resolve(ForgetRequest(family, size=size, seed=seed), DatasetStats(world.task))
    assert family == "whole-class" or len(positions) <= min(size, 300)
