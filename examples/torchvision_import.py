"""torchvision, also where its wheel was built for a torch with CUDA and this one has none."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

# Operators that torchvision describes to torch when it is imported, and that its compiled half would have brought.
OPERATORS = ("nms", "qnms", "roi_align", "qroi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d",
             "_roi_align_backward", "_roi_pool_backward", "_ps_roi_align_backward", "_ps_roi_pool_backward",
             "_deform_conv2d_backward")  # fmt: skip
BESIDE = Path(sys.prefix) / "torchvision"  # where `make test` installs it
_DEFINED: list[Any] = []  # torch forgets a library's operators when nobody holds it


def torchvision() -> Any:
    """Import torchvision with its datasets, models and transforms.

    A wheel that was compiled against another torch fails with `operator torchvision::nms does not exist`: its compiled
    half cannot be loaded. Data, transforms and classification models need none of it, so the operators are defined
    as empty ones, and only those that are missing once the compiled half has had its chance.
    """
    for compiled in _compiled():
        try:
            torch.ops.load_library(str(compiled))
        except OSError:  # it misses CUDA, or a symbol of another torch
            continue
    missing = [name for name in OPERATORS if not hasattr(torch.ops.torchvision, name)]
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            library.define(f"{name}() -> ()")
        _DEFINED.append(library)
    import torchvision as found
    import torchvision.datasets
    import torchvision.models
    import torchvision.transforms.v2

    return found


def _compiled() -> list[Path]:
    if find_spec("torchvision") is None:
        sys.path.append(str(BESIDE))
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("this example needs torchvision: pip install 'pytest-unlearn[vision]'")
    return sorted(Path(spec.origin).parent.glob("_C*.so"))
