"""Small images that a network can tell apart."""

import numpy as np
import torch


class Images:
    """Squares, bright on the left or on the right."""

    def __init__(self, n=96, channels=1, size=8):
        generator = np.random.default_rng(0)
        self.y = generator.integers(0, 2, n)
        self.X = torch.tensor(generator.normal(size=(n, channels, size, size)), dtype=torch.float32)
        for image, label in zip(self.X, self.y, strict=True):
            image[..., size // 2 * label : size // 2 * (label + 1)] += 1

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.X[index], int(self.y[index])
