"""Say in one sentence why a model could not answer what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.data.dataset import is_tensor

LONGEST = 300
PREPARE = (
    "Is this what it was trained on? Wrap it in a function that prepares a batch for it and returns logits, or, if it "
    "takes batches of one size alone, say so with UnlearningTask(..., batch_size=)."
)
TENSORS = "A function is asked as the dataset has it: write it as `lambda x: model(torch.as_tensor(x))`."


def answering(ask: Callable[[Any], Any], whose: str) -> Callable[[Any], Any]:
    """Return the same question, with a ValueError where the model raises.

    Args:
        ask: asks about a batch.
        whose: the model's type.
    """

    def answer(batch: Any) -> Any:
        try:
            return ask(batch)
        except Exception as error:
            first = shortened(printable(str(error).strip().split("\n")[0]), LONGEST)
            raise ValueError(
                f"the model ({whose}) raises {type(error).__name__} when asked about {_described(batch)}: {first}. "
                f"{TENSORS if 'not numpy.ndarray' in first else PREPARE}"
            ) from error

    return answer


def _described(batch: Any) -> str:
    kind = "tensor" if is_tensor(batch) else "numpy array" if isinstance(batch, np.ndarray) else type(batch).__name__
    shape = tuple(batch.shape) if hasattr(batch, "shape") else (len(batch),)
    dtype = str(getattr(batch, "dtype", "")).removeprefix("torch.")
    return f"a {kind} of shape {shape}{dtype and ', '}{dtype}"
