from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Subset, TensorDataset

from unlearners import Unsupported
from unlearners._core.layers import inputs_of
from unlearners.class_removal.linear_filtration import LinearFiltration

Blobs = Callable[..., TensorDataset]
MODES = ("normalise", "randomise", "zero")


def trained(data: TensorDataset, seed: int, *, bias: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4, bias=bias)).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(model(data.tensors[0]), data.tensors[1]).backward()
        optimizer.step()
    return model.eval()


def by_class(data: TensorDataset, gone: set[int]) -> tuple[TensorDataset, TensorDataset]:
    x, y = data.tensors
    mask = torch.tensor([int(label) in gone for label in y])
    return TensorDataset(x[~mask], y[~mask]), TensorDataset(x[mask], y[mask])


def mean_logits(model: nn.Module, data: TensorDataset) -> Tensor:
    """A column a class."""
    x, y = data.tensors
    with torch.no_grad():
        return torch.stack([model(x[y == c]).mean(0) for c in y.unique()], 1)


def problem(seed: int, blobs: Blobs, gone: set[int]) -> tuple[TensorDataset, nn.Module, TensorDataset, TensorDataset]:
    data = blobs(80, seed, classes=4, dtype=torch.float64)
    return data, trained(data, seed), *by_class(data, gone)


@pytest.mark.parametrize("gone", [{1}, {0, 3}], ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_mean_logits_of_kept_classes_stay_and_those_of_the_forgotten_follow_the_mode(
    seed: int, mode: Any, gone: set[int], blobs: Blobs
) -> None:
    data, model, retain, forget = problem(seed, blobs, gone)
    kept, lost = sorted({0, 1, 2, 3} - gone), sorted(gone)
    before = mean_logits(model, data)[kept]
    after = mean_logits(LinearFiltration(mode=mode)(model, retain, forget, seed=seed), data)[kept]
    torch.testing.assert_close(after[:, kept], before[:, kept], rtol=0, atol=1e-9)
    if mode == "zero":
        torch.testing.assert_close(after[:, lost], torch.zeros_like(after[:, lost]), rtol=0, atol=1e-9)
    elif mode == "normalise":
        shifted = before[:, lost] - before[:, lost].mean(0) + before[:, kept].mean()
        torch.testing.assert_close(after[:, lost], shifted, rtol=0, atol=1e-9)
    else:
        other = mean_logits(LinearFiltration(mode=mode)(model, retain, forget, seed=seed + 1), data)[kept]
        assert (after[:, lost] - other[:, lost]).abs().min() > 1e-6
        assert after[:, lost].abs().max() < 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_the_forgotten_class_is_never_predicted_and_kept_ones_as_before(seed: int, mode: Any, blobs: Blobs) -> None:
    _, model, retain, forget = problem(seed, blobs, {1})
    unlearned = LinearFiltration(mode=mode)(model, retain, forget, seed=seed)
    anything = 10 * torch.randn(500, 4, dtype=torch.float64)
    assert torch.equal(unlearned(anything)[:, 1], torch.full((500,), -1e4).double())
    assert torch.equal(unlearned(anything).softmax(1)[:, 1], torch.zeros(500).double())

    if mode == "normalise":  # Among the kept classes nothing is answered otherwise: their logits all move alike.
        moved = (unlearned(anything) - model(anything)).detach()[:, [0, 2, 3]]
        torch.testing.assert_close(moved, moved[:, :1].expand(-1, 3), rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_everything_before_the_last_layer_is_bit_identical(mode: Any, blobs: Blobs) -> None:
    data, model, retain, forget = problem(0, blobs, {1})
    unlearned = LinearFiltration(mode=mode)(model, retain, forget, seed=3)
    with inputs_of(model[3]) as features, inputs_of(unlearned[3]) as features_after:
        model(data.tensors[0])
        unlearned(data.tensors[0])
    assert torch.equal(features[0], features_after[0])
    for i in range(3):
        assert all(map(torch.equal, unlearned[i].state_dict().values(), model[i].state_dict().values()))
    assert not torch.equal(unlearned[3].weight, model[3].weight)


def test_it_is_one_linear_map_of_the_logits(blobs: Blobs) -> None:
    """F found by least squares from the logits before and after, on any inputs at all, fits to rounding."""
    _, model, retain, forget = problem(0, blobs, {1})
    unlearned = LinearFiltration()(model, retain, forget, seed=3)
    x = torch.randn(50, 4).double()
    before, after = model(x).detach(), unlearned(x)[:, [0, 2, 3]].detach()
    fitted = torch.linalg.lstsq(before, after).solution
    torch.testing.assert_close(before @ fitted, after, rtol=0, atol=1e-9)


def test_without_a_bias_the_forgotten_logit_is_the_mean_of_the_others(blobs: Blobs) -> None:
    data = blobs(80, 0, classes=4, dtype=torch.float64)
    model = trained(data, 0, bias=False)
    unlearned = LinearFiltration()(model, *by_class(data, {1}), seed=3)
    logits = unlearned(data.tensors[0])
    torch.testing.assert_close(logits[:, 1], logits[:, [0, 2, 3]].mean(1))
    assert not (logits.argmax(1) == 1).any()
    assert unlearned[3].bias is None


def test_requests_can_follow_one_another(blobs: Blobs) -> None:
    """The forgotten class has no more data, and its logit stays out of it."""
    data, model, retain, forget = problem(0, blobs, {1})
    once = LinearFiltration()(model, retain, forget, seed=3)
    rest, more = by_class(retain, {3})
    twice = LinearFiltration()(once, rest, more, seed=3)
    probabilities = twice(data.tensors[0]).softmax(1)
    assert torch.equal(probabilities[:, [1, 3]], torch.zeros(80, 2).double())
    before, after = mean_logits(once, rest), mean_logits(twice, rest)
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]], rtol=0, atol=1e-9)


def test_logits_that_sum_to_zero_are_filtered_up_to_a_shift(blobs: Blobs) -> None:
    """As for a last layer that started at zero: A is singular, and softmax does not notice."""
    x, answers = 3 * torch.randn(100, 4), []
    for dtype in (torch.float32, torch.float64):
        data = blobs(80, 0, classes=4, dtype=dtype)
        model = trained(blobs(80, 0, classes=4, dtype=torch.float64), 0).to(dtype)
        with torch.no_grad():
            for p in model[3].parameters():
                p -= p.mean(0)
        unlearned = LinearFiltration()(model, *by_class(data, {1}), seed=3)
        before, after = (mean_logits(m, data)[[0, 2, 3]] for m in (model, unlearned))
        close = 1e-4 if dtype == torch.float32 else 1e-9
        torch.testing.assert_close(after - after.mean(0), before - before.mean(0), rtol=0, atol=close)
        answers.append(unlearned(x.to(dtype)).softmax(1))
        with pytest.raises(Unsupported, match="linearly independent mean logits"):
            LinearFiltration(mode="zero")(model, *by_class(data, {1}), seed=3)
    # The rounding of single precision is not taken for a direction of the logits.
    torch.testing.assert_close(answers[0].double(), answers[1], rtol=0, atol=1e-4)


def test_classes_that_the_network_does_not_tell_apart_are_refused(blobs: Blobs) -> None:
    data = blobs(80, 0, classes=4)
    model = nn.Linear(4, 4)
    nn.init.zeros_(model.weight)
    with pytest.raises(Unsupported, match="linearly independent mean logits"):
        LinearFiltration(mode="zero")(model, *by_class(data, {1}), seed=3)


def test_only_whole_classes_of_a_network_with_a_last_layer_to_change(blobs: Blobs) -> None:
    data, model, retain, forget = problem(0, blobs, {1})
    with pytest.raises(Unsupported, match=r"LinearFiltration removes whole classes.*\(0, 1\)"):
        LinearFiltration()(model, Subset(data, range(8, 80)), Subset(data, [0, 1]), seed=3)
    model[3].requires_grad_(False)
    with pytest.raises(Unsupported, match="last layer alone, and that layer is frozen"):
        LinearFiltration()(model, retain, forget, seed=3)
    with pytest.raises(Unsupported, match="one logit a class"):
        LinearFiltration()(nn.Linear(4, 1).double(), retain, forget, seed=3)
    with pytest.raises(Unsupported, match=r"ends in an nn\.Linear"):
        LinearFiltration()(nn.Sequential(nn.Linear(4, 4), nn.LogSoftmax(1)).double(), retain, forget, seed=3)


def test_mode_is_checked_where_it_is_given() -> None:
    with pytest.raises(ValueError, match="mode"):
        LinearFiltration(mode="naive")  # type: ignore[arg-type]
