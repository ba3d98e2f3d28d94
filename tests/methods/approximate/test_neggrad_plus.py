from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from unlearners import FineTune, NegGradPlus

Blobs = Callable[..., TensorDataset]


def gradients(model: nn.Linear, data: TensorDataset) -> tuple[Tensor, Tensor]:
    """Of the mean cross-entropy of a linear model, in weight and bias."""
    x, y = data.tensors
    residual = (torch.softmax(model(x), 1) - torch.eye(3, dtype=x.dtype)[y]).detach() / len(y)
    return residual.T @ x, residual.sum(0)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.95])
def test_one_step_is_the_closed_form(alpha: float, blobs: Blobs) -> None:
    retain, forget = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64)
    model = nn.Linear(4, 3).double()
    unlearned = NegGradPlus(alpha=alpha, epochs=1, lr=0.3, batch_size=30)(model, retain, forget, seed=3)
    for new, old, kept, gone in zip(
        unlearned.parameters(), model.parameters(), gradients(model, retain), gradients(model, forget), strict=True
    ):
        torch.testing.assert_close(new, old - 0.3 * (alpha * kept - (1 - alpha) * gone), rtol=0, atol=1e-12)


def test_with_alpha_one_it_is_fine_tuning_bit_for_bit(blobs: Blobs) -> None:
    retain, forget = blobs(30, 0), blobs(9, 1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    settings = {"epochs": 3, "lr": 0.1, "batch_size": 8, "weight_decay": 1e-3}
    tuned = FineTune(**settings, schedule="constant")(model, retain, forget, seed=3)
    limit, not_limit = (NegGradPlus(**settings, alpha=a)(model, retain, forget, seed=3) for a in (1.0, 0.9))
    for name, tensor in tuned.state_dict().items():
        assert torch.equal(limit.state_dict()[name], tensor)
    assert not torch.equal(not_limit[0].weight, tuned[0].weight)


def test_forget_batches_cycle_through_every_example() -> None:
    """Six retain batches and a forget set of two: each forget example is read three times in the epoch."""
    seen: list[int] = []

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            seen.extend(x.flatten().int().tolist())
            return self.linear(x)

    def numbers(first: int, n: int) -> TensorDataset:
        return TensorDataset(torch.arange(first, first + n).float()[:, None], torch.zeros(n, dtype=torch.long))

    NegGradPlus(epochs=1, lr=1e-9, batch_size=1)(Recorder(), numbers(0, 6), numbers(100, 2), seed=3)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 100, 100, 100, 101, 101, 101]


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_is_a_weight(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        NegGradPlus(alpha=alpha)
