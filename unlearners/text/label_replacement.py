"""Train the request's tokens towards what a model would say that never saw it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, relu

from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples
from unlearners._core.language import TextMethod, check_positive, check_weights, device_of, logits_of, padded


def generic_logits(baseline: Tensor, reinforced: Tensor, alpha: float) -> Tensor:
    """Compute baseline - alpha relu(reinforced - baseline), (B, L, V).

    What training on the request still raises is what the model had of it. Source: eq. 1.
    """
    return baseline - alpha * relu(reinforced - baseline)


@dataclass(frozen=True, kw_only=True)
class LabelReplacement(TextMethod):
    """Train on generic predictions in place of the request's own tokens.

    Source: Eldan and Russinovich 2023, "Who's Harry Potter? Approximate unlearning in LLMs" (arXiv 2310.02238), without
    its dictionary of replaced names. The retain set is never used.

    alpha: how strongly what the request raises is lowered.
    reinforcement: epochs of training on the request that show what it raises.

    Defaults: alpha 5, 3 epochs of reinforcement and 2 of lr 1e-6 and batches of 8 are the authors', for Llama-2-7B.
    """

    epochs: int = 2
    lr: float = 1e-6
    batch_size: int = 8
    alpha: float = 5.0
    reinforcement: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, alpha=self.alpha)
        check_positive(self, reinforcement=self.reinforcement)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:  # noqa: ARG002
        gone, place, baseline = self.encoded(forget), device_of(model), frozen_copy(model)
        teacher = deepcopy(model)
        settings = {"tokenizer": self.tokenizer, "lr": self.lr, "batch_size": self.batch_size}
        TextMethod(**settings, epochs=self.reinforcement).learn(teacher, gone, order)
        reinforced = frozen_copy(teacher)

        def epoch() -> Iterator[Tensor]:
            for part in self.parts(gone, order):
                batch = padded(part, place)
                with torch.no_grad():
                    said = (logits_of(one, batch) for one in (baseline, reinforced))
                    labels = generic_logits(next(said), next(said), self.alpha).argmax(-1)
                labels = labels.masked_fill(~batch.learned[:, 1:], -100)
                yield cross_entropy(logits_of(model, batch).flatten(0, 1), labels.flatten(), ignore_index=-100)

        self.minimise(model, epoch)
        return model
