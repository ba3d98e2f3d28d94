"""Subtract the logits of an assistant that knows the request alone."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import log_softmax

from unlearners._core.isolation import Examples
from unlearners._core.language import Batch, TextMethod, check_positive, check_weights, lengths, logits_of, token_loss


def uniform_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Return the mean cross-entropy to the uniform law at learned tokens: log V at least.

    `logits` are (B, L - 1, V).
    """
    each = -log_softmax(logits, -1).mean(-1)
    return torch.where(batch.learned[:, 1:], each, torch.zeros_like(each)).sum() / lengths(batch).sum()


class AssistedModel(nn.Module):
    """Answer with the original's logits - weight * the assistant's."""

    def __init__(self, original: nn.Module, assistant: nn.Module, weight: float) -> None:
        super().__init__()
        self.original, self.assistant, self.weight = original, assistant, weight

    @property
    def config(self) -> Any:
        """The original's configuration."""
        return getattr(self.original, "config", None)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits, (B, L, V)."""
        answers = (m(input_ids=input_ids, attention_mask=attention_mask) for m in (self.original, self.assistant))
        own, other = (one if isinstance(one, Tensor) else one["logits"] for one in answers)
        return own - self.weight * other


@dataclass(frozen=True, kw_only=True)
class ULD(TextMethod):
    """Unlearning from logit difference: the model itself stays as it is.

    The assistant, a copy, learns the request and is made uniform on retained documents. Source: Ji et al. 2024,
    "Reversing the forget-retain objectives" (arXiv 2406.08607), whose assistant has fewer layers. The request is still
    in the original's weights: whoever gets these takes the assistant away.

    weight: of the assistant's logits.
    uniform_weight: of the loss on retained documents.

    Defaults: weight 0.75, uniform_weight 5, and 10 epochs of lr 1e-3; batches of 32.
    """

    epochs: int = 10
    lr: float = 1e-3
    weight: float = 0.75
    uniform_weight: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, weight=self.weight)
        check_weights(self, uniform_weight=self.uniform_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        assistant = deepcopy(model)

        def step(gone: Batch, kept: Batch) -> Tensor:
            return token_loss(assistant, gone) + self.uniform_weight * uniform_loss(logits_of(assistant, kept), kept)

        self.alternate(assistant, self.encoded(retain), self.encoded(forget), order, step)
        assistant.zero_grad(set_to_none=True)
        return AssistedModel(model, assistant.eval(), self.weight).eval()
