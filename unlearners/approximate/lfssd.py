"""Dampen synapses selectively, without labels."""

from dataclasses import dataclass

from torch import Tensor, nn

from unlearners._core.curvature import example_gradients, mean_of
from unlearners._core.training import Data
from unlearners.approximate.ssd import SSD


@dataclass(frozen=True, kw_only=True)
class LFSSD(SSD):
    """Dampen as SSD, with importance from the squared length of the logits.

    A weight's importance is the mean absolute gradient of that length (Foster, Fogarty, Schoepf, Oztireli and Brintrup
    2024, "Loss-free machine unlearning"; after Aljundi et al. 2018). Selection and dampening as in SSD. The mean is
    over single examples, in eval mode; labels are never read. No guarantee.

    Defaults: alpha 10 and dampening 1, as for SSD.
    """

    def importance(self, model: nn.Module, data: Data) -> list[Tensor]:
        """Average the absolute gradient of |logits|^2, shaped like each weight."""
        return mean_of(example_gradients(model, data, lambda logits, _: logits.square().sum()), lambda g: g.abs())
