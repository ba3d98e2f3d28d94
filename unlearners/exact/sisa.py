"""Train in shards and slices, isolated, and aggregate (SISA)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from inspect import signature
from itertools import chain
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import Subset

from unlearners._core.examples import digest
from unlearners._core.isolation import Examples, Unsupported, isolated, require_module
from unlearners._core.method import NetworkMethod
from unlearners._core.training import seeded
from unlearners.exact.sisa_ensemble import Checkpoint, Shard, SisaEnsemble


@dataclass(frozen=True)
class SISA(NetworkMethod):
    """Train one model a shard, and retrain only shards with a forget example.

    Source: Bourtoule et al. 2021. `train` deals the examples out at random to shards, and in each shard to slices. A
    shard's model is trained on its first slice, then on its first two, and so on, with a checkpoint after each; a
    deletion goes back to the checkpoint before the first slice that it touches. Which example is where is remembered by
    digests of (x, y), so retain and forget must together be the examples trained on, unchanged, in any order. If only
    some copies of an example are to be forgotten, those in the first shards leave.

    recipe: `recipe(dataset, *, seed) -> nn.Module`. It sees one shard, so it must build a logit for each class of the
        task, whatever the labels in it (or a single logit, if there are two classes). For several slices it must take
        `start=`: None, or a model to continue from, which it may change and return.
    shards, slices: how many. 5 and 1 are ours; Bourtoule et al. use 5 to 20 shards, and slices save at most a third of
        the time.
    aggregation: of the members, "vote" as in the paper, or "mean" of their probabilities, which keeps confidences.

    Exact: bit for bit what training from scratch gives on the same partition less the forget set, with the same seeds,
    if the recipe is deterministic given its seed. So the seed of a request has no effect, the other shards do not
    change, and an emptied slice or shard is dropped. This holds for requests made without a look at the models;
    Gupta et al. (2021) show that adaptive requests break it. As a recipe starts its own optimizer, no optimizer state
    passes from one slice to the next, and how many epochs a slice gets is the recipe's affair.
    """

    recipe: Callable[..., nn.Module]
    _: KW_ONLY
    shards: int = 5
    slices: int = 1
    aggregation: Literal["mean", "vote"] = "mean"

    def __post_init__(self) -> None:
        if self.shards < 1 or self.slices < 1:
            raise ValueError(f"shards and slices are at least 1: {self}")
        if self.aggregation not in ("mean", "vote"):
            raise ValueError(f'aggregation is "mean" or "vote": {self}')
        if self.slices > 1:
            _require_start(self.recipe)

    def train(self, dataset: Examples, *, seed: int) -> SisaEnsemble:
        """Train the ensemble on a random partition of the dataset."""
        if len(dataset) < self.shards * self.slices:
            raise ValueError(f"{len(dataset)} examples do not fill {self.shards} shards of {self.slices} slices each.")
        with isolated(seed):
            order, digests, shards = seeded(seed), _digests(dataset), {}
            parts = torch.randperm(len(digests), generator=order).tensor_split(self.shards)
            seeds = torch.randint(2**31, (self.shards, self.slices), generator=order).tolist()
            places = {key: i for i, key in enumerate(digests)}
            for i, part in enumerate(parts):
                slices = [[digests[j] for j in indices.tolist()] for indices in part.tensor_split(self.slices)]
                shards[str(i)] = self._shard(slices, seeds[i], [], dataset, places)
            return SisaEnsemble(shards, self.aggregation)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        if not isinstance(model, SisaEnsemble):
            raise Unsupported(
                f"SISA needs an ensemble from its own train(), not {type(model).__name__}: what was trained in one "
                "piece cannot be taken apart; Retrain(recipe) works for any model."
            )
        kept, gone = _digests(retain), _digests(forget)
        _require_partition(model, kept + gone)
        places, leaving = {key: i for i, key in enumerate(kept)}, Counter(gone)
        for name, shard in model.members().items():
            slices = [_without(part, leaving) for part in shard.slices]
            if slices == shard.slices:
                continue
            filled = [i for i, part in enumerate(slices) if part]
            if not filled:
                del model.shards[name]
                continue
            first = next(i for i, part in enumerate(slices) if part != shard.slices[i])
            seeds = [shard.seeds[i] for i in filled]
            model.shards[name] = self._shard([slices[i] for i in filled], seeds, shard.before(first), retain, places)
            # While a member trains the recipe decides what is frozen, afterwards the owner of the ensemble.
            frozen = {key for key, weight in shard.model.named_parameters() if not weight.requires_grad}
            for key, weight in model.members()[name].model.named_parameters():
                weight.requires_grad_(key not in frozen)

    def _shard(
        self,
        slices: list[list[str]],
        seeds: list[int],
        done: list[Checkpoint],
        dataset: Examples,
        places: dict[str, int],
    ) -> Shard:
        """Train on one slice after another, from the last checkpoint that is done.

        places: where in the dataset each digest is found; of several copies any one will do, as they are the same.
        """
        stages, indices = [*done], [[places[key] for key in part] for part in slices]
        for i in range(len(done), len(slices)):
            so_far: Subset[Any] = Subset(dataset, [*chain(*indices[: i + 1])])  # type: ignore[arg-type]
            stages.append(Checkpoint(self._fit(so_far, seeds[i], stages[-1].restore() if stages else None)))
        return Shard(slices, seeds, stages[:-1], stages[-1].restore())

    def _fit(self, dataset: Examples, seed: int, start: nn.Module | None) -> nn.Module:
        if start is not None:
            _require_start(self.recipe)
        with isolated(seed):
            model = self.recipe(dataset, seed=seed, **({"start": start} if _takes_start(self.recipe) else {}))
        require_module(model, "SISA")
        return model


def _digests(dataset: Examples) -> list[str]:
    """Identify each example by its type, shape, values and label."""
    pairs = (dataset[i] for i in range(len(dataset)))
    return [digest(x if isinstance(x, Tensor) else torch.tensor(x), torch.tensor(int(y))) for x, y in pairs]


def _without(digests: list[str], leaving: Counter[str]) -> list[str]:
    """List the digests that stay, and count off those that leave."""
    staying = []
    for key in digests:
        if leaving[key]:
            leaving[key] -= 1
        else:
            staying.append(key)
    return staying


def _require_partition(model: SisaEnsemble, given: list[str]) -> None:
    trained = Counter(key for shard in model.members().values() for part in shard.slices for key in part)
    missing, foreign = trained - Counter(given), Counter(given) - trained
    if missing or foreign:
        raise ValueError(
            f"SISA needs retain and forget to be together the {trained.total()} examples that the ensemble was trained "
            f"on: {missing.total()} of them are missing, and {foreign.total()} of those given were not among them. An "
            "example is known by its exact values, so random augmentation belongs in the recipe."
        )


def _takes_start(recipe: Callable[..., Any]) -> bool:
    return "start" in signature(recipe).parameters


def _require_start(recipe: Callable[..., Any]) -> None:
    if not _takes_start(recipe):
        raise ValueError(
            f"recipe must take start= (a model to continue from, None at first) for several slices: {recipe!r} does not"
        )
