"""Move the forget set to a class that does not exist."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.layers import inputs_of, last_linear, require_classes
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, batches, stack


@dataclass(frozen=True, kw_only=True)
class BoundaryExpand(NetworkMethod, Training):
    """Add a shadow class, fine-tune the forget set towards it, and drop it again.

    Source: Chen et al. 2023, "Boundary unlearning". The retain set is never read; BatchNorm uses its running
    statistics. The shadow class's weights start at zero. Needs a network that ends in an `nn.Linear`. Meant for whole
    classes; no guarantee.

    Defaults: 10 epochs of SGD with lr 1e-5, momentum 0.9 and batches of 64, as for BoundaryShrink.
    """

    epochs: int = 10
    lr: float = 1e-5
    batch_size: int = 64

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        trainable(model)
        gone = stack(forget, model)
        classes = require_classes(model, gone[0], "BoundaryExpand")
        _, head = last_linear(model, gone[0], "BoundaryExpand")
        shadow = nn.Linear(head.in_features, 1).to(head.weight)
        nn.init.zeros_(shadow.weight)
        nn.init.zeros_(shadow.bias)
        forward = with_running_statistics(model)

        def epoch() -> Iterator[Tensor]:
            for x, y in batches(gone, self.batch_size, order):
                with inputs_of(head) as features:
                    logits = forward(x)
                widened = torch.cat([logits, shadow(features[-1])], 1)
                yield self.loss(widened, torch.full_like(y, classes))

        self.minimise(model, epoch, only=[*model.parameters(), *shadow.parameters()])
