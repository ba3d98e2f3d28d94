"""Fashion-MNIST from Debian's package dataset-fashion-mnist, for the examples and the tests."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@cache
def fashion_mnist() -> tuple[Any, Any, Any, Any]:
    """Train images and labels (60,000), test images and labels (10,000); images (1, 28, 28) with pixels in [0, 1]."""
    parts: list[Any] = []
    for kind in ("train", "t10k"):
        images = gzip.decompress((FASHION_MNIST / f"{kind}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((FASHION_MNIST / f"{kind}-labels-idx1-ubyte.gz").read_bytes())
        parts.append(np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255)
        parts.append(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))
    return parts[0], parts[1], parts[2], parts[3]
