"""Turn datasets into the arrays that scikit-learn was fitted on."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unlearners._core.isolation import Examples

Array = NDArray[np.float64]


def arrays(dataset: Examples) -> tuple[Array, NDArray[np.generic]]:
    """Stack (x, y): x one float64 row an example, y as it comes."""
    rows, targets = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    return np.stack([_numpy(row).astype(np.float64).reshape(-1) for row in rows]), np.stack(
        [_numpy(target) for target in targets]
    )


def positions(labels: NDArray[np.generic], classes: NDArray[np.generic], method: str) -> NDArray[np.intp]:
    """Locate labels among a classifier's sorted classes; refuse unknown ones."""
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(f"{method} got the label {unknown[0]}, which the model never saw: its classes are {classes}.")
    return np.searchsorted(classes, labels)


def _numpy(value: object) -> NDArray[np.generic]:
    return np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
