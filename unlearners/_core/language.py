"""Ask and train causal language models: what the methods for text share."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import log_softmax
from torch.nn.utils.rnn import pad_sequence

from unlearners._core.documents import Tokens, encode
from unlearners._core.isolation import Examples, require_retain, working_copy
from unlearners._core.training import Training, seeded


class Batch(NamedTuple):
    """Hold padded token ids and attention mask, (B, L), and which tokens are learned."""

    ids: Tensor
    mask: Tensor
    learned: Tensor


def padded(sequences: Sequence[Tokens], device: torch.device) -> Batch:
    """Pad sequences on the right."""
    ids = pad_sequence([one.ids for one in sequences], batch_first=True)
    mask = pad_sequence([torch.ones_like(one.ids) for one in sequences], batch_first=True)
    learned = pad_sequence([one.learned for one in sequences], batch_first=True)
    return Batch(ids.to(device), mask.to(device), learned.to(device))


def logits_of(model: nn.Module, batch: Batch) -> Tensor:
    """Return the logits of each next token, (B, L - 1, vocabulary)."""
    answer = model(input_ids=batch.ids, attention_mask=batch.mask)
    logits: Tensor = answer if isinstance(answer, Tensor) else answer["logits"]
    return logits[:, :-1]


def log_probabilities(logits: Tensor, batch: Batch) -> Tensor:
    """Return the log-probability of each learned token, 0 for others, (B, L - 1)."""
    chosen = log_softmax(logits, -1).gather(-1, batch.ids[:, 1:, None])[..., 0]
    return torch.where(batch.learned[:, 1:], chosen, torch.zeros_like(chosen))


def sequence_log_probability(model: nn.Module, batch: Batch) -> Tensor:
    """Return the log-probability of what is learned of each sequence, (B,)."""
    return log_probabilities(logits_of(model, batch), batch).sum(1)


def lengths(batch: Batch) -> Tensor:
    """Count the learned tokens of each sequence, (B,)."""
    return batch.learned[:, 1:].sum(1)


def token_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross-entropy of a learned token."""
    return -sequence_log_probability(model, batch).sum() / lengths(batch).sum()


def token_divergence(teacher: Tensor, student: Tensor, batch: Batch) -> Tensor:
    """Return the mean KL(teacher || student) at a learned token, of logits (B, L - 1, V)."""
    target, own = log_softmax(teacher, -1), log_softmax(student, -1)
    each = (target.exp() * (target - own)).sum(-1)
    return torch.where(batch.learned[:, 1:], each, torch.zeros_like(each)).sum() / lengths(batch).sum()


Step = Callable[[Batch, Batch], Tensor]
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class TextMethod:
    """Change a copy of a causal language model; a subclass implements `change`.

    Documents are strings, prompts with completions, chats or token ids, of which a step takes as many from retain as
    from forget; an epoch is one pass over the forget set. Adam; where it diverges, the last finite weights are kept.

    tokenizer: of transformers or tokenizers, or a function from a text to ids; None for documents that are ids.
    epochs, lr, batch_size: passes, learning rate, and sequences a step of either set.
    max_length: tokens a sequence; longer documents are cut.
    """

    tokenizer: Any = None
    epochs: int = 5
    lr: float = 1e-5
    batch_size: int = 32
    max_length: int | None = None

    def __post_init__(self) -> None:
        Training(epochs=self.epochs, lr=self.lr, batch_size=self.batch_size)  # which checks them
        if self.max_length is not None and self.max_length < 2:
            raise ValueError(f"max_length is 2 tokens or more: {self}")

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        name = type(self).__name__
        require_retain(retain, name)
        with working_copy(model, seed, name) as copy:
            return self.change(copy, retain, forget, seeded(seed)) if len(forget) else copy

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        """Unlearn, from train mode and a forget set that is not empty; return the model."""
        raise NotImplementedError

    def encoded(self, documents: Examples) -> list[Tokens]:
        """Encode documents by the method's tokenizer."""
        return encode(documents, self.tokenizer, self.max_length)

    def alternate(
        self, model: nn.Module, kept: list[Tokens], gone: list[Tokens], order: Generator, step: Step, **settings: Any
    ) -> None:
        """Minimise `step(forget batch, retain batch)` over epochs of the forget set."""
        place, others = device_of(model), self.forever(kept, order)

        def epoch() -> Iterator[Tensor]:
            for part in self.parts(gone, order):
                yield step(padded(part, place), padded(next(others), place))

        self.minimise(model, epoch, **settings)

    def minimise(self, model: nn.Module, epoch: Callable[[], Iterable[Tensor]], **settings: Any) -> None:
        """Step on every loss of `epoch()`."""
        Training(epochs=self.epochs, lr=self.lr, optimizer="adam").minimise(model, epoch, **settings)

    def learn(self, model: nn.Module, documents: list[Tokens], order: Generator, *, sign: float = 1.0) -> None:
        """Train a model on documents, as one is trained at first; with sign -1, ascend."""
        place = device_of(model)

        def epoch() -> Iterator[Tensor]:
            for part in self.parts(documents, order):
                yield sign * token_loss(model, padded(part, place))

        self.minimise(model, epoch)

    def parts(self, sequences: list[Item], order: Generator) -> Iterator[list[Item]]:
        """Yield the batches of one shuffled epoch."""
        shuffled = torch.randperm(len(sequences), generator=order).tolist()
        for start in range(0, len(sequences), self.batch_size):
            yield [sequences[k] for k in shuffled[start : start + self.batch_size]]

    def forever(self, sequences: list[Item], order: Generator) -> Iterator[list[Item]]:
        """Yield batches of one shuffled epoch after another, without end."""
        while True:
            yield from self.parts(sequences, order)


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters are."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def check_weights(method: Any, **given: float) -> None:
    """Refuse weights that are negative or not finite."""
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is finite and at least 0: {method}")


def check_positive(method: Any, **given: float) -> None:
    """Refuse what has to be above 0 and finite."""
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is finite and above 0: {method}")
