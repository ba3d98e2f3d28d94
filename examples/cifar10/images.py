"""CIFAR-10 as torchvision reads it, and a stand-in in the same files where nobody may download."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from examples.fashion_mnist import fashion_mnist
from examples.torchvision_import import torchvision

tv = torchvision()
v2 = tv.transforms.v2

FOLDER = Path(".unlearn/cifar10")
ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
BATCHES = "cifar-10-batches-py"
PREPARE = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)])


@dataclass(frozen=True)
class Images:
    """Both halves of the data.

    Attributes:
        train, test: datasets of torchvision, of (image, label); an image is (3, 32, 32) in [-1, 1].
        names: of the ten classes.
        asked: the class that a deletion request names: all automobiles, or of clothes all shirts.
    """

    train: Any
    test: Any
    names: list[str]
    asked: int


def cifar10(folder: Path = FOLDER, *, size: int | None = None) -> Images:
    """Read CIFAR-10 in `folder`, or Fashion-MNIST in CIFAR's format, which is written there first.

    Args:
        folder: holds `cifar-10-batches-py` where the archive was unpacked.
        size: images of Fashion-MNIST a side; by default 20,000 for training and 10,000 for tests.
    """
    if (folder / BATCHES / "data_batch_1").exists():
        return _images(tv.datasets.CIFAR10, folder, "automobile")
    print(f"{folder / BATCHES} is not there: unpack {ARCHIVE} (170 MB) in {folder} for CIFAR-10.")
    print("Until then Fashion-MNIST stands in for it, in colour, 32 x 32, in the same files.", flush=True)
    stand_in = folder / "fashion-mnist"
    if not (stand_in / BATCHES / "batches.meta").exists():
        write_stand_in(stand_in / BATCHES, size)
    return _images(FashionMNISTAsCIFAR, stand_in, "shirt")


def _images(kind: Any, folder: Path, asked: str) -> Images:
    train, test = (kind(folder, train=side, transform=PREPARE) for side in (True, False))
    return Images(train, test, train.classes, train.classes.index(asked))


class FashionMNISTAsCIFAR(tv.datasets.CIFAR10):  # type: ignore[misc]
    """torchvision's reader, for files of its format whose digests are not those of the published archive."""

    train_list: ClassVar = [[f"data_batch_{k}", None] for k in range(1, 6)]
    test_list: ClassVar = [["test_batch", None]]
    meta: ClassVar = {"filename": "batches.meta", "key": "label_names", "md5": None}


CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def write_stand_in(folder: Path, size: int | None = None) -> None:
    """Write Fashion-MNIST as CIFAR-10 is distributed: rows of 3,072 bytes, all of red before green before blue."""
    x, y, x_test, y_test = fashion_mnist()
    folder.mkdir(parents=True, exist_ok=True)
    train = np.random.default_rng(0).choice(len(x), size or 20_000, replace=False)
    test = np.arange(size or 10_000)
    for k, rows in enumerate(np.array_split(train, 5), start=1):
        _write(folder / f"data_batch_{k}", {"data": _coloured(x[rows]), "labels": y[rows].tolist()})
    _write(folder / "test_batch", {"data": _coloured(x_test[test]), "labels": y_test[test].tolist()})
    _write(folder / "batches.meta", {"label_names": list(CLOTHES)})


def _coloured(x: Any) -> Any:
    framed = np.pad((x * 255).astype(np.uint8), ((0, 0), (0, 0), (2, 2), (2, 2)))
    return np.repeat(framed, 3, axis=1).reshape(len(x), 3072)


def _write(path: Path, batch: dict[str, Any]) -> None:
    """As the published files are: pickles, which torchvision reads. Only ever read files of yours or theirs."""
    path.write_bytes(pickle.dumps(batch, protocol=2))
