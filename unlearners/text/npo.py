"""Make the request less probable than it was, and stop there."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid

from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples
from unlearners._core.language import (
    Batch,
    TextMethod,
    check_positive,
    check_weights,
    sequence_log_probability,
    token_loss,
)


def npo_loss(own: Tensor, original: Tensor, beta: float) -> Tensor:
    """Compute -2/beta mean log sigmoid(-beta (own - original)).

    `own` and `original` are log-probabilities of whole sequences, (B,). 2/beta log 2 where they agree, near 0 where the
    model finds them far less probable: unlike ascent it is bounded. Source: eq. 3.
    """
    return -2.0 / beta * logsigmoid(-beta * (own - original)).mean()


@dataclass(frozen=True, kw_only=True)
class NPO(TextMethod):
    """Negative preference optimisation, with a loss on retained documents.

    Source: Zhang et al. 2024, "Negative preference optimization: from catastrophic collapse to effective unlearning"
    (arXiv 2404.05868).

    beta: how soon a sequence is let go; towards 0 it is gradient ascent.
    retain_weight: of the cross-entropy of retained documents.

    Defaults: beta 0.1, weight 1, 5 epochs of lr 1e-5 and batches of 32 are the authors' for TOFU.
    """

    beta: float = 0.1
    retain_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, beta=self.beta)
        check_weights(self, retain_weight=self.retain_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        original = frozen_copy(model)

        def step(gone: Batch, kept: Batch) -> Tensor:
            with torch.no_grad():
                before = sequence_log_probability(original, gone)
            loss = npo_loss(sequence_log_probability(model, gone), before, self.beta)
            return loss + self.retain_weight * token_loss(model, kept)

        self.alternate(model, self.encoded(retain), self.encoded(forget), order, step)
        return model
