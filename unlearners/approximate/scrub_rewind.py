"""Stop SCRUB where the forget error looks like that of unseen data."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import answers, log_probabilities
from unlearners._core.examples import example_digests
from unlearners._core.isolation import Examples
from unlearners._core.training import Data, stack
from unlearners.approximate.scrub import SCRUB


@dataclass(frozen=True, kw_only=True)
class SCRUBRewind(SCRUB):
    """Run SCRUB, then rewind to where the forget error is that of unseen data.

    That is the checkpoint whose error on forget is nearest to the finished model's on data never trained on (SCRUB+R:
    Kurmanji et al. 2023). A forget error above that of unseen data gives the request away; SCRUB alone tends to
    overshoot. Checkpoints are taken after each epoch, so that training has at least one to offer. The reference error
    weighs the classes as the forget set does.

    validation: (x, y) examples of the forget set's classes that no model was trained on. They must not be the controls
    of an
        audit, which would then judge a model tuned on them: set them aside before training, as `reserve_controls` does.

    Errors: ValueError if validation holds a trained example, or none of a class of the forget set.

    Defaults: SCRUB's.
    """

    validation: Examples = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.validation) == 0:
            raise ValueError("validation must hold examples that no model was trained on; it is empty.")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        gone, unseen = stack(forget, model), stack(self.validation, model)
        seen = example_digests(stack(retain, model)) | example_digests(gone)
        if seen & example_digests(unseen):
            raise ValueError("validation holds examples of the retain or forget set: rewinding needs unseen ones.")
        missing = sorted({*gone[1].tolist()} - {*unseen[1].tolist()})
        if missing:
            raise ValueError(f"validation has no example of the forget set's classes {missing}.")
        checkpoints: list[tuple[dict[str, Any], float]] = []

        def keep() -> None:
            checkpoints.append((deepcopy(model.state_dict()), forget_error(model, gone)))

        self.distil(model, retain, forget, order, after_epoch=keep)
        if checkpoints:
            reference = reference_error(model, unseen, gone[1])
            model.load_state_dict(min(checkpoints, key=lambda c: abs(c[1] - reference))[0])


def wrong(model: nn.Module, data: Data) -> Tensor:
    """Mark misclassified examples, as 0 or 1."""
    predicted = log_probabilities(answers(deepcopy(model).eval(), data[0])).argmax(1)
    return (predicted != data[1]).double()


def forget_error(model: nn.Module, data: Data) -> float:
    """Return the share of misclassified examples."""
    return float(wrong(model, data).mean())


def reference_error(model: nn.Module, data: Data, like: Tensor) -> float:
    """Return the error on data, its classes weighted as in the labels `like`."""
    mistakes, labels = wrong(model, data), data[1]
    classes, counts = torch.unique(like, return_counts=True)
    errors = torch.stack([mistakes[labels == c].mean() for c in classes])
    return float((errors * counts).sum() / counts.sum())
