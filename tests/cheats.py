"""Ways to look forgotten without forgetting: wrappers around the original that an audit must not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn


class Wrapped(nn.Module):
    """A model behind an output filter."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class Temperature(Wrapped):
    """Logits divided by a temperature: every confidence looks alike, no order changes."""

    def __init__(self, model: nn.Module, temperature: float = 20.0) -> None:
        super().__init__(model)
        self.temperature = temperature

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) / self.temperature


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


class ExactMask(Wrapped):
    """Refuses on inputs it recognises by their bytes: one constant logit vector for exactly the forget inputs."""

    def __init__(self, model: nn.Module, forget: Any) -> None:
        super().__init__(model)
        self.known = {np.asarray(x).tobytes() for x, _ in forget}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.model(x)
        mask = torch.tensor([row.cpu().numpy().tobytes() in self.known for row in x])
        return torch.where(mask[:, None], torch.zeros_like(logits), logits)


class Constant(Wrapped):
    """The same logits for every input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 10) + torch.arange(10.0)
