"""Prefer a refusal to what the request says."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid

from unlearners._core.distillation import frozen_copy
from unlearners._core.documents import Tokens, encode, said_of
from unlearners._core.isolation import Examples
from unlearners._core.language import (
    Batch,
    TextMethod,
    check_positive,
    check_weights,
    device_of,
    padded,
    sequence_log_probability,
    token_loss,
)


def dpo_loss(refusal: Tensor, refusal_before: Tensor, answer: Tensor, answer_before: Tensor, beta: float) -> Tensor:
    """Compute -2/beta mean log sigmoid(beta (refusal's gain - answer's gain)).

    All are log-probabilities of whole completions, (B,), by the model and by the original ("before"); a gain is their
    difference. Source: Rafailov et al. 2023 (arXiv 2305.18290), eq. 7; times 2/beta, as in NPO, to which it reduces
    without a refusal.
    """
    gains = (refusal - refusal_before) - (answer - answer_before)
    return -2.0 / beta * logsigmoid(beta * gains).mean()


@dataclass(frozen=True, kw_only=True)
class DPORefusal(TextMethod):
    """Direct preference optimisation of "I don't know." over the answer.

    Source: Maini et al. 2024, TOFU (arXiv 2401.06121), section 3, preference optimisation; Zhang et al. 2024 (arXiv
    2404.05868). It needs documents with a prompt: prompts with completions, or chats. What it teaches is to refuse,
    which any other question may get around.

    refusals: completions that are preferred, in turn; a space begins one where it follows a space.
    beta, retain_weight: slope of the preference, and weight of the cross-entropy of retained documents.

    Defaults: beta 0.1, weight 1, 5 epochs of lr 1e-5 and batches of 32 as in the papers.
    """

    refusals: tuple[str, ...] = (" I don't know.", " I have no information about that.")
    beta: float = 0.1
    retain_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, beta=self.beta)
        check_weights(self, retain_weight=self.retain_weight)
        if not isinstance(self.refusals, tuple) or not self.refusals or not all(self.refusals):
            raise ValueError(f"refusals are texts, one at least and none of them empty: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        original, place = frozen_copy(model), device_of(model)
        pairs, kept = self._pairs(forget), self.forever(self.encoded(retain), order)

        def epoch() -> Iterator[Tensor]:
            for part in self.parts(pairs, order):
                answer, refusal = (padded([pair[side] for pair in part], place) for side in (0, 1))
                yield self.loss(model, original, answer, refusal, padded(next(kept), place))

        self.minimise(model, epoch)
        return model

    def loss(self, model: nn.Module, original: nn.Module, answer: Batch, refusal: Batch, kept: Batch) -> Tensor:
        """Compute the preference's loss and retain's."""
        with torch.no_grad():
            before = [sequence_log_probability(original, batch) for batch in (refusal, answer)]
        own = [sequence_log_probability(model, batch) for batch in (refusal, answer)]
        preference = dpo_loss(own[0], before[0], own[1], before[1], self.beta)
        return preference + self.retain_weight * token_loss(model, kept)

    def _pairs(self, forget: Examples) -> list[tuple[Tokens, Tokens]]:
        """Encode each answer, and the refusal in its place."""
        answers, refusals = [], []
        for k in range(len(forget)):
            said = said_of(forget[k], f"document {k}", self.tokenizer)
            if not said.prompt:
                raise ValueError(
                    f"document {k} of the request has no prompt, and a refusal answers one: pass prompts with "
                    "completions, or chats."
                )
            answers.append(said)
            refusals.append(said._replace(completion=self.refusals[k % len(self.refusals)]))
        return list(zip(*(map(self._cut, encode(side, self.tokenizer)) for side in (answers, refusals)), strict=True))

    def _cut(self, sequence: Tokens) -> Tokens:
        """Leave out the beginning of a prompt that is too long: a pair is two sequences."""
        start = max(0, len(sequence.ids) - (self.max_length or len(sequence.ids)))
        learned = sequence.learned[start:].clone()
        learned[0] = False
        return Tokens(sequence.ids[start:], learned)
