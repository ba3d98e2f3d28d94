"""LightningRecipe: a LightningModule trained by its own steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.training.arrays import stack
from pytest_unlearn.training.gradient_descent import batches
from pytest_unlearn.training.quiet import as_tensors, check_extra, trained, unheard
from pytest_unlearn.training.recipes import check_build, check_key
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import checked_device

if TYPE_CHECKING:
    import torch
    from torch import nn

_LOGGERS = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")
_NOTHING_IS_LEFT = "a training leaves no file and prints nothing"
_TAKEN = {
    **dict.fromkeys(("logger", "enable_checkpointing", "default_root_dir", "barebones"), _NOTHING_IS_LEFT),
    **dict.fromkeys(("enable_progress_bar", "enable_model_summary"), _NOTHING_IS_LEFT),
    "max_epochs": "use epochs=",
    **dict.fromkeys(("accelerator", "devices", "num_nodes", "strategy"), "use device=, one for each training"),
    "deterministic": "it is, so that the same seed gives the same weights",
    "callbacks": "they would be shared by all trainings; return new ones from the module's configure_callbacks()",
}


@dataclass(frozen=True)
class LightningRecipe:
    """Train a LightningModule by its own steps and optimizers.

    Nothing is logged, no checkpoint or folder is left, one thread computes, and each training has a Trainer of its own.

    Attributes:
        build: makes the untrained module, of lightning.pytorch or pytorch_lightning; called once a training, with the
            seed set. Its `forward(x)` gives logits, shape (examples, classes); its `training_step` gets (x, y).
        epochs: passes over the data, unless a callback of the module's stops them.
        batch_size: examples a step.
        trainer: further arguments of Trainer, such as `{"gradient_clip_val": 1.0}`.
        device: where to train, such as "cuda:0"; the processor by default.
        key: stands for the whole recipe in the cache, instead of a digest of its code.
    """

    build: Callable[[], nn.Module]
    epochs: int = 10
    batch_size: int = 64
    _: KW_ONLY
    trainer: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that could only fail in the middle of a training."""
        check_build(self.build)
        whole_number(self.epochs, "epochs", 1)
        whole_number(self.batch_size, "batch_size", 1)
        check_extra(self.trainer, _TAKEN, "trainer=")
        checked_device(self.device)
        check_key(self.key)

    def __call__(self, dataset: Any, *, seed: int) -> nn.Module:
        """Train a module, the same for the same data and seed, changing no global state.

        Args:
            dataset: map-style, of (x, y).
            seed: decides the initial weights, the order of the examples and the dropout.

        Returns:
            The module, in eval mode, without its trainer.

        Raises:
            TypeError: `build` makes something else than a LightningModule, or Trainer takes no such argument.
            ValueError: the dataset is empty or ragged, or nothing was trained.
            FloatingPointError: the training diverged.
        """
        inputs, labels = as_tensors(*stack(dataset))
        with isolated(seed), unheard(*_LOGGERS):
            module = self.build()
            library = _library(module)
            before = [parameter.detach().clone() for parameter in module.parameters()]
            trainer = library.Trainer(
                max_epochs=self.epochs,
                deterministic=True,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                **_placed(self.device),
                **self.trainer,
            )
            made: Any = module
            trainer.fit(made, train_dataloaders=Steps(inputs, labels, self.batch_size))
            made.trainer = None  # which holds the data
            return trained(module, before, "the module's learning rate")


class Steps:
    """Draw batches of resident tensors in a new order each epoch."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int) -> None:
        self.inputs, self.labels, self.batch_size = inputs, labels, batch_size

    def __len__(self) -> int:
        """How many steps an epoch has."""
        import torch

        return len(batches(torch.arange(len(self.labels)), self.batch_size))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of an epoch."""
        import torch

        for rows in batches(torch.randperm(len(self.labels)), self.batch_size):
            yield self.inputs[rows], self.labels[rows]


def _library(module: Any) -> Any:
    """Import the package whose LightningModule this is: a Trainer of the other one refuses it."""
    for kind in type(module).__mro__:
        for name in ("lightning.pytorch", "pytorch_lightning"):
            if kind.__name__ == "LightningModule" and kind.__module__.startswith(f"{name}."):
                return importlib.import_module(name)
    raise TypeError(
        f"build returned {type(module).__name__}: LightningRecipe trains a LightningModule; for any other module use "
        "TorchRecipe"
    )


def _placed(device: str | None) -> dict[str, Any]:
    """Say where to train as Trainer takes it."""
    if device is None:
        return {"accelerator": "cpu", "devices": 1}
    kind, _, number = device.partition(":")
    return {"accelerator": kind, "devices": 1 if kind == "cpu" else [int(number or 0)]}
