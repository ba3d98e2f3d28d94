from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from tests.methods.closed_forms import linear
from unlearners import SubspaceRemoval, Unsupported
from unlearners.class_removal.subspace_removal import projection


def split(data: TensorDataset, *classes: int) -> tuple[Subset, Subset]:
    gone = torch.isin(data.tensors[1], torch.tensor(classes))
    return Subset(data, (~gone).nonzero()[:, 0].tolist()), Subset(data, gone.nonzero()[:, 0].tolist())


def rows(part: Subset) -> torch.Tensor:
    return torch.stack([x for x, _ in part])


def weighed(x: torch.Tensor, alpha: float) -> torch.Tensor:
    """The paper's formula, by the singular values of the examples."""
    u, s, _ = torch.linalg.svd(x.T, full_matrices=False)
    share = s**2 / (s**2).sum()
    return u @ torch.diag(alpha * share / ((alpha - 1) * share + 1)) @ u.T


@pytest.mark.parametrize("seed", range(3))
def test_the_weight_is_multiplied_by_the_papers_projection(seed, blobs):
    retain, forget = split(blobs(60, seed, dtype=torch.float64), 1)
    model = linear(seed)
    unlearned = SubspaceRemoval(retain_alpha=30, forget_alpha=5)(model, retain, forget, seed=seed)
    of_forget, of_retain, one = weighed(rows(forget), 5), weighed(rows(retain), 30), torch.eye(4, dtype=torch.float64)
    keep = one - of_forget + of_forget @ of_retain
    torch.testing.assert_close(unlearned.weight, model.weight @ keep.T, rtol=0, atol=1e-12)
    assert torch.equal(unlearned.bias, model.bias)


def test_by_hand_what_both_sides_use_is_spared_and_what_the_class_alone_uses_is_damped():
    """The class uses two axes alike, shares 1/2: 3/2 / (2/2 + 1) = 3/4 of each, of which retain spares its axis."""
    axes, model = torch.eye(3, dtype=torch.float64), nn.Linear(3, 3).double()
    x = torch.cat([axes[:1].repeat(10, 1), axes[:2].repeat(10, 1)])
    data = TensorDataset(x, torch.tensor([0] * 10 + [1] * 20))
    retain, forget = split(data, 1)
    unlearned = SubspaceRemoval(retain_alpha=7, forget_alpha=3)(model, retain, forget, seed=3)
    kept = torch.tensor([1, 0.25, 1], dtype=torch.float64)
    torch.testing.assert_close(unlearned.weight, model.weight * kept, rtol=0, atol=1e-10)
    torch.testing.assert_close(unlearned(rows(retain)), model(rows(retain)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 3, 100])
@pytest.mark.parametrize("seed", range(3))
def test_retained_images_that_share_no_direction_with_the_class_are_answered_as_before(seed, alpha):
    """A convolution and a linear layer, whose inputs of retained images are known to lie in other coordinates."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(2, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 2)).double().eval()
    with torch.no_grad():  # channel 0 reaches the first two maps alone, channel 1 the others
        model[0].weight[:2, 1] = model[0].weight[2:, 0] = 0
        model[0].bias.zero_()
    x = torch.randn(60, 2, 3, 3, dtype=torch.float64)
    x[:30, 1] = x[30:, 0] = 0
    retain, forget = split(TensorDataset(x, torch.arange(60) // 30), 1)
    unlearned = SubspaceRemoval(retain_alpha=alpha, forget_alpha=alpha)(model, retain, forget, seed=seed)
    torch.testing.assert_close(unlearned(x[:30]), model(x[:30]), rtol=0, atol=1e-10)
    moved = (unlearned[0].weight - model[0].weight)[:, 0]
    assert moved.abs().max() < 1e-10
    assert (unlearned(x[30:]) - model(x[30:])).norm() > 0.05 * model(x[30:]).norm()


def test_a_direction_of_the_forgotten_class_alone_is_no_longer_heard():
    torch.manual_seed(0)
    axes = torch.eye(4)
    x = torch.cat([axes[[i]] * (1 + torch.rand(20, 1)) for i in (0, 1, 2)])
    data, model = TensorDataset(x, torch.arange(3).repeat_interleave(20)), nn.Linear(4, 3, bias=False)
    retain, forget = split(data, 2)
    unlearned = SubspaceRemoval(retain_alpha=1e6, forget_alpha=1e6)(model, retain, forget, seed=3)
    torch.testing.assert_close(unlearned(rows(forget)), torch.zeros(20, 3), rtol=0, atol=1e-4)
    torch.testing.assert_close(unlearned(rows(retain)), model(rows(retain)), rtol=0, atol=1e-4)


def test_classes_go_one_after_another(blobs):
    data, model = blobs(60, 0, classes=4), nn.Linear(4, 4)
    retain, both = split(data, 1, 3)
    _, first = split(data, 1)
    _, second = split(data, 3)
    method = SubspaceRemoval()
    expected = method(method(model, retain, first, seed=3), retain, second, seed=3)
    torch.testing.assert_close(method(model, retain, both, seed=3).weight, expected.weight, rtol=0, atol=1e-6)


def test_all_alphas_one_is_the_plain_share():
    moment = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(projection(moment, 1.0), torch.diag(torch.tensor([0.75, 0.25], dtype=torch.float64)))


def test_only_whole_classes(blobs):
    with pytest.raises(Unsupported, match="SubspaceRemoval removes whole classes"):
        SubspaceRemoval()(nn.Linear(4, 3), blobs(30, 0), blobs(9, 1), seed=3)


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"retain_alpha": 0}, {"forget_alpha": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match="alphas are positive, samples"):
        SubspaceRemoval(**wrong)
