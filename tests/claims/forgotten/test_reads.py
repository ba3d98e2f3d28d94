"""What an audit from the cache reads of the data: the request and its controls."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_forgotten

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
FORGET = np.arange(100)


class Counted:
    """Digits as a dataset of items, which counts how often each is read."""

    def __init__(self, rows):
        self.rows, self.reads = rows, np.zeros(len(rows), dtype=int)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        self.reads[index] += 1
        return X[self.rows[index]], Y[self.rows[index]]


def network():
    return nn.Sequential(nn.Linear(64, 10))


def audited(cache):
    """Audit a reference anew: the reads of training rows, whether anything was trained, and the evidence."""
    train, test = Counted(np.arange(500)), Counted(np.arange(500, 900))
    split = Split(train, FORGET, test, identity="digits, first edition", cache_dir=cache)
    task = UnlearningTask(split, TorchRecipe(network, epochs=1), references=2, cache_dir=cache)
    evidence = audit_forgotten(task.retrained[0], task.forget)
    return train.reads, {trained.source for trained in task.trained_references}, evidence


def test_an_audit_from_the_cache_trains_nothing_and_reads_no_retained_row(tmp_path):
    _, made, first = audited(tmp_path)
    assert made == {"trained"}
    reads, made, again = audited(tmp_path)
    assert made == {"store"}
    assert reads[len(FORGET) :].sum() == 0
    assert reads.max() == 1
    assert again.verdict == first.verdict
    assert again.estimate == first.estimate
