"""Mild changes of a language model, which bring hidden knowledge back."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.data.text.encoding import TokenSequence
from pytest_unlearn.training.causal import Descent, descend
from pytest_unlearn.training.seeding import isolated


@dataclass(frozen=True)
class RoundedMatrices:
    """Weights rounded to a number of bits, with one scale a row.

    bits: 2 or more, the sign among them. Source: Zhang et al. 2024 (arXiv 2410.16454).
    """

    bits: int

    def __call__(self, model: Any) -> None:
        """Change the weights in place."""
        import torch

        steps = 2 ** (self.bits - 1) - 1
        with torch.no_grad():
            for weight in (one for one in model.parameters() if one.ndim == 2):
                scale = (weight.abs().amax(dim=1, keepdim=True) / steps).clamp_min(torch.finfo(weight.dtype).tiny)
                weight.copy_((weight / scale).round() * scale)


@dataclass(frozen=True, eq=False)
class TrainedFurther:
    """Some more steps on documents.

    sequences: what is trained on. Sources: Hu et al. 2024 (arXiv 2406.13356), Deeb and Roger 2024 (arXiv 2410.08827).
    """

    sequences: Sequence[TokenSequence]
    descent: Descent
    seed: int = 0

    def __call__(self, model: Any) -> None:
        """Train in place."""
        device = str(next(model.parameters()).device)
        with isolated(self.seed):
            descend(replace(self.descent, device=device), model, self.sequences)


@dataclass(frozen=True, eq=False)
class AfterText:
    """Some other text before everything, which the answers leave out.

    A filter that knows how a document begins does not know it there. prefix: token ids, at least one.
    """

    prefix: Sequence[int]

    def __call__(self, model: Any) -> Any:
        """Return a module that is told the prefix first."""
        import torch

        class Told(torch.nn.Module):
            def __init__(self, inner: Any, before: torch.Tensor) -> None:
                super().__init__()
                self.inner, self.before = inner, before

            def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
                first = self.before.to(input_ids.device).expand(len(input_ids), -1)
                mask = torch.cat([torch.ones_like(first), attention_mask], dim=1)
                answer = self.inner(input_ids=torch.cat([first, input_ids], dim=1), attention_mask=mask)
                logits: torch.Tensor = answer if isinstance(answer, torch.Tensor) else answer["logits"]
                return logits[:, first.shape[1] :]

        return Told(model, torch.tensor(list(self.prefix), dtype=torch.int64))


def changed(model: Any, change: Any) -> Any:
    """Return a changed copy of a model.

    Args:
        model: an nn.Module.
        change: `change(copy)`, in place or returning another model.
    """
    copy = deepcopy(model)
    made = change(copy)
    return (copy if made is None else made).eval()
