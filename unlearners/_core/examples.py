"""Identify examples by digests of their contents."""

import hashlib

import torch
from torch import Tensor

from unlearners._core.training import Data


def digest(x: Tensor, y: Tensor) -> str:
    """Name one example's contents, equally for equal (x, y) of one dtype."""
    row = x.detach().cpu().contiguous()
    # By bytes, as numpy has no bfloat16. Joined, as an array of one number may have a stride of 0, which no view takes.
    raw = torch.cat([row.reshape(-1)]).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{row.dtype}{tuple(row.shape)}{y.item()}".encode() + raw).hexdigest()


def example_digests(data: Data) -> set[str]:
    """Digest all the examples."""
    return {digest(x, y) for x, y in zip(*data, strict=True)}
