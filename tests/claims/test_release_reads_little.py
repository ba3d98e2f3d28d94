"""A release that is audited again from the cache trains nothing, and reads each example at most once."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_release

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
FORGET = 60


class Counted:
    """Digits that count how often each is read."""

    def __init__(self, start, stop):
        self.rows, self.labels = X[start:stop], Y[start:stop]
        self.reads = np.zeros(stop - start, dtype=int)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.rows[index], int(self.labels[index])


def network():
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


@pytest.mark.slow
def test_a_release_audited_again_trains_nothing_and_reads_each_example_once(tmp_path):
    """Retained examples are read where the audited model is asked about them: of it nothing is remembered."""

    def audit():
        train, test = Counted(0, 500), Counted(500, 1000)
        split = Split(train, range(FORGET), test, identity="digits", cache_dir=tmp_path)
        task = UnlearningTask(split, TorchRecipe(network, epochs=5), references=2, cache_dir=tmp_path)
        model = task.train_on([split.retain_indices], first_seed=77)[0]
        evidence = audit_release(model, task, "standard")
        return train.reads, test.reads, task.trained_references, evidence

    _, _, _, first = audit()
    train, test, references, again = audit()
    assert train.max() == test.max() == 1
    assert [one.source for one in references] == ["store", "store"]
    assert [(one.verdict, one.estimate, one.attacks) for one in again.values()] == [
        (one.verdict, one.estimate, one.attacks) for one in first.values()
    ]
