from collections.abc import Callable

import torch
from scipy.stats import chisquare
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from unlearners import RandomLabels
from unlearners._core.training import loss_of
from unlearners.approximate.random_labels import wrong_labels

Blobs = Callable[..., TensorDataset]


def test_forget_is_trained_on_wrong_labels_and_retain_on_its_own(blobs: Blobs) -> None:
    """The loss sees every target there is; the first feature says which example it belongs to."""
    retain, forget = blobs(30, 0), blobs(9, 1)
    everything = torch.cat([retain.tensors[0], forget.tensors[0]])
    truth = torch.cat([retain.tensors[1], forget.tensors[1]])
    targets: dict[int, list[int]] = {i: [] for i in range(39)}
    batch: list[Tensor] = []
    model = nn.Linear(4, 3)
    model.register_forward_pre_hook(lambda _, inputs: batch.append(inputs[0]))

    def recording(logits: Tensor, y: Tensor) -> Tensor:
        rows = torch.cat(batch)[-len(y) :]
        batch.clear()
        for row, label in zip(rows, y.tolist(), strict=True):
            targets[int((everything == row).all(1).nonzero())].append(label)
        return loss_of(logits, y)

    RandomLabels(epochs=4, batch_size=8, loss=recording)(model, retain, forget, seed=3)

    assert all(targets[i] == [int(truth[i])] * 4 for i in range(30))
    for i in range(30, 39):
        assert len(targets[i]) == 4
        assert len(set(targets[i])) == 1
        assert int(truth[i]) not in targets[i]


def test_fresh_labels_are_drawn_from_all_classes_in_a_pass_before_retain(blobs: Blobs) -> None:
    """The loss sees every target there is; forget examples come first in each epoch."""
    retain, forget = blobs(30, 0), blobs(9, 1)
    seen: list[tuple[int, int, int]] = []
    batch: list[Tensor] = []
    everything = torch.cat([forget.tensors[0], retain.tensors[0]])
    model = nn.Linear(4, 3)
    model.register_forward_pre_hook(lambda _, inputs: batch.append(inputs[0]))

    def recording(logits: Tensor, y: Tensor) -> Tensor:
        rows = batch.pop()
        for row, label in zip(rows, y.tolist(), strict=True):
            seen.append((int((everything == row).all(1).nonzero()), label, len(y)))
        return loss_of(logits, y)

    method = RandomLabels(
        epochs=20, batch_size=8, loss=recording, fresh_labels=True, true_label=True, forget_first=True
    )
    batch.clear()
    method(model, retain, forget, seed=3)
    assert len(seen) == 20 * 39
    for start in range(0, len(seen), 39):
        assert all(place < 9 for place, _, _ in seen[start : start + 9])
        assert all(place >= 9 for place, _, _ in seen[start + 9 : start + 39])
    for place in range(9):
        assert {label for other, label, _ in seen if other == place} == {0, 1, 2}


def test_mixed_batches_are_remembered_as_asked(blobs: Blobs) -> None:
    """As the authors do it the forget set enters the running statistics, otherwise only the retain set."""
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0), nn.Linear(4, 3))
    retain = TensorDataset(torch.zeros(8, 4), torch.arange(8) % 3)
    theirs, ours = (
        RandomLabels(epochs=1, batch_statistics=s)(model, retain, blobs(9, 1), seed=3) for s in ("authors", "running")
    )
    assert torch.equal(ours[0].running_mean, torch.zeros(4))
    assert not torch.equal(theirs[0].running_mean, torch.zeros(4))


def test_with_two_classes_a_wrong_label_is_the_flipped_label(blobs: Blobs) -> None:
    """One full-batch step is then the closed form of training on flipped labels."""
    retain, forget = blobs(30, 0, classes=2, dtype=torch.float64), blobs(10, 1, classes=2, dtype=torch.float64)
    model = nn.Linear(4, 2).double()
    settings = RandomLabels(epochs=1, lr=0.3, optimizer="sgd", batch_size=40)
    unlearned = settings(model, retain, forget, seed=3)
    x = torch.cat([retain.tensors[0], forget.tensors[0]])
    y = torch.cat([retain.tensors[1], 1 - forget.tensors[1]])
    residual = (torch.softmax(model(x), 1) - torch.eye(2, dtype=x.dtype)[y]).detach() / 40
    torch.testing.assert_close(unlearned.weight, model.weight - 0.3 * residual.T @ x, rtol=0, atol=1e-12)


def test_wrong_labels_are_uniform_over_the_other_classes() -> None:
    y = torch.arange(5).repeat_interleave(2000)
    drawn = wrong_labels(y, 5, torch.Generator().manual_seed(0))
    for label in range(5):
        counts = torch.bincount(drawn[y == label], minlength=5)
        assert counts[label] == 0
        others = counts[torch.arange(5) != label].numpy()
        assert chisquare(others).pvalue > 1e-3


def test_default_is_what_the_docstring_says(blobs: Blobs) -> None:
    method = RandomLabels()
    assert (method.epochs, method.lr, method.optimizer, method.batch_size) == (3, 1e-4, "adam", 128)
    # Adam's first step has the size of its learning rate, whatever the gradient.
    model = nn.Linear(4, 3)
    step = RandomLabels(epochs=1)(model, blobs(30, 0), blobs(9, 1), seed=3).weight - model.weight
    torch.testing.assert_close(step.abs(), torch.full_like(step, 1e-4), rtol=0.01, atol=0)
