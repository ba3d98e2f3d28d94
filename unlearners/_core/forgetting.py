"""Train on the forget set too, with BatchNorm as a method's authors have it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from unlearners._core.isolation import for_any_batch, with_running_statistics
from unlearners._core.training import Training


@dataclass(frozen=True, kw_only=True)
class ForgetTraining(Training):
    """Set how a method that also trains on the forget set treats BatchNorm.

    batch_statistics: "authors" normalises every batch by its own statistics and takes it into the running ones, the
        forget set's too, as networks in train mode do; "running" normalises forget batches by the running statistics,
        into which no forget example enters. A batch of one example, which has no statistics, always uses the running
        ones.
    """

    batch_statistics: Literal["authors", "running"] = "authors"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_statistics not in ("authors", "running"):
            raise ValueError(f'batch_statistics is "authors" or "running": {self}')

    def on_forget(self, model: nn.Module) -> Callable[[Tensor], Tensor]:
        """Make the forward pass for forget batches."""
        return with_running_statistics(model) if self.batch_statistics == "running" else for_any_batch(model)
