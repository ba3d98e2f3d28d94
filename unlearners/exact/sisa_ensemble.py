"""Hold the model that SISA trains, and what a later deletion needs."""

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot

from unlearners._core.distillation import class_logits

# As a probability; the share of a class without votes, which has no logarithm.
FLOOR = 1e-12


class Checkpoint(nn.Module):
    """Freeze a model as it was, out of reach of further training."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = deepcopy(model)
        self.trainable = [name for name, weight in model.named_parameters() if weight.requires_grad]
        self.modes = {name: module.training for name, module in model.named_modules()}
        self.model.requires_grad_(False)

    def restore(self) -> nn.Module:
        """Make a copy to continue from, with the flags and freezing of that moment."""
        model = deepcopy(self.model)
        for name, weight in model.named_parameters():
            weight.requires_grad_(name in self.trainable)
        for name, module in model.named_modules():
            module.training = self.modes[name]
        return model


class Shard(nn.Module):
    """Hold the model of one shard, with its slices.

    slices: for each slice the digests of its examples, in order.
    seeds: what each slice was trained with.
    checkpoints: the model after each slice but the last, after which it is `model`.
    """

    def __init__(
        self, slices: list[list[str]], seeds: list[int], checkpoints: Iterable[Checkpoint], model: nn.Module
    ) -> None:
        super().__init__()
        self.slices, self.seeds = slices, seeds
        self.checkpoints, self.model = nn.ModuleList(checkpoints), model

    def before(self, first: int) -> list[Checkpoint]:
        """List the checkpoints from before a slice, one for each earlier slice."""
        return [cast(Checkpoint, self.checkpoints[i]) for i in range(first)]

    def forward(self, x: Tensor) -> Tensor:
        """Give one logit a class: a single logit z becomes (0, z)."""
        return class_logits(self.model(x))


class SisaEnsemble(nn.Module):
    """Aggregate members that were trained apart: by mean probability or vote.

    The output is a logarithm of probabilities, hence logits: log mean softmax, or the log of the shares of votes.
    The checkpoints and digests are for the owner's later deletions; whom the model is given to needs only the members.
    """

    def __init__(self, shards: dict[str, Shard], aggregation: str) -> None:
        super().__init__()
        self.shards, self.aggregation = nn.ModuleDict(shards), aggregation

    def members(self) -> dict[str, Shard]:
        """List the shards by name; one that became empty is gone."""
        return {name: cast(Shard, shard) for name, shard in self.shards.items()}

    def forward(self, x: Tensor) -> Tensor:
        """Give logits, shape (examples, classes)."""
        logits = [shard(x) for shard in self.shards.values()]
        return log_mean_softmax(logits) if self.aggregation == "mean" else log_votes(logits)


def log_mean_softmax(members: Sequence[Tensor]) -> Tensor:
    """Log the mean of the members' probabilities."""
    stacked = torch.stack([log_softmax(logits, dim=1) for logits in _same(members)])
    return stacked.logsumexp(0) - math.log(len(members))


def log_votes(members: Sequence[Tensor]) -> Tensor:
    """Log the share of members that vote for each class, at least FLOOR."""
    votes = torch.stack([one_hot(logits.argmax(1), logits.shape[1]) for logits in _same(members)])
    shares = votes.to(members[0].dtype).mean(0)
    return shares.clamp_min(max(FLOOR, torch.finfo(shares.dtype).tiny)).log()


def _same(members: Sequence[Tensor]) -> Sequence[Tensor]:
    widths = sorted({logits.shape[1] for logits in members})
    if len(widths) > 1:
        raise ValueError(
            f"The members of the ensemble give {widths} logits: the recipe must build one for each class of the task, "
            "as a shard may lack examples of some."
        )
    return members
