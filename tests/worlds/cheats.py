"""More output filters that an audit must not pass, besides the decoys of `unlearners`."""

from __future__ import annotations

import torch
from torch import nn


class Wrapped(nn.Module):
    """A model behind an output filter."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class Clipped(Wrapped):
    """Logits clipped to [-bound, bound]."""

    def __init__(self, model: nn.Module, bound: float = 5.0) -> None:
        super().__init__(model)
        self.bound = bound

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x).clamp(-self.bound, self.bound)


class LabelsOnly(Wrapped):
    """Only the predicted label is revealed."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.model(x)
        return nn.functional.one_hot(logits.argmax(1), logits.shape[1]).to(logits.dtype)


class Rounded(Wrapped):
    """Probabilities rounded to some digits."""

    def __init__(self, model: nn.Module, digits: int = 2) -> None:
        super().__init__(model)
        self.digits = digits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.round(self.model(x).softmax(1), decimals=self.digits).clamp_min(1e-12).log()
