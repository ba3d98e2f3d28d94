"""Two small networks, Fashion-MNIST for them, and the loops that people write to train them."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from examples.fashion_mnist import fashion_mnist


def small_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


THREADS = torch.get_num_threads()  # as torch takes by default
NETWORKS = {"CNN": small_cnn, "MLP": mlp}


@functools.cache
def images(count):
    """The first images of Fashion-MNIST, as tensors of one channel."""
    x, y, *_ = fashion_mnist()
    return torch.as_tensor(x[:count]).reshape(-1, 1, 28, 28), torch.as_tensor(y[:count])


def plain_loop(build, x, y, epochs, seed=0):
    """Train as tutorials do: a DataLoader, Adam, and as many threads as torch takes."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters())
    batches = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    for _ in range(epochs):
        for inputs, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    return model


def indexed_loop(build, x, y, epochs, seed=0):
    """Train by rows of tensors in memory, without a DataLoader, on one thread."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = build()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model
