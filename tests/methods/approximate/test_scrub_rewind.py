from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from unlearners import FineTune
from unlearners.approximate.scrub import SCRUB
from unlearners.approximate.scrub_rewind import SCRUBRewind, reference_error

SETTINGS = {"epochs": 6, "forget_epochs": 6, "lr": 5e-3, "weight_decay": 0.0}


def memorised(blobs, seed):
    """A network that knows its forget set by heart."""
    torch.manual_seed(seed)
    retain, forget = blobs(90, seed), blobs(30, seed + 50)
    network = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
    both = TensorDataset(*(torch.cat(pair) for pair in zip(retain.tensors, forget.tensors, strict=True)))
    return FineTune(epochs=100, lr=0.1, batch_size=32)(network, both, forget, seed=seed), retain, forget


def error(model, data):
    x, y = data.tensors
    return (model(x).argmax(1) != y).double().mean().item()


@pytest.mark.parametrize("seed", range(5))
def test_rewinds_to_the_epoch_whose_forget_error_is_nearest_to_that_of_unseen_data(seed, blobs):
    """SCRUB stopped after k epochs is the k-th checkpoint, so the rewound model must be the best of them."""
    model, retain, forget = memorised(blobs, seed)
    validation = blobs(300, seed + 100)
    rewound = SCRUBRewind(validation=validation, **SETTINGS)(model, retain, forget, seed=seed)
    checkpoints = [SCRUB(**{**SETTINGS, "epochs": k})(model, retain, forget, seed=seed) for k in range(1, 7)]
    goal = error(checkpoints[-1], validation)
    distances = [abs(error(checkpoint, forget) - goal) for checkpoint in checkpoints]
    best = checkpoints[distances.index(min(distances))]
    assert all(map(torch.equal, rewound.parameters(), best.parameters()))


def test_rewinding_does_rewind(blobs):
    """Where the last checkpoint gets unseen data right, one that errs less on the forget set is taken."""
    moved = 0
    for seed in range(5):
        model, retain, forget = memorised(blobs, seed)
        last = SCRUB(**SETTINGS)(model, retain, forget, seed=seed)
        x, _ = blobs(300, seed + 100).tensors
        validation = TensorDataset(x, last(x).argmax(1))
        rewound = SCRUBRewind(validation=validation, **SETTINGS)(model, retain, forget, seed=seed)
        moved += error(rewound, forget) < error(last, forget)
    assert moved >= 3


def test_reference_error_weighs_classes_as_the_forget_set_does():
    """Errors of 1/2 in class 0 and 0 in class 1; a forget set of three 0s and one 1 weighs them 3 to 1."""
    model = nn.Linear(1, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        model.bias.zero_()
    x = torch.tensor([[1.0], [-1.0], [-1.0], [-1.0]], dtype=torch.float64)
    y = torch.tensor([0, 0, 1, 1])
    assert reference_error(model, (x, y), torch.tensor([0, 0, 0, 1])) == pytest.approx(0.375)


def test_validation_must_not_have_been_trained_on(blobs):
    model, retain, forget = memorised(blobs, 0)
    for seen in (retain, forget):
        with pytest.raises(ValueError, match="unseen"):
            SCRUBRewind(validation=Subset(seen, range(6)))(model, retain, forget, seed=3)


def test_validation_must_cover_the_classes_and_not_be_empty(blobs):
    model, retain, forget = memorised(blobs, 0)
    with pytest.raises(ValueError, match=r"classes \[1, 2\]"):
        SCRUBRewind(validation=Subset(blobs(30, 9), range(0, 30, 3)))(model, retain, forget, seed=3)
    with pytest.raises(ValueError, match="empty"):
        SCRUBRewind(validation=Subset(retain, []))


def test_without_epochs_nothing_changes(blobs):
    model, retain, forget = memorised(blobs, 0)
    unlearned = SCRUBRewind(validation=blobs(30, 9), epochs=0)(model, retain, forget, seed=3)
    assert torch.equal(unlearned[0].weight, model[0].weight)
