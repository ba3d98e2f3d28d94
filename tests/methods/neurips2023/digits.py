"""A small convolutional network that has memorised wrong labels: forgetting them is visible."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import TensorDataset


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


@lru_cache
def mislabelled(seed: int) -> tuple[nn.Sequential, TensorDataset, TensorDataset]:
    """A trained network, 200 digits to retain, and 20 digits with wrong labels to forget; it knows all of them."""
    digits, generator = load_digits(), torch.Generator().manual_seed(seed)
    x, y = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16 - 0.3, torch.tensor(digits.target)
    order = torch.randperm(len(y), generator=generator)
    kept, gone = order[:200], order[200:220]
    wrong = (y[gone] + torch.randint(1, 10, (20,), generator=generator)) % 10
    retain, forget = TensorDataset(x[kept], y[kept]), TensorDataset(x[gone], wrong)
    model = network(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x, y = (torch.cat(parts) for parts in zip(retain.tensors, forget.tensors, strict=True))
    for _ in range(200):
        for part in torch.randperm(220, generator=generator).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.train()(x[part]), y[part]).backward()
            optimizer.step()
        if (model.eval()(x).argmax(1) == y).all():
            break
    return model, retain, forget


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    x, y = data.tensors
    return (model(x).argmax(1) == y).double().mean().item()


def outcome(method: Any) -> tuple[float, float]:
    """Mean over five networks: accuracy of the unlearned one on the retain set, and on the memorised wrong labels."""
    found = []
    for seed in range(5):
        model, retain, forget = mislabelled(seed)
        unlearned = method(model, retain, forget, seed=seed)
        found.append((accuracy(unlearned, retain), accuracy(unlearned, forget)))
    kept, gone = np.mean(found, 0)
    return kept, gone


def changed(one: nn.Module, other: nn.Module) -> set[str]:
    """The names of the parameters and buffers that are not bit-identical."""
    theirs = other.state_dict()
    return {name for name, tensor in one.state_dict().items() if not torch.equal(tensor, theirs[name])}


def numbers(first: int, n: int) -> TensorDataset:
    """Inputs first, first + 1, ...; labels 0 and 1 in turn."""
    return TensorDataset(torch.arange(first, first + n).float()[:, None], torch.arange(n) % 2)


class Recorder(nn.Module):
    """Notes the numbers it is asked about while it trains, one list a batch."""

    seen: list[list[int]] = []  # noqa: RUF012 - of the class, so that copies share it

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2)
        Recorder.seen = []

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            Recorder.seen.append(x.flatten().int().tolist())
        logits: Tensor = self.linear(x)
        return logits
