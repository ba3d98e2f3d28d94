"""Make each token of the request improbable, whatever it was before."""

from dataclasses import dataclass

from torch import Generator, Tensor, nn
from torch.nn.functional import logsigmoid

from unlearners._core.isolation import Examples
from unlearners._core.language import (
    Batch,
    TextMethod,
    check_positive,
    check_weights,
    lengths,
    sequence_log_probability,
    token_loss,
)


def simnpo_loss(own: Tensor, tokens: Tensor, beta: float, gamma: float) -> Tensor:
    """Compute -2/beta mean log sigmoid(-beta own / tokens - gamma).

    `own` are log-probabilities of whole sequences, (B,), `tokens` how many each has, (B,). Source: eq. 4.
    """
    return -2.0 / beta * logsigmoid(-beta * own / tokens - gamma).mean()


@dataclass(frozen=True, kw_only=True)
class SimNPO(TextMethod):
    """Negative preference optimisation without a reference, by length.

    Source: Fan et al. 2024, "Simplicity prevails: rethinking negative preference optimization for LLM unlearning"
    (arXiv 2410.07163).

    beta, gamma: slope and margin of the preference.
    retain_weight: of the cross-entropy of retained documents.

    Defaults: beta 2.5, gamma 0, weight 0.1375 and 10 epochs of lr 1e-5 are the authors' for TOFU forget05.
    """

    epochs: int = 10
    beta: float = 2.5
    gamma: float = 0.0
    retain_weight: float = 0.1375

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, beta=self.beta)
        check_weights(self, gamma=self.gamma, retain_weight=self.retain_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        def step(gone: Batch, kept: Batch) -> Tensor:
            loss = simnpo_loss(sequence_log_probability(model, gone), lengths(gone), self.beta, self.gamma)
            return loss + self.retain_weight * token_loss(model, kept)

        self.alternate(model, self.encoded(retain), self.encoded(forget), order, step)
        return model
