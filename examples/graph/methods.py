"""Take blogs or links out of a trained network: GNNDelete, an influence step, and any method for networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from examples.graph.network import GraphNetwork, LinkPredictor, SideClassifier, examples
from unlearners._core.curvature import add, differentiable, total_gradient, trainable
from unlearners._core.method import NetworkMethod
from unlearners.influence.influence_function import InfluenceFunction


def cut(network: Any, forget: Any) -> None:
    """Take what is in the forget set out of the graph; the weights stay."""
    asked, labels = examples(forget)
    network.forget_links(asked[labels == 1] if isinstance(network, LinkPredictor) else asked)


@dataclass(frozen=True, kw_only=True)
class OnWhatIsLeft(NetworkMethod):
    """Take the forget set out of the graph, then run a method that knows nothing of graphs; None stops there."""

    method: Callable[..., nn.Module] | None = None

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> nn.Module:
        network = super().__call__(model, retain, forget, seed=seed)
        return network if self.method is None else self.method(network, retain, forget, seed=seed)

    def change(self, model: nn.Module, retain: Any, forget: Any, order: torch.Generator) -> None:
        cut(model, forget)


@dataclass(frozen=True, kw_only=True)
class GraphInfluence(InfluenceFunction):
    """Take the Newton step that a deletion asks for, with what it changes for the neighbours.

    Source: Wu et al. 2023, "GIF", equations 9 to 12. Deleting a blog takes a term out of the loss and changes the terms
    of whoever heard it: the step is H^-1 of the sum of gradients before, over everything on the whole graph, less the
    sum after, over what is retained on what is left of it. H is the Hessian on what is left. For a network that is at a
    minimum the first sum is zero; networks are not, and subtracting it keeps the step from training further.
    """

    damping: float = 0.1

    def change(self, model: nn.Module, retain: Any, forget: Any, order: torch.Generator) -> None:
        model.eval()
        kept, gone = examples(retain), examples(forget)
        with differentiable(model):
            before = sum(total_gradient(model, data, self.loss) for data in (kept, gone))
            cut(model, forget)
            pull = before - total_gradient(model, kept, self.loss)
            add(trainable(model), self.inverse_hessian_times(model, kept, pull) / len(kept[1]))


class DeletionOperator(nn.Module):
    """Multiply the representations of the blogs near a deletion by one matrix; the others pass."""

    def __init__(self, near: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("near", near)
        self.weight = nn.Parameter(torch.full((width, width), 1e-3))

    near: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """Apply it."""
        return torch.where(self.near[:, None], values @ self.weight, values)


@dataclass(frozen=True, kw_only=True)
class GNNDelete(NetworkMethod):
    """Learn an operator behind each convolution that makes deleted links look like any pair; weights stay.

    Source: Cheng et al. 2023, "GNNDelete", equations 3 to 7, layer by layer as in the authors' code. After a deletion,
    the two ends of a deleted link shall have the representations of two blogs drawn at random, as they were before
    (deleted edge consistency), and all other blogs within one and two steps those that they had before on what is left
    of the graph (neighbourhood influence). Deleting a blog deletes its links.

    balance: weight of the first against the second, between 0 and 1; 0.5 is the paper's.
    epochs, learning_rate: of Adam; ours.
    """

    balance: float = 0.5
    epochs: int = 200
    learning_rate: float = 0.01

    def change(self, model: nn.Module, retain: Any, forget: Any, order: torch.Generator) -> None:
        assert isinstance(model, SideClassifier | LinkPredictor)
        heard = model.heard.clone()
        cut(model, forget)
        links = model.edges[:, heard & ~model.heard]
        with torch.no_grad():
            wanted = model.layers()
        pairs = torch.randint(len(model.embedding), links.shape, generator=order)
        ends = torch.zeros(len(model.embedding), dtype=torch.bool).index_fill(0, links.flatten(), value=True)
        near = [_spread(ends, model.edges[:, heard], steps) for steps in (1, 2)]
        model.requires_grad_(False)
        model.after = nn.ModuleList(DeletionOperator(m, w.shape[1]) for m, w in zip(near, wanted, strict=True))
        for layer, operator in enumerate(model.after):
            self._fit(model, layer, operator, wanted[layer], links, pairs, near[layer] & ~ends)

    def _fit(
        self,
        model: GraphNetwork,
        layer: int,
        operator: nn.Module,
        wanted: Tensor,
        links: Tensor,
        pairs: Tensor,
        around: Tensor,
    ) -> None:
        optimizer = torch.optim.Adam(operator.parameters(), lr=self.learning_rate)
        for _ in range(self.epochs):
            found = model.layers()[layer]
            deleted = nn.functional.mse_loss(found[links], wanted[pairs])
            kept = nn.functional.mse_loss(found[around], wanted[around])
            optimizer.zero_grad()
            (self.balance * deleted + (1 - self.balance) * kept).backward()
            optimizer.step()
        operator.requires_grad_(False)


def _spread(blogs: Tensor, edges: Tensor, steps: int) -> Tensor:
    """Mark blogs and whoever is within some steps of them."""
    for _ in range(steps):
        blogs = blogs.index_fill(0, edges[1, blogs[edges[0]]], value=True)
    return blogs
