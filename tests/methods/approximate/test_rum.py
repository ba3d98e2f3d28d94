from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, residual
from unlearners import FineTune, NoOp, Unsupported
from unlearners.approximate.rum import RUM, curvatures, losses


class Spy:
    """A method that notes which examples it was given, and moves the model."""

    def __init__(self):
        self.seen = []

    def __call__(self, model, retain, forget, *, seed):
        self.seen.append([float(forget[i][0][0]) for i in range(len(forget))])
        assert len(retain) == 30
        return NoOp()(model, retain, forget, seed=seed)


def numbered(n):
    x = torch.zeros(n, 4)
    x[:, 0] = torch.arange(n)
    return TensorDataset(x, torch.zeros(n, dtype=torch.long))


def test_groups_go_from_the_least_to_the_most_memorised(blobs):
    spy = Spy()
    method = RUM(methods=(spy, spy, spy), score=lambda _, data: -data[0][:, 0])
    method(nn.Linear(4, 3), blobs(30, 0), numbered(9), seed=3)
    assert spy.seen == [[8, 7, 6], [5, 4, 3], [2, 1, 0]]


def test_each_method_gets_the_model_of_the_one_before(blobs):
    retain, forget, model = blobs(30, 0, dtype=torch.float64), blobs(2, 1, dtype=torch.float64), linear(0)

    def double(model, retain, forget, *, seed):
        copy = NoOp()(model, retain, forget, seed=seed)
        with torch.no_grad():
            copy.weight.mul_(2)
        return copy

    unlearned = RUM(methods=(double, double, double))(model, retain, forget, seed=3)
    assert torch.equal(unlearned.weight, 4 * model.weight)  # of three groups one is empty


@pytest.mark.parametrize("seed", range(3))
def test_curvature_is_that_of_the_loss_in_the_input(seed, blobs):
    """For small steps |H v|^2, H = W' (diag p - p p') W, whose mean over signs is |H|^2."""
    model, (x, y) = linear(seed), blobs(6, seed, dtype=torch.float64).tensors
    torch.manual_seed(seed)
    found = curvatures(model, (x, y), step=1e-6, directions=1000) / 1e-12
    p = torch.softmax(model(x), 1).detach()
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    hessian = model.weight.T.detach() @ inner @ model.weight.detach()
    torch.testing.assert_close(found, hessian.square().sum((1, 2)), rtol=0.3, atol=0)


def test_the_loss_is_the_original_s(blobs):
    model, (x, y) = linear(0), blobs(6, 0, dtype=torch.float64).tensors
    expected = nn.functional.cross_entropy(model(x), y, reduction="none")
    torch.testing.assert_close(losses(model, (x, y)), expected.detach())
    assert residual(model(x), y).shape == (6, 3)


def test_by_default_it_is_neggrad_plus_three_times(blobs):
    settings = [(m.alpha, m.lr, m.epochs) for m in RUM().methods]
    assert settings == [(0.99, 0.01, 5), (0.97, 0.01, 5), (0.97, 0.001, 10)]
    retain, forget, model = blobs(30, 0), blobs(9, 1), nn.Linear(4, 3)
    expected, ranked = model, curvatures_of(model, forget)
    for method, group in zip(RUM().methods, ranked.tensor_split(3), strict=True):
        part = TensorDataset(*(t[group] for t in forget.tensors))
        expected = method(expected, retain, part, seed=3)
    assert torch.equal(RUM()(model, retain, forget, seed=3).weight, expected.weight)


def curvatures_of(model, data):
    torch.manual_seed(3)
    return curvatures(model, data.tensors).argsort(stable=True)


def test_tokens_need_another_score(blobs):
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    data = TensorDataset(torch.randint(5, (9, 2)), torch.arange(9) % 3)
    with pytest.raises(Unsupported, match="RUM with score"):
        RUM()(model, data, data, seed=3)
    RUM(methods=(FineTune(epochs=1),), score="loss")(model, data, data, seed=3)


@pytest.mark.parametrize("wrong", [{"methods": ()}, {"score": "luck"}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RUM(**wrong)
