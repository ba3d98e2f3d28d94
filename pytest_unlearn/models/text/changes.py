"""Mild changes of a language model, which bring hidden knowledge back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.data.text.encoding import Encoded
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.text.adapters import logits_of
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


@dataclass(frozen=True)
class TrainedFurther:
    """Some more steps on documents.

    documents: what is trained on. Sources: Hu et al. 2024 (arXiv 2406.13356), Deeb and Roger 2024 (arXiv 2410.08827).
    """

    documents: Encoded
    descent: Descent
    seed: int = 0

    def __call__(self, model: Any) -> None:
        """Train in place."""
        device = str(next(model.parameters()).device)
        with isolated(self.seed):
            descend(replace(self.descent, device=device), model, self.documents.sequences)


@dataclass(frozen=True)
class AfterText:
    """Some other text before everything, which the answers leave out.

    A filter that knows how a document begins does not know it there. prefix: token ids, at least one.
    """

    prefix: Sequence[int]

    def __post_init__(self) -> None:
        """Hold the ids as a tuple, so that equal changes are one."""
        object.__setattr__(self, "prefix", tuple(self.prefix))

    def __call__(self, model: Any) -> Any:
        """Return a module that is told the prefix first."""
        import torch

        module = is_module(model)

        class Told(torch.nn.Module):
            def __init__(self, inner: Any, before: torch.Tensor) -> None:
                super().__init__()
                self.inner, self.before = inner, before

            def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
                first = self.before.to(input_ids.device).expand(len(input_ids), -1)
                whole = torch.cat([first, input_ids], dim=1)
                mask = torch.cat([torch.ones_like(first), attention_mask], dim=1)
                answer = self.inner(input_ids=whole, attention_mask=mask) if module else self.inner(whole, mask)
                return logits_of(answer, whole)[:, first.shape[1] :]

        return Told(model, torch.tensor(list(self.prefix), dtype=torch.int64))


@dataclass(frozen=True)
class MergedAdapters:
    """Adapters merged into the weights they adapt; a model without any stays as it is."""

    def __call__(self, model: Any) -> Any:
        """Return the merged model, None if there is nothing to merge."""
        return model.merge_and_unload() if has_adapters(model) else None


@dataclass(frozen=True)
class Sampled:
    """No change: what samples give back is looked for.

    samples: how many continuations are drawn at each place. run: tokens that have to come back.
    """

    samples: int = 100
    run: int = 8

    def __call__(self, model: Any) -> None:
        """Leave the model as it is."""


@dataclass(frozen=True)
class Rewritten:
    """No change of the model, but of every document that it is asked about.

    function: from a document, as it was given, to its paraphrase.
    """

    function: Callable[[Any], Any]

    def __call__(self, model: Any) -> None:
        """Leave the model as it is."""


def has_adapters(model: Any) -> bool:
    """Tell whether a model has adapters of peft, which can be merged."""
    return callable(getattr(model, "merge_and_unload", None))


def changed(model: Any, change: Any) -> Any:
    """Return a changed copy of a model.

    Args:
        model: an nn.Module.
        change: `change(copy)`, in place or returning another model.
    """
    copy = deepcopy(model)
    made = change(copy)
    return (copy if made is None else made).eval()
