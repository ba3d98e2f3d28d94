from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.methods.closed_forms import linear, residual
from unlearners.approximate.assd import ASSD
from unlearners.approximate.ssd import SSD


def fisher(model, x, y):
    r = residual(model(x), y).detach().square()
    return torch.cat([(r.T @ x.square()).flatten(), r.sum(0)]) / len(y)


def flat(model):
    return torch.cat([p.flatten() for p in model.parameters()]).detach()


@pytest.mark.parametrize("dampening", [1.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_percentile_selects(seed, dampening, blobs):
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    kept, gone = fisher(model, *retain.tensors), fisher(model, *forget.tensors)
    ratio = (gone / ((30 * kept + 9 * gone) / 39)).numpy()
    threshold = np.percentile(ratio, 100 - math.log(1 + 100 * 9 / 39))
    factor = np.where(ratio > threshold, np.minimum(1, dampening / ratio), 1)
    assert (factor != 1).sum() == 1
    unlearned = ASSD(dampening=dampening)(model, retain, forget, seed=seed)
    torch.testing.assert_close(flat(unlearned), flat(model) * torch.tensor(factor), rtol=0, atol=1e-12)
    as_ssd = SSD(alpha=float(threshold), dampening=dampening)(model, retain, forget, seed=seed)
    torch.testing.assert_close(flat(unlearned), flat(as_ssd), rtol=0, atol=1e-12)


def test_a_larger_request_changes_more(blobs):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 200), torch.nn.ReLU(), torch.nn.Linear(200, 3))
    shares = []
    for n in (3, 60):
        unlearned = ASSD()(model, blobs(100, 0), blobs(n, 1), seed=3)
        shares.append((flat(unlearned) != flat(model)).double().mean().item())
    assert shares[0] < 0.02
    assert shares[0] < shares[1] < 0.05


def test_dampening_is_checked():
    with pytest.raises(ValueError, match="dampening"):
        ASSD(dampening=-1)
