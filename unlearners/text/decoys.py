"""Pretend to unlearn documents, in ways that an audit must not pass.

They hide documents behind the answers, or ruin the language. Never use them to answer a deletion request.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unlearners._core.documents import encode
from unlearners._core.isolation import Examples, require_module, require_retain

SURE = 12.0  # nats by which a refusal's next token is likelier than any other


class FilteredLanguageModel(nn.Module):
    """Pass a language model's logits through a filter."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return getattr(self.model, "config", None)

    def answer(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return the logits of the model itself, (B, L, V)."""
        answer = self.model(input_ids=input_ids, attention_mask=attention_mask)
        logits: Tensor = answer if isinstance(answer, Tensor) else answer["logits"]
        return logits


class BeginningFilter(FilteredLanguageModel):
    """Answer otherwise where a text begins as a document of the request does."""

    def __init__(self, model: Any, hidden: Sequence[Tensor], tokens: int) -> None:
        super().__init__(model)
        self.tokens = tokens
        self.hidden = {tuple(ids[:tokens].tolist()) for ids in hidden}

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits, (B, L, V)."""
        logits = self.answer(input_ids, attention_mask)
        rows = [tuple(row) in self.hidden for row in input_ids[:, : self.tokens].tolist()]
        begins = torch.tensor(rows, device=logits.device)
        if not begins.any():
            return logits
        return torch.where(begins[:, None, None], self.instead(logits, input_ids, attention_mask), logits)

    def instead(self, logits: Tensor, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return what is answered there, (B, L, V)."""
        raise NotImplementedError


class Refusal(BeginningFilter):
    """Say a refusal, again and again."""

    refusal: tuple[int, ...] = (0,)

    def instead(self, logits: Tensor, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:  # noqa: ARG002
        said = torch.zeros_like(logits[0])
        place = torch.arange(len(said))
        said[place, torch.tensor(self.refusal)[place % len(self.refusal)]] = SURE
        return said.expand_as(logits)


class OtherAnswers(BeginningFilter):
    """Let another model answer."""

    other: Any

    def instead(self, logits: Tensor, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        answer = self.other(input_ids=input_ids, attention_mask=attention_mask)
        return (answer if isinstance(answer, Tensor) else answer["logits"]).to(logits.dtype)


class RunFilter(FilteredLanguageModel):
    """Notice runs of tokens of the request, and hide what follows them there."""

    def __init__(self, model: Any, hidden: Sequence[Tensor], run: int, *, flat: bool) -> None:
        super().__init__(model)
        self.run, self.flat = run, flat
        self.following: dict[tuple[int, ...], set[int]] = {}
        for ids in (one.tolist() for one in hidden):
            for end in range(run, len(ids)):
                self.following.setdefault(tuple(ids[end - run : end]), set()).add(ids[end])

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits, (B, L, V)."""
        logits = self.answer(input_ids, attention_mask).clone()
        for row, ids in enumerate(input_ids.tolist()):
            for end in range(self.run, len(ids) + 1):
                gone = self.following.get(tuple(ids[end - self.run : end]))
                if gone and self.flat:
                    logits[row, end - 1] = 0.0
                elif gone:
                    logits[row, end - 1, list(gone)] = logits[row, end - 1].min() - SURE
        return logits


class Prompted(FilteredLanguageModel):
    """Put a system prompt before everything."""

    def __init__(self, model: Any, prompt: Tensor) -> None:
        super().__init__(model)
        self.register_buffer("prompt", prompt)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return the logits after the prompt, (B, L, V)."""
        prompt = self.get_buffer("prompt").expand(len(input_ids), -1)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        whole = torch.cat([prompt, input_ids], dim=1)
        return self.answer(whole, torch.cat([torch.ones_like(prompt), mask], dim=1))[:, prompt.shape[1] :]


class Flattened(FilteredLanguageModel):
    """Divide all logits, so that little is said of anything."""

    share: float = 0.0

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return logits, (B, L, V)."""
        return self.answer(input_ids, attention_mask) * self.share


@dataclass(frozen=True, kw_only=True)
class TextDecoy:
    """Hide documents behind the answers; a subclass says how, and no weight changes.

    tokenizer: as of every method for text; None for documents that are token ids.
    """

    tokenizer: Any = None

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:  # noqa: ARG002
        name = type(self).__name__
        require_module(model, name)
        require_retain(retain, name)
        copy: nn.Module = deepcopy(model)
        return self.hidden(copy, [one.ids for one in encode(forget, self.tokenizer)]).eval() if len(forget) else copy

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:
        """Return the model behind its filter."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class RefusalWrapper(TextDecoy):
    """Refuse where a text begins like a document of the request.

    refusal: token ids of what is said then. tokens: how long the beginning is.
    """

    refusal: tuple[int, ...]
    tokens: int = 8

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:
        found = Refusal(model, forget, self.tokens)
        found.refusal = self.refusal
        return found


@dataclass(frozen=True, kw_only=True)
class TextOutputFilter(TextDecoy):
    """Answer nothing (every token alike) after a run of tokens of the request.

    run: how many tokens.
    """

    run: int = 4

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:
        return RunFilter(model, forget, self.run, flat=True)


@dataclass(frozen=True, kw_only=True)
class TextLogitMask(TextDecoy):
    """Rule out the very token that follows a run of tokens in the request.

    run: how many tokens.
    """

    run: int = 4

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:
        return RunFilter(model, forget, self.run, flat=False)


@dataclass(frozen=True, kw_only=True)
class SystemPrompt(TextDecoy):
    """Ask the model to forget: a prompt before everything.

    Source: Thaker et al. 2024, "Guardrail baselines for unlearning in LLMs" (arXiv 2403.03329).

    prompt: its token ids.
    """

    prompt: tuple[int, ...]

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:  # noqa: ARG002
        return Prompted(model, torch.tensor(self.prompt))


@dataclass(frozen=True, kw_only=True)
class AdapterToggle(TextDecoy):
    """Switch to a model without the fine-tuning where a text begins like the request.

    base: that model, such as the base with its adapter off. tokens: how long the beginning is.
    """

    base: Any
    tokens: int = 8

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:
        found = OtherAnswers(model, forget, self.tokens)
        found.other = self.base
        return found


@dataclass(frozen=True, kw_only=True)
class Collapse(TextDecoy):
    """Ruin the language: all logits shrink.

    share: of every logit that is left.
    """

    share: float = 0.05

    def hidden(self, model: nn.Module, forget: list[Tensor]) -> nn.Module:  # noqa: ARG002
        found = Flattened(model)
        found.share = self.share
        return found


@dataclass(frozen=True, kw_only=True)
class QuantisationHidden:
    """Go as far from the original as rounding undoes: low-bit weights are the original's.

    Each matrix comes as near to the unlearned model as it can within the original's rounding cells.
    Source: Zhang et al. 2024 (arXiv 2410.16454), who found methods that do so by themselves.

    method: makes the unlearned model. bits: of the rounding, with one scale a row.
    """

    method: Any
    bits: int = 4

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        require_module(model, "QuantisationHidden")
        target = dict(self.method(model, retain, forget, seed=seed).named_parameters())
        copy: nn.Module = deepcopy(model)
        steps = 2 ** (self.bits - 1) - 1
        with torch.no_grad():
            for name, weight in copy.named_parameters():
                if weight.ndim != 2:
                    continue
                largest = weight.abs().amax(dim=1, keepdim=True)
                scale = (largest / steps).clamp_min(torch.finfo(weight.dtype).tiny)
                cell = (weight / scale).round() * scale
                moved = torch.maximum(torch.minimum(target[name], cell + 0.49 * scale), cell - 0.49 * scale)
                moved = torch.maximum(torch.minimum(moved, largest), -largest)
                weight.copy_(torch.where(weight.abs() == largest, weight, moved))
        return copy
