"""Small networks of every make, and views of noise to ask them about."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from pytest_unlearn import Split, UnlearningTask


def noise_task(shape=(6,), n=30, classes=3, **kwargs):
    """Inputs that say nothing, for questions about networks alone."""
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(k, *shape)).astype(np.float32), np.arange(k) % classes) for k in (n, n))
    return UnlearningTask(Split(train, forget=np.arange(n // 2), test=test), references=0, **kwargs)


def seeded(build, seed=0):
    """A network whose weights only the seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def mlp(inputs=6, hidden=8, classes=3):
    """Two layers."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))


class Functional(nn.Module):
    """Activations as functions, layers registered in another order than they run."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)
        self.body = nn.Linear(6, 8)

    def forward(self, x):
        """Body, then head."""
        return self.head(torch.relu(self.body(x)))


class Shared(nn.Module):
    """One layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.enter, self.again, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        """Through `again` two times."""
        return self.head(torch.relu(self.again(torch.relu(self.again(torch.relu(self.enter(x)))))))


class Pair(nn.Module):
    """A part that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 8)

    def forward(self, x):
        """What it made, and what it was made of."""
        return torch.tanh(self.inner(x)), x


class WithPair(nn.Module):
    """A network with a part that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.pair, self.head = Pair(), nn.Linear(8, 3)

    def forward(self, x):
        """The first of the pair."""
        return self.head(self.pair(x)[0])


class Bare(nn.Module):
    """Weights without modules."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(6, 8)), nn.Parameter(torch.randn(8, 3))

    def forward(self, x):
        """Two layers by hand."""
        return torch.relu(x @ self.first) @ self.second


class TwoAnswers(nn.Module):
    """Logits, and something else."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, x):
        """A tuple."""
        return self.net(x), x.sum()


class Boxed(nn.Module):
    """Hides its network in a list, where torch does not find it."""

    def __init__(self, model):
        super().__init__()
        self.box = [model]

    def forward(self, x):
        """What the hidden network answers."""
        return self.box[0](x)


def convolutional():
    """Two convolutions with BatchNorm and Dropout, and a head."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(6 * 64, 3),
    )
