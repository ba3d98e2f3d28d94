"""Four classes of which the first is removed, and models that are their answers: no training, no torch."""

import numpy as np

from pytest_unlearn import SavedOutputs, Split, UnlearningTask

LIMITS = {"max_gap": 0.1, "max_drop": 0.03}


def saved(logits):
    return SavedOutputs(test=logits)


CLASSES, COUNT = 4, 400
LABELS = np.arange(4 * COUNT) % CLASSES


def answering(where, share=1.0, sure=4.0, lost=0.0, seed=0):
    """A model that sends a `share` of class 0 to the classes `where` in turn, and is wrong on `lost` of the others."""
    rng = np.random.default_rng(seed)
    answers = LABELS.copy()
    zeros = np.flatnonzero(LABELS == 0)
    moved = zeros[rng.permutation(COUNT)[: round(share * COUNT)]]
    answers[moved] = np.resize(where, len(moved))
    others = np.flatnonzero(LABELS != 0)
    wrong = others[rng.permutation(len(others))[: round(lost * len(others))]]
    answers[wrong] = LABELS[wrong] % 3 + 1
    return saved(np.eye(CLASSES)[answers] * (sure + rng.normal(0, 0.1, (len(answers), 1))))


def fake_task(**kwargs):
    rng = np.random.default_rng(0)
    part = rng.normal(size=(200, 2)), np.arange(200) % CLASSES
    split = Split(part, forget=np.flatnonzero(part[1] == 0), test=(rng.normal(size=(4 * COUNT, 2)), LABELS))
    inputs = {"original": answering([0], lost=0.02, seed=50)}
    inputs["references"] = [answering([1, 2, 3], lost=0.02, seed=k) for k in range(4)]
    return UnlearningTask(split, **{**inputs, **kwargs})
