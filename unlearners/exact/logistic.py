"""Fit linear models on rows of norm at most 1, with proven deletion bounds."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from unlearners._core.distillation import class_logits
from unlearners._core.isolation import Examples
from unlearners._core.training import Data, stack

# Rows that were scaled to norm 1 in single precision exceed it by rounding.
TOLERANCE = 1e-6


class LogisticModel(nn.Module):
    """Map x to W x, without an intercept (append a constant to x).

    A single row of weights gives the logits (0, w·x).
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Give logits, shape (examples, classes)."""
        return class_logits(x.flatten(1).to(self.weight.dtype) @ self.weight.T)


def unit_rows(dataset: Examples, method: str, device: torch.device | None = None) -> Data:
    """Stack (x, y) with x as float64 rows; refuse one longer than 1."""
    x, y = stack(dataset, LogisticModel(torch.zeros(1, 1, dtype=torch.float64, device=device)))
    rows = x.reshape(len(y), -1).double()
    longest = float(rows.norm(dim=1).max())
    if not longest <= 1 + TOLERANCE:
        raise ValueError(
            f"{method} is proven for rows of norm at most 1, and the longest here has {longest:.3g}: divide x by a "
            "number that is larger than every norm, best one that does not depend on the data."
        )
    return rows, y


def count_labels(y: Tensor, classes: int | None) -> int:
    """Count the classes that the labels show, unless `classes` is given."""
    low, high = int(y.min()), int(y.max())
    if low < 0 or (classes is not None and high >= classes):
        raise ValueError(f"labels are numbers from 0 to one less than the classes={classes}, not from {low} to {high}")
    return classes or max(2, high + 1)


def targets(y: Tensor, rows: int) -> Tensor:
    """Encode labels for each row of weights; a single row is for class 1."""
    return (y[:, None] if rows == 1 else one_hot(y, rows)).double()
