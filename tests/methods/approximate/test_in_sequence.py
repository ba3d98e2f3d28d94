from __future__ import annotations

from itertools import chain

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from unlearners import InSequence, NoOp


class Spy:
    """A method that notes what it was asked for and what it was left with, and doubles the weights."""

    def __init__(self):
        self.asked, self.left, self.seeds = [], [], []

    def __call__(self, model, retain, forget, *, seed):
        self.asked.append([int(forget[i][0][0]) for i in range(len(forget))])
        self.left.append([int(retain[i][0][0]) for i in range(len(retain))])
        self.seeds.append(seed)
        copy = NoOp()(model, retain, forget, seed=seed)
        with torch.no_grad():
            copy.weight.mul_(2)
        return copy


def numbered(first, labels):
    x = torch.zeros(len(labels), 4)
    x[:, 0] = torch.arange(first, first + len(labels))
    return TensorDataset(x, torch.tensor(labels))


RETAIN, FORGET = numbered(0, [0, 1]), numbered(10, [2, 1, 2, 1, 1, 0])


@pytest.mark.parametrize("seed", range(3))
def test_each_request_comes_to_what_the_last_one_left(seed):
    spy, model = Spy(), nn.Linear(4, 3)
    unlearned = InSequence(method=spy, requests=3)(model, RETAIN, FORGET, seed=seed)
    assert torch.equal(unlearned.weight, 8 * model.weight)
    assert [len(asked) for asked in spy.asked] == [2, 2, 2]
    assert sorted(chain(*spy.asked)) == [10, 11, 12, 13, 14, 15]
    for i in range(3):  # what is asked for later is still there
        assert sorted(spy.left[i]) == [0, 1, *sorted(chain(*spy.asked[i + 1 :]))]
    assert spy.seeds == [seed, seed + 1, seed + 2]


def test_class_after_class():
    spy = Spy()
    InSequence(method=spy, by_class=True)(nn.Linear(4, 3), RETAIN, FORGET, seed=0)
    assert spy.asked == [[15], [11, 13, 14], [10, 12]]


def test_requests_are_drawn_by_the_seed_and_none_is_empty():
    asked = []
    for seed in (0, 0, 1):
        spy = Spy()
        InSequence(method=spy, requests=99)(nn.Linear(4, 3), RETAIN, FORGET, seed=seed)
        asked.append(spy.asked)
    assert [len(one) for one in asked[0]] == [1] * 6
    assert asked[0] == asked[1] != asked[2]


def test_the_number_of_requests_is_checked():
    with pytest.raises(ValueError, match="requests"):
        InSequence(requests=0)
