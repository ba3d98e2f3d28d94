"""Ascend the loss on documents of the request."""

from dataclasses import dataclass

from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.language import TextMethod


@dataclass(frozen=True, kw_only=True)
class GradAscent(TextMethod):
    """Maximise the cross-entropy of the request's tokens.

    Source: Jang et al. 2023, "Knowledge unlearning for mitigating privacy risks in language models" (arXiv 2210.01504).
    The retain set is never used. Nothing bounds it: the model loses the language long before it has forgotten, and one
    epoch on retained documents brings the request back.

    Defaults: 5 epochs of lr 1e-5 and batches of 32 are TOFU's, for models of billions of parameters.
    """

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:  # noqa: ARG002
        self.learn(model, self.encoded(forget), order, sign=-1.0)
        return model
