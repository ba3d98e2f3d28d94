"""Grant one request after another, as they would come in."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import ConcatDataset, Subset

from unlearners._core.isolation import Examples, Unlearner, require_module, require_retain
from unlearners._core.training import seeded
from unlearners.approximate.projected_gradient import ProjectedGradient
from unlearners.class_removal.whole_classes import labels


@dataclass(frozen=True, kw_only=True)
class InSequence:
    """Cut the forget set into requests, and unlearn each from what the last one left.

    Requests come one by one, and what has been asked for is gone when the next one comes, while what will be asked for
    is still retained: the update sequences of Neel, Roth and Sharifi-Malvajerdi 2021, "Descent-to-delete", on which
    Hoang et al. 2024 ("Learn to unlearn", with `ProjectedGradient`) compare class after class. A method that is right
    on one request may ruin the model in the course of many. No guarantee beyond the method's.

    method: the unlearner of each request.
    requests: how many, at least 1, of equal size, drawn by the seed; where there are fewer examples, one each.
    by_class: each class of the forget set is a request instead, in increasing order.

    Defaults: four requests in turn are the authors' of `ProjectedGradient` for random examples.
    """

    method: Unlearner = ProjectedGradient()  # noqa: RUF009 - frozen
    requests: int = 4
    by_class: bool = False

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ValueError(f"requests is a number of them, at least 1: {self}")

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_module(model, "InSequence")
        require_retain(retain, "InSequence")
        if len(forget) == 0:
            return deepcopy(model)
        parts = self.parts(forget, seed)
        for i, part in enumerate(parts):
            to_come = [example for later in parts[i + 1 :] for example in later]
            still: Any = ConcatDataset([retain, Subset(forget, to_come)]) if to_come else retain  # type: ignore[list-item, arg-type]
            model = self.method(model, still, Subset(forget, part), seed=seed + i)  # type: ignore[arg-type]
        return model

    def parts(self, forget: Examples, seed: int) -> list[list[int]]:
        """List the requests, each by its positions in the forget set."""
        if self.by_class:
            y = labels(forget)
            return [[i for i, label in enumerate(y) if label == one] for one in sorted({*y})]
        order = torch.randperm(len(forget), generator=seeded(seed))
        return [part.tolist() for part in order.tensor_split(self.requests) if len(part)]
