"""Take back the training steps that the forget set had a part in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import flat, unflatten
from unlearners._core.examples import digest
from unlearners._core.isolation import Examples, Unsupported, isolated
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Training, batches, seeded, stack


class LoggedModel(nn.Module):
    """Wrap a network with its training's log: batches, and what steps changed.

    network: answers for the model.
    updates: a row for each step, the change of all parameters, zero once it was taken back; the last row is the change
        by the latest repair.
    members: for each step the examples of its batch, as positions in `digests`.
    digests: a name for the contents of each example; empty for the forgotten ones.
    """

    updates: Tensor

    def __init__(self, network: nn.Module, updates: Tensor, members: list[list[int]], digests: list[str]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("updates", updates)
        self.members = members
        self.digests = digests

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)


@dataclass(frozen=True, kw_only=True)
class Amnesiac(NetworkMethod, Training):
    """Subtract the updates of batches that held a forgotten example, then repair.

    Source: Graves, Nagisetty and Ganesh 2021, "Amnesiac machine learning". `train` makes the model and logs the update
    of every step in it; only such a model can be unlearned. The log is part of the model, with one copy of the
    parameters a step, so it suits short trainings of small networks. A request takes back the repair of the one before
    as well, so the weights are always the initial ones plus the log, several requests come to the same as one for all,
    and nothing of the forgotten stays in the log. An example is identified by its contents: equal ones are forgotten
    together, and data that are augmented at random cannot be. No guarantee: later steps depended on those that are
    taken back, and with momentum or Adam a step carries earlier batches along. BatchNorm's running statistics are not
    parameters; only the repair, which reads retain data alone, renews them.

    build: makes the untrained network.
    epochs, lr, ...: of the training and, but for the number of epochs, of the repair.
    repair_epochs: passes over the retain set after a request.

    Defaults: 10 epochs of Adam with lr 1e-3 and batches of 64 are the authors' MNIST notebook; one epoch of repair is
    ours, as the paper states only that a small amount follows.
    """

    build: Callable[[], nn.Module] = field(kw_only=False)
    epochs: int = 10
    lr: float = 1e-3
    batch_size: int = 64
    optimizer: Literal["sgd", "adam"] = "adam"
    repair_epochs: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repair_epochs < 0:
            raise ValueError(f"repair_epochs must be at least 0: {self}")

    def train(self, dataset: Examples, *, seed: int) -> LoggedModel:
        """Train a new network on the dataset, with its log."""
        with isolated(seed):
            network = self.build().train()
            model = self.logged(network, stack(dataset, network), seeded(seed))
            model.zero_grad()
            return model.eval()

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        if not isinstance(model, LoggedModel):
            raise Unsupported(
                f"Amnesiac needs a model from its own train(), which holds the log of its training, not "
                f"{type(model).__name__}; NegGradPlus works on any network."
            )
        kept = stack(retain, model)
        take_back(model, forgotten(model, stack(forget, model)))
        before = parameters(model.network)
        repair = replace(self, epochs=self.repair_epochs)
        # Not of the model: what is kept for the case of divergence should not include the log.
        repair.minimise(model.network, lambda: self.losses(model.network, kept, order))
        model.updates[-1] = parameters(model.network) - before

    def logged(self, network: nn.Module, data: Data, order: Generator) -> LoggedModel:
        """Train, and log each step."""
        x, y = data
        names = [digest(a, b) for a, b in zip(x, y, strict=True)]
        positions = {name: i for i, name in enumerate(dict.fromkeys(names))}
        before, batch = parameters(network), torch.empty(0)
        updates: list[Tensor] = []
        members: list[list[int]] = []

        def epoch() -> Iterator[Tensor]:
            nonlocal batch
            for batch, _ in batches((torch.arange(len(y), device=y.device), y), self.batch_size, order):
                yield self.loss(network(x[batch]), y[batch])

        def note(_: float) -> None:
            nonlocal before
            after = parameters(network)
            updates.append(after - before)
            members.append(sorted({positions[names[i]] for i in batch.tolist()}))
            before = after

        self.minimise(network, epoch, after_step=note)
        if updates and not torch.equal(parameters(network), before):
            # Training diverged and went back over its last step.
            updates.pop()
            members.pop()
        return LoggedModel(network, torch.stack([*updates, torch.zeros_like(before)]), members, list(positions))


def parameters(network: nn.Module) -> Tensor:
    """Copy all parameters into one vector."""
    return flat(list(network.parameters())).detach()


def forgotten(model: LoggedModel, data: Data) -> set[int]:
    """Find the examples' positions in the log; one that is not there is an error."""
    listed = {name: i for i, name in enumerate(model.digests)}
    names = {digest(a, b) for a, b in zip(*data, strict=True)}
    unlisted = len(names - listed.keys())
    if unlisted:
        raise ValueError(
            f"{unlisted} of the {len(names)} examples to forget are not in the log of this model: it was never "
            "trained on them as they are given, or has already forgotten them."
        )
    return {listed[name] for name in names}


def take_back(model: LoggedModel, positions: set[int]) -> None:
    """Subtract and clear the updates of these examples' batches and the repair."""
    touched = [not positions.isdisjoint(batch) for batch in model.members]
    rows = torch.tensor([*touched, True], device=model.updates.device)
    total = model.updates[rows].double().sum(0).to(model.updates.dtype)
    weights = list(model.network.parameters())
    with torch.no_grad():
        for weight, part in zip(weights, unflatten(total, weights), strict=True):
            if weight.requires_grad:
                weight.sub_(part)
    model.updates[rows] = 0
    model.members = [[] if hit else batch for batch, hit in zip(model.members, touched, strict=True)]
    model.digests = ["" if i in positions else name for i, name in enumerate(model.digests)]
