"""SSD and LFSSD: weights that matter to the forget set only are shrunk, all others are bit-identical."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, residual
from unlearners.approximate.lfssd import LFSSD
from unlearners.approximate.ssd import SSD


def fisher(model, x, y):
    """Mean over examples of the squared gradient of the cross-entropy of a linear model."""
    r = residual(model(x), y).detach().square()
    return torch.cat([(r.T @ x.square()).flatten(), r.sum(0)]) / len(y)


def sensitivity(model, x, _):
    """Mean over examples of the absolute gradient of |z|^2, which is 2 z_k x_j."""
    z = 2 * model(x).detach().abs()
    return torch.cat([(z.T @ x.abs()).flatten(), z.sum(0)]) / len(x)


CLOSED_FORMS = [(SSD, fisher), (LFSSD, sensitivity)]


def flat(model):
    return torch.cat([p.flatten() for p in model.parameters()]).detach()


@pytest.mark.parametrize(("alpha", "dampening"), [(1.0, 0.5), (1.2, 1.0), (1.0, 2.0), (0.8, 0.0)])
@pytest.mark.parametrize(("method", "importance"), CLOSED_FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_dampening_is_the_closed_form(seed, method, importance, alpha, dampening, blobs):
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = method(alpha=alpha, dampening=dampening)(model, retain, forget, seed=seed)
    everything = [torch.cat(pair) for pair in zip(retain.tensors, forget.tensors, strict=True)]
    of_all, of_forget = importance(model, *everything), importance(model, *forget.tensors)
    selected = of_forget > alpha * of_all
    factor = torch.where(selected, (dampening * of_all / of_forget).clamp(max=1), 1.0)
    assert 0 < selected.sum() < 15
    torch.testing.assert_close(flat(unlearned), flat(model) * factor, rtol=0, atol=1e-12)
    assert torch.equal(flat(unlearned)[~selected], flat(model)[~selected])


@pytest.mark.parametrize(("method", "importance"), CLOSED_FORMS)
def test_an_infinite_alpha_is_a_no_op(method, importance, blobs):
    x, y = blobs(9, 1).tensors
    x[:, 0] = 0
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    unlearned = method(alpha=math.inf)(model, blobs(30, 0), TensorDataset(x, y), seed=3)
    assert all(map(torch.equal, unlearned.state_dict().values(), model.state_dict().values()))


@pytest.mark.parametrize("method", [SSD, LFSSD])
def test_importance_is_of_single_examples_whatever_the_layers(method, blobs):
    """Networks that can be batched over examples and those that cannot get the same treatment."""
    torch.manual_seed(0)

    class Awkward(nn.Module):
        """Looks at its values, which cannot be batched over examples."""

        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x) if float(x.detach().sum()) > -1e9 else x

    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    retain, forget = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64)
    one, other = (method(alpha=1.0)(m, retain, forget, seed=3) for m in (net, Awkward(net)))
    torch.testing.assert_close(flat(one), flat(other), rtol=0, atol=1e-14)
    assert not torch.equal(flat(one), flat(net))


def test_loss_free_means_that_labels_are_never_read(blobs):
    (x, y), (gone, true), model = blobs(30, 0).tensors, blobs(9, 1).tensors, nn.Linear(4, 3)
    results = [
        LFSSD(alpha=1)(model, TensorDataset(x, (y + s) % 3), TensorDataset(gone, (true + s) % 3), seed=3)
        for s in (0, 1)
    ]
    assert torch.equal(results[0].weight, results[1].weight)
    with_labels = [
        SSD(alpha=1)(model, TensorDataset(x, (y + s) % 3), TensorDataset(gone, (true + s) % 3), seed=3) for s in (0, 1)
    ]
    assert not torch.equal(with_labels[0].weight, with_labels[1].weight)


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": math.nan}, {"dampening": -1}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SSD(**wrong)
