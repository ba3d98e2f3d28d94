"""Graph convolutional networks (Kipf and Welling 2017) over the blogs, and what they are trained on.

Blogs have no features: each has an embedding of its own, drawn at random and trained with the rest, so that what a
network learned about a blog is in its own row, in the rows of its neighbours and in the layers behind. A network hears
only those links that it was trained on; whom nobody trained on may be asked about, but speaks to nobody. So it is asked
about deleted and about never seen blogs alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from examples.graph.polblogs import Blogs, polblogs


class GraphNetwork(nn.Module):
    """Two convolutions; `heard` says along which links messages pass, in either direction.

    Attributes:
        edges: shape (2, 2 links), from and to, each link in both directions.
        heard: shape (2 links,), a mask.
        after: what follows each convolution, nothing at first; where GNNDelete puts its operators.
    """

    def __init__(self, blogs: Blogs, *, width: int = 32, outputs: int = 2) -> None:
        super().__init__()
        links = torch.as_tensor(blogs.links)
        self.register_buffer("edges", torch.cat([links, links.flip(0)], dim=1))
        self.register_buffer("heard", torch.zeros(self.edges.shape[1], dtype=torch.bool))
        self.embedding = nn.Parameter(0.1 * torch.randn(len(blogs), width))
        self.readout = nn.Linear(width, outputs)
        self.after = nn.ModuleList([nn.Identity(), nn.Identity()])

    edges: Tensor
    heard: Tensor

    def layers(self) -> tuple[Tensor, Tensor]:
        """Compute every blog's representation after each convolution."""
        hidden = self.after[0](torch.relu(self.pass_messages(self.embedding)))
        return hidden, self.after[1](self.pass_messages(self.readout(hidden)))

    def pass_messages(self, values: Tensor) -> Tensor:
        """Average each blog with those it hears, weighted by 1 / sqrt(d_i d_j)."""
        source, target = self.edges[:, self.heard]
        degree = 1 + torch.bincount(target, minlength=len(values)).to(values)
        weight = (degree[source] * degree[target]).rsqrt()[:, None]
        return (values / degree[:, None]).index_add(0, target, weight * values[source])


class SideClassifier(GraphNetwork):
    """Say on which side a blog stands: (examples, 1) numbers of blogs to (examples, 2) logits."""

    def forward(self, blogs: Tensor) -> Tensor:
        """Answer for the blogs that are asked about."""
        return self.layers()[1][blogs[:, 0]]

    def hear(self, blogs: Iterable[int]) -> None:
        """Hear these blogs and no others."""
        self.heard = torch.isin(self.edges[0], _numbers(blogs))

    def forget_links(self, blogs: Any) -> None:
        """Take deleted blogs out of the graph; the weights stay."""
        self.heard = self.heard & ~torch.isin(self.edges[0], _numbers(blogs))


class LinkPredictor(GraphNetwork):
    """Say whether two blogs link: (examples, 2) pairs of numbers to (examples, 2) logits."""

    def __init__(self, blogs: Blogs, *, width: int = 32) -> None:
        super().__init__(blogs, width=width, outputs=width)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, pairs: Tensor) -> Tensor:
        """Answer for the pairs that are asked about."""
        found = self.layers()[1]
        score = (found[pairs[:, 0]] * found[pairs[:, 1]]).sum(1) + self.offset
        return torch.stack([-score / 2, score / 2], dim=1)

    def hear(self, pairs: Any) -> None:
        """Hear these links and no others."""
        self.heard = self._among(pairs)

    def forget_links(self, pairs: Any) -> None:
        """Take deleted links out of the graph; the weights stay."""
        self.heard = self.heard & ~self._among(pairs)

    def _among(self, pairs: Any) -> Tensor:
        low, high = _numbers(pairs).reshape(-1, 2).sort(dim=1).values.T
        ours = self.edges.sort(dim=0).values
        return torch.isin(ours[0] * len(self.embedding) + ours[1], low * len(self.embedding) + high)


@dataclass(frozen=True)
class GraphRecipe:
    """Train on the blogs, or the pairs of blogs, of a dataset, all in one batch, with Adam.

    kind: `SideClassifier` or `LinkPredictor`. A recipe of this form can be told from another by its values, so that
        what it trained is found again.
    """

    kind: type[SideClassifier] | type[LinkPredictor]
    epochs: int = 200
    learning_rate: float = 0.01

    def build(self) -> SideClassifier | LinkPredictor:
        """Make the network, untrained."""
        return self.kind(polblogs())

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a network that hears what is in the dataset."""
        torch.manual_seed(seed)
        network = self.build()
        x, y = examples(dataset)
        network.hear(x[y == 1] if self.kind is LinkPredictor else x)
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
        for _ in range(self.epochs):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
        return network.eval()


def examples(dataset: Any) -> tuple[Tensor, Tensor]:
    """Collect the numbers of blogs and the labels of a dataset."""
    pairs = [dataset[i] for i in range(len(dataset))]
    x, y = (np.array([np.asarray(pair[k]) for pair in pairs]) for k in (0, 1))
    return torch.as_tensor(x), torch.as_tensor(y, dtype=torch.int64)


def _numbers(blogs: Any) -> Tensor:
    return torch.as_tensor(np.asarray(blogs), dtype=torch.int64)
