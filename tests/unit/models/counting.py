"""A model that counts the examples that it is asked about, and may answer otherwise later."""

from __future__ import annotations

import torch


class Counting:
    def __init__(self, model, *, then=None, after=0):
        self.model, self.then, self.after, self.asked = model, then, after, 0

    def __call__(self, x):
        model = self.then if self.then is not None and self.asked >= self.after else self.model
        self.asked += len(x)
        with torch.no_grad():
            return model(torch.as_tensor(x)).double().numpy()
