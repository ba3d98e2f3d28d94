"""Dampen synapses selectively, with the selection set by the data (ASSD)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearners._core.curvature import flat
from unlearners.approximate.ssd import Dampening


@dataclass(frozen=True, kw_only=True)
class ASSD(Dampening):
    """Dampen as SSD, and set alpha so that a share of the weights is selected.

    Source: Schoepf, Foster and Brintrup 2024, "Parameter-tuning-free data entry error unlearning with adaptive
    selective synaptic dampening". Those weights are selected whose I_forget / I_all is above its percentile
    100 - ln(1 + 100 s), s being the forget set's share of all examples: 2.4% of them for s = 0.1. Ratios that are not
    finite do not count. Importance and dampening as in `SSD`. No training, no guarantee.

    dampening: the lambda of the paper, at least 0; 0 sets selected weights to zero.

    Defaults: dampening 1 is the authors'. The ratio cannot exceed 1 / s, so that a large random request
    dampens few weights by little, and may change nothing.
    """

    def selection(self, of_forget: list[Tensor], of_all: list[Tensor], share: float) -> float:
        ratios = (flat(of_forget) / flat(of_all)).double()
        ratios = ratios[ratios.isfinite()].sort().values
        if not len(ratios):
            return math.inf
        # As numpy.percentile has it; torch.quantile refuses many elements.
        place = (len(ratios) - 1) * (1 - math.log(1 + 100 * share) / 100)
        low = int(place)
        return float(torch.lerp(ratios[low], ratios[min(low + 1, len(ratios) - 1)], place - low))
