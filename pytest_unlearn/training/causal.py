"""CausalRecipe: how a causal language model is trained, from scratch or a base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.data.text.encoding import Encoder, TokenSequence
from pytest_unlearn.training.recipes import check_build, check_key
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import checked_device

if TYPE_CHECKING:
    import torch
    from torch import nn

NO_LABEL = -100


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How a language model is trained step by step; as in `CausalRecipe`."""

    epochs: int
    batch_size: int = 16
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_norm: float = 1.0
    device: str | None = None


@dataclass(frozen=True)
class CausalRecipe:
    """Train a causal language model in the plainest way: AdamW, warm-up, decay.

    The loss is the mean negative log-probability of the scored tokens of a step: all of a text but its first, of
    prompts with completions and of chats what was answered.

    Attributes:
        build: makes the untrained model, such as `lambda: GPT2LMHeadModel(config)`; called once a training, with the
            seed set. A module `(input_ids, attention_mask) -> logits` or an object with `.logits`.
        tokenizer: of transformers or tokenizers, or a callable from a text to ids; None for documents that are ids.
            One that was trained on the request remembers it: train it on other documents.
        epochs: passes over the documents.
        base: a trained model whose weights `build`'s model starts from, so that only the fine-tuning is repeated; it
            must not have seen the request.
        batch_size: sequences a step.
        learning_rate: at its highest.
        weight_decay: of AdamW.
        warmup: share of the steps in which the learning rate rises to that; then it falls to 0 in a line.
        max_norm: of the gradient, which is cut down to it.
        max_length: tokens a sequence; a longer document is cut into several. None: it takes any.
        adapter: a configuration of peft, such as `LoraConfig(...)`: then the adapter alone is trained.
        device: where to train; by default where `build` puts the model.
        key: stands for the whole recipe in the cache, instead of a digest of its code.
    """

    build: Callable[[], nn.Module]
    tokenizer: Any
    epochs: int = 3
    base: Any = None
    _: KW_ONLY
    batch_size: int = 16
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_norm: float = 1.0
    max_length: int | None = None
    adapter: Any = None
    device: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that could only fail in the middle of a training."""
        check_build(self.build)
        whole_number(self.epochs, "epochs", 1)
        whole_number(self.batch_size, "batch_size", 1)
        finite_number(self.learning_rate, "learning_rate", 0)
        finite_number(self.weight_decay, "weight_decay", 0, least=True)
        finite_number(self.warmup, "warmup", 0, 1, least=True)
        finite_number(self.max_norm, "max_norm", 0)
        if self.max_length is not None:
            whole_number(self.max_length, "max_length", 2)
        if self.base is not None and not hasattr(self.base, "state_dict"):
            raise TypeError(
                f"base is a {type(self.base).__name__}: it is a trained model, loaded from a folder by you; nothing is "
                "loaded by name here."
            )
        checked_device(self.device)
        check_key(self.key)

    @property
    def encoder(self) -> Encoder:
        """What turns documents into token ids."""
        return Encoder(self.tokenizer, self.max_length)

    @property
    def descent(self) -> Descent:
        """The steps that it takes."""
        return Descent(**{one.name: getattr(self, one.name) for one in fields(Descent)})

    def untrained(self) -> nn.Module:
        """Make the model as it is before training, with the base's weights.

        Raises:
            TypeError: `build` makes something else than a module.
            ValueError: the base's weights do not fit it.
            ImportError: an adapter without peft.
        """
        from torch import nn

        model = self.build()
        if not isinstance(model, nn.Module):
            raise TypeError(f"build returned {type(model).__name__}: it must return an untrained torch.nn.Module")
        if self.base is not None:
            try:
                model.load_state_dict(self.base.state_dict())
            except RuntimeError as error:
                raise ValueError(f"the base's weights do not fit the model that build makes: {error}") from None
        if self.adapter is not None:
            try:
                from peft import get_peft_model  # type: ignore[import-untyped,import-not-found,unused-ignore]
            except ImportError as error:
                raise ImportError("adapter= takes peft: `pip install 'pytest-unlearn[text]' peft`") from error
            made: nn.Module = get_peft_model(model, self.adapter)
            return made
        return model

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a model, the same for the same documents and seed, changing no global state.

        Args:
            dataset: documents, such as a view of a task.
            seed: decides the initial weights, the order of the documents and the dropout.

        Returns:
            The model, in eval mode.

        Raises:
            TypeError, ValueError: as `untrained` and `Encoder.encode`; a token id beyond the model's vocabulary.
            FloatingPointError: the training diverged.
        """
        sequences = self.encoder.encode(documents_of(dataset)).sequences
        with isolated(seed):
            return descend(self.descent, self.untrained(), sequences)


def descend(descent: Descent, model: nn.Module, sequences: Sequence[TokenSequence]) -> nn.Module:
    """Train a model in place, with the generators as they are.

    Args:
        descent: how.
        model: any language model that can be trained.
        sequences: what to train on.

    Returns:
        The model, in eval mode.

    Raises:
        FloatingPointError: the training diverged.
    """
    import torch

    if descent.device is not None:
        model = model.to(descent.device)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("the model has no parameters to train: check `build` and its requires_grad flags")
    place = trainable[0].device
    optimizer = torch.optim.AdamW(trainable, lr=descent.learning_rate, weight_decay=descent.weight_decay)
    steps = descent.epochs * -(-len(sequences) // descent.batch_size)
    rising = max(1, round(descent.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rising, (steps - step) / max(1, steps - rising))
    )
    model.train()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for batch in _drawn(len(sequences), descent.epochs, descent.batch_size):
            loss = causal_loss(model, [sequences[k] for k in batch], place)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trainable, descent.max_norm)
            optimizer.step()
            schedule.step()
    optimizer.zero_grad(set_to_none=True)
    if not all(bool(torch.isfinite(parameter).all()) for parameter in trainable):
        raise FloatingPointError("the training diverged (weights are not finite): lower the learning_rate")
    return model.eval()


def causal_loss(model: nn.Module, sequences: list[TokenSequence], place: torch.device) -> torch.Tensor:
    """Return the mean negative log-probability of the scored tokens of some sequences."""
    import torch
    from torch.nn import functional

    longest = max(len(one.ids) for one in sequences)
    ids = np.zeros((len(sequences), longest), dtype=np.int64)
    mask, labels = np.zeros_like(ids), np.full_like(ids, NO_LABEL)
    for row, one in enumerate(sequences):
        size = len(one.ids)
        ids[row, :size], mask[row, :size] = one.ids, 1
        labels[row, :size] = np.where(one.scored, one.ids, NO_LABEL)
    inputs, heeded, wanted = (torch.from_numpy(part).to(place) for part in (ids, mask, labels))
    answer = model(input_ids=inputs, attention_mask=heeded)
    logits = answer if isinstance(answer, torch.Tensor) else answer["logits"]
    return functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]).float(), wanted[:, 1:].reshape(-1), ignore_index=NO_LABEL
    )


def _drawn(count: int, epochs: int, batch_size: int) -> Iterator[list[int]]:
    """Draw the sequences of each step: all of them once an epoch, in a new order."""
    import torch

    for _ in range(epochs):
        order = torch.randperm(count).tolist()
        yield from (order[start : start + batch_size] for start in range(0, count, batch_size))
