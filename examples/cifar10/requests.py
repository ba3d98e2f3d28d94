"""Three deletion requests to one ResNet: some people's images, a class, and images that carry a wrong label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from examples.cifar10.images import Images, tv, v2
from pytest_unlearn import Split, TorchRecipe

TRAIN, OF_CLASS, MISLABELLED, ASKED, TEST, CONTROLS = 400, 100, 80, 100, 1000, 1000
FLIP = v2.RandomHorizontalFlip()


def build() -> nn.Module:
    """torchvision's ResNet-18, untrained."""
    network: nn.Module = tv.models.resnet18(num_classes=10)
    return network


def flipped(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image or its mirror image: a transform of torchvision, seeded by the training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        return torch.stack([FLIP(image) for image in batch])


RECIPE = TorchRecipe(build, epochs=12, batch_size=64, learning_rate=1e-3, schedule="cosine", augment=flipped)


@dataclass(frozen=True)
class World:
    """What the ResNet is trained on: 400 images, a quarter of them of one class, a fifth of them mislabelled.

    Attributes:
        train: the images with the labels they are trained with.
        wrong: which of these labels are wrong.
        unseen: images that nobody trained on, with right labels.
        test: others, for accuracy.
        asked: the class that is asked to go.
    """

    train: TensorDataset
    wrong: Any
    unseen: TensorDataset
    test: TensorDataset
    asked: int


def world(images: Images, draw: int, *, train: int = TRAIN, unseen: int = 4 * CONTROLS) -> World:
    """Draw 0, 1, 2, ...: what is trained on, and what is not, from the training images; test images for accuracy."""
    rng = np.random.default_rng(draw)
    labels = np.asarray(images.train.targets)
    of_class = rng.permutation(np.flatnonzero(labels == images.asked))
    others = rng.permutation(np.flatnonzero(labels != images.asked))
    count = train * OF_CLASS // TRAIN
    rows = rng.permutation(np.concatenate([of_class[:count], others[: train - count]]))
    spare = rng.permutation(np.concatenate([of_class[count:], others[train - count :]]))[:unseen]
    wrong = np.zeros(train, dtype=bool)
    wrong[rng.choice(train, train * MISLABELLED // TRAIN, replace=False)] = True
    given = np.where(wrong, _another(labels[rows], rng), labels[rows])
    test = rng.choice(len(images.test), min(TEST, len(images.test)), replace=False)
    return World(
        _taken(images.train, rows, given),
        wrong,
        _taken(images.train, spare, labels[spare]),
        _taken(images.test, test, np.asarray(images.test.targets)[test]),
        images.asked,
    )


def random_images(of: World, draw: int) -> Split:
    """A quarter of the images, drawn at random among those with right labels."""
    rows = np.random.default_rng(draw).permutation(np.flatnonzero(~of.wrong))[: len(of.train) * ASKED // TRAIN]
    return Split(of.train, forget=rows, test=of.test, controls=_first(of.unseen, CONTROLS))


def whole_class(of: World, draw: int) -> Split:
    """Every image that is labelled as the class; compared with images of the class that nobody trained on."""
    labels = of.train.tensors[1].numpy()
    right = of.unseen.tensors[1] == of.asked
    controls = TensorDataset(*(part[right] for part in of.unseen.tensors))
    return Split(of.train, forget=np.flatnonzero((labels == of.asked) & ~of.wrong), test=of.test, controls=controls)


def mislabelled(of: World, draw: int) -> Split:
    """Every image with a wrong label; compared with unseen images that are given a wrong label in the same way."""
    x, y = _first(of.unseen, CONTROLS).tensors
    wrong = torch.as_tensor(_another(y.numpy(), np.random.default_rng(1000 + draw)))
    return Split(of.train, forget=np.flatnonzero(of.wrong), test=of.test, controls=TensorDataset(x, wrong))


REQUESTS: dict[str, Callable[[World, int], Split]] = {
    "random": random_images,
    "class": whole_class,
    "mislabelled": mislabelled,
}


def _another(labels: Any, rng: np.random.Generator) -> Any:
    """A label that is not the right one."""
    return (labels + rng.integers(1, 10, len(labels))) % 10


def _taken(dataset: Any, rows: Any, labels: Any) -> TensorDataset:
    return TensorDataset(torch.stack([dataset[int(row)][0] for row in rows]), torch.as_tensor(labels))


def _first(dataset: TensorDataset, count: int) -> TensorDataset:
    return TensorDataset(*(part[:count] for part in dataset.tensors))
