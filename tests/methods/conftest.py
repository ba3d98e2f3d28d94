"""Small problems that every test of a method shares."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

Blobs = Callable[..., TensorDataset]


class Unreadable(Dataset[tuple[Tensor, int]]):
    """Has a length, and fails the test that looks inside."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        raise AssertionError("this method must not read these examples")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def blobs() -> Blobs:
    """`blobs(n, seed, classes=3, dtype=...)`: overlapping Gaussian classes in four dimensions."""

    def make(n: int, seed: int, *, classes: int = 3, dtype: torch.dtype = torch.float32) -> TensorDataset:
        generator = torch.Generator().manual_seed(seed)
        y = torch.arange(n) % classes
        x = torch.randn(n, 4, generator=generator, dtype=dtype) + torch.eye(4, dtype=dtype)[y]
        return TensorDataset(x, y)

    return make


@pytest.fixture
def unreadable() -> Unreadable:
    return Unreadable()
