"""A model of any kind is compared by what it is made of."""

from __future__ import annotations

from copy import copy, deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn.conformance.state_diff import contents, differing, hooks, shared


def changed(before, after) -> list[str]:
    return differing(contents(before), contents(after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64)),
        (torch.tensor([1.0]), torch.tensor([[1.0]])),
        (torch.tensor([1.0], dtype=torch.bfloat16), torch.tensor([2.0], dtype=torch.bfloat16)),
        (torch.tensor(1.0), torch.tensor(2.0)),
        (torch.eye(2).to_sparse(), (2 * torch.eye(2)).to_sparse()),
        (np.array([1, 2]), np.array([2, 1])),
        (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
        (1, 1.0),
        ([1, 2], [1]),
        ({1, 2}, {1, 3}),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (len, sum),
        (SimpleNamespace(a=1), SimpleNamespace(a=1, b=2)),
    ],
)
def test_a_difference_is_seen(before, after) -> None:
    assert changed({"part": [before]}, {"part": [after]})
    assert not changed({"part": [before]}, {"part": [deepcopy(before)]})


def test_what_is_not_a_number_equals_itself() -> None:
    assert not changed(
        [float("nan"), np.nan * np.ones(2), torch.full((2,), torch.nan)],
        [float("nan"), np.nan * np.ones(2), torch.full((2,), torch.nan)],
    )


def test_the_padding_of_records_is_not_looked_at() -> None:
    kind = np.dtype([("flag", "u1"), ("value", "f8")], align=True)
    a, b = np.zeros(3, kind), np.frombuffer(b"\xff" * (3 * kind.itemsize), kind).copy()
    b["flag"], b["value"] = 0, 0.0
    assert not changed(a, b)
    b["value"][1] = 1
    assert changed({"nodes": a}, {"nodes": b}) == ["nodes.value"]


def test_a_compiled_object_is_entered() -> None:
    x, y = np.arange(8.0).reshape(-1, 1), np.arange(8) % 2
    tree = DecisionTreeClassifier(random_state=0).fit(x, y)
    assert not changed(tree, deepcopy(tree))
    assert any(
        path.startswith("tree_.") for path in changed(tree, DecisionTreeClassifier(random_state=0).fit(x, 1 - y))
    )


def test_cycles_end() -> None:
    loop: list = [1]
    loop.append(loop)
    assert contents(loop).keys() == {"0"}


def test_shared_memory_is_found_through_views_and_nothing_else_is() -> None:
    model = nn.Linear(2, 2)
    twin = deepcopy(model)
    assert shared(model, twin) == []
    twin.row = model.weight.detach()[0]
    assert shared(model, twin) == ["row"]
    array = np.arange(4.0)
    assert shared({"a": array}, {"b": array[1:]}) == ["b"]
    tree = DecisionTreeClassifier().fit(np.arange(8.0).reshape(-1, 1), np.arange(8) % 2)
    assert shared(tree, deepcopy(tree)) == []
    assert "classes_" in shared(tree, copy(tree))


def test_hooks_of_every_kind_are_counted() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.register_forward_hook(print)
    model[0].register_forward_pre_hook(print)
    model[0].register_full_backward_hook(print)
    model[0].weight.register_hook(print)
    model[0].bias.register_post_accumulate_grad_hook(print)
    assert hooks(model) == {"the model (hooks)": 1, "0 (hooks)": 2, "0.weight (hooks)": 1, "0.bias (hooks)": 1}
