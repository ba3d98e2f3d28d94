import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from tests.methods.neurips2023.digits import Recorder, changed, network, numbers, outcome
from unlearners._core.isolation import Unsupported
from unlearners.neurips2023.fanchuan import Fanchuan, contrast

Blobs = Callable[..., TensorDataset]
seeds = pytest.mark.parametrize("seed", range(3))


@seeds
def test_the_first_stage_is_a_step_towards_uniform_predictions(seed: int, blobs: Blobs) -> None:
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = Fanchuan(epochs=0, uniform_lr=0.3, weight_decay=0.1)(model, retain, forget, seed=seed)
    x, _ = forget.tensors
    slope = (torch.softmax(model(x), 1) - 1 / 3).detach() / len(x)
    torch.testing.assert_close(unlearned.weight, model.weight - 0.3 * slope.T @ x, rtol=0, atol=1e-13)
    torch.testing.assert_close(unlearned.bias, model.bias - 0.3 * slope.sum(0), rtol=0, atol=1e-13)


@seeds
def test_the_first_stage_is_one_epoch_of_small_batches(seed: int, blobs: Blobs) -> None:
    model = Recorder()
    Fanchuan(epochs=0, forget_batch_size=2)(model, numbers(0, 9), numbers(100, 6), seed=seed)
    assert [len(batch) for batch in Recorder.seen] == [2, 2, 2]
    assert sorted(i for batch in Recorder.seen for i in batch) == list(range(100, 106))


@seeds
def test_the_contrastive_loss_is_the_log_softmax_of_similarities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forget, retain = rng.normal(size=(5, 3)), rng.normal(size=(7, 3))
    total = 0.0
    for z in forget:
        similar = np.array([z @ r for r in retain]) / 1.15
        total += sum(math.log(sum(np.exp(similar - s))) for s in similar)
    ours = contrast(torch.tensor(forget), torch.tensor(retain), 1.15).item()
    assert ours == pytest.approx(total / 35, rel=1e-13)


def test_the_supervised_variant_counts_pairs_of_other_labels_and_may_use_cosines(blobs: Blobs) -> None:
    """One step of each variant, by autograd over the loss written out pair by pair."""
    for normalised in (False, True):
        retain, forget, model = blobs(12, 0, dtype=torch.float64), blobs(5, 1, dtype=torch.float64), linear(0)
        method = Fanchuan(
            epochs=1, lr=0, momentum=0, uniform_lr=0, forget_lr=0.3, contrast="other-labels", normalised=normalised,
            temperature=0.5,
        )  # fmt: skip
        weight, bias = (p.requires_grad_() for p in parts(model))
        z, r = (data.tensors[0] @ weight.T + bias for data in (forget, retain))
        r = r.detach()
        if normalised:
            z, r = z / z.norm(dim=1, keepdim=True), r / r.norm(dim=1, keepdim=True)
        terms = []
        for one, label in zip(z, forget.tensors[1], strict=True):
            similar = r @ one / 0.5
            terms += [similar.logsumexp(0) - similar[j] for j in range(12) if retain.tensors[1][j] != label]
        slope, _ = torch.autograd.grad(torch.stack(terms).mean(), (weight, bias))
        unlearned = method(model, retain, forget, seed=3)
        torch.testing.assert_close(unlearned.weight, model.weight - 0.3 * slope, rtol=0, atol=1e-12)


def contrastive_slope(weight: Tensor, bias: Tensor, gone: Tensor, kept: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """Of the contrastive loss in weight and bias, retain logits being constants."""
    z, r = gone @ weight.T + bias, kept @ weight.T + bias
    attention = torch.softmax(z @ r.T / t, 1)
    slope = (attention @ r - r.mean(0)) / (t * len(z))
    return slope.T @ gone, slope.sum(0)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@seeds
def test_rounds_alternate_contrast_and_cross_entropy_each_with_its_own_momentum(
    seed: int, momentum: float, blobs: Blobs
) -> None:
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    method = Fanchuan(
        epochs=3, lr=0.2, momentum=momentum, weight_decay=0.1,
        uniform_lr=0.0, forget_lr=0.05, forget_lr_min=0.01, temperature=0.7,
    )  # fmt: skip
    unlearned = method(model, retain, forget, seed=seed)
    weights = list(parts(model))
    forget_speed, retain_speed = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for i in range(3):
        lr = 0.01 + 0.04 * (1 + math.cos(math.pi * i / 3)) / 2
        slopes = contrastive_slope(*weights, forget.tensors[0], retain.tensors[0], 0.7)
        forget_speed = [momentum * v + g for v, g in zip(forget_speed, slopes, strict=True)]
        weights = [w - lr * v for w, v in zip(weights, forget_speed, strict=True)]
        slopes = gradients(*weights, *retain.tensors)
        retain_speed = [momentum * v + g + 0.1 * w for v, g, w in zip(retain_speed, slopes, weights, strict=True)]
        weights = [w - 0.2 * v for w, v in zip(weights, retain_speed, strict=True)]
    torch.testing.assert_close(unlearned.weight, weights[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, weights[1], rtol=0, atol=1e-12)


def test_a_round_passes_over_the_forget_set_and_then_over_the_retain_set() -> None:
    Fanchuan(epochs=2, batch_size=5, forget_batch_size=4)(Recorder(), numbers(0, 10), numbers(100, 8), seed=3)
    kinds = ["forget" if min(batch) >= 100 else "retain" for batch in Recorder.seen]
    assert kinds == ["forget"] * 2 + 2 * (["retain", "forget"] * 2 + ["retain"] * 2)
    for start in (2, 8):
        assert sorted(Recorder.seen[start + 1] + Recorder.seen[start + 3]) == list(range(100, 108))
        assert sorted(Recorder.seen[start + 4] + Recorder.seen[start + 5]) == list(range(10))


def test_the_contrastive_rate_falls_within_a_round_too(blobs: Blobs) -> None:
    method = Fanchuan(forget_lr=0.4, forget_lr_min=0.2)
    assert [method.contrast_rate(p) for p in (0, 0.5, 1)] == pytest.approx([0.4, 0.3, 0.2])
    retain, forget, model = blobs(30, 0, dtype=torch.float64), blobs(2, 1, dtype=torch.float64), linear(0)
    twins = TensorDataset(*(torch.cat([t[:1], t[:1]]) for t in forget.tensors))
    method = Fanchuan(epochs=1, lr=0, momentum=0, uniform_lr=0, forget_lr=0.4, forget_lr_min=0.2, forget_batch_size=1)
    weights, x = list(parts(model)), twins.tensors[0][:1]
    for lr in (0.4, 0.3):
        slopes = contrastive_slope(*weights, x, retain.tensors[0], 1.15)
        weights = [w - lr * g for w, g in zip(weights, slopes, strict=True)]
    torch.testing.assert_close(method(model, retain, twins, seed=3).weight, weights[0], rtol=0, atol=1e-12)


def test_forget_labels_are_not_used(blobs: Blobs) -> None:
    retain, forget, model = blobs(30, 0), blobs(9, 1), nn.Linear(4, 3)
    other = TensorDataset(forget.tensors[0], (forget.tensors[1] + 1) % 3)
    assert not changed(*(Fanchuan(epochs=2)(model, retain, data, seed=3) for data in (forget, other)))


def test_forget_data_are_not_written_into_buffers(blobs: Blobs) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0), nn.Linear(4, 3))
    retain = TensorDataset(torch.zeros(8, 4), torch.arange(8) % 3)
    unlearned = Fanchuan(epochs=2, batch_size=8, batch_statistics="running")(model, retain, blobs(9, 1), seed=3)
    assert torch.equal(unlearned[0].running_mean, torch.zeros(4))


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    method = Fanchuan(lr=0.02, batch_size=32, weight_decay=1e-3, uniform_lr=0.05, forget_lr=3e-3, forget_batch_size=8)
    kept, gone = outcome(method)
    assert kept > 0.9
    assert gone < 0.35


def test_a_single_logit_is_refused(blobs: Blobs) -> None:
    with pytest.raises(Unsupported, match="Fanchuan needs one logit a class"):
        Fanchuan()(nn.Linear(4, 1), blobs(30, 0, classes=2), blobs(9, 1, classes=2), seed=3)


@pytest.mark.parametrize("lr", [1e38, 3e38])
def test_divergence_in_a_contrastive_pass_leaves_finite_weights(lr: float, blobs: Blobs) -> None:
    with pytest.warns(RuntimeWarning, match="Fanchuan diverged"):
        unlearned = Fanchuan(forget_lr=lr, epochs=3)(network(0), *_images(), seed=3)
    assert all(bool(p.isfinite().all()) for p in unlearned.parameters())


def _images() -> tuple[TensorDataset, TensorDataset]:
    generator = torch.Generator().manual_seed(0)
    return tuple(TensorDataset(torch.randn(n, 1, 8, 8, generator=generator), torch.arange(n) % 10) for n in (20, 6))


@pytest.mark.parametrize(
    ("field", "value"),
    [("uniform_lr", -1.0), ("forget_lr", math.nan), ("forget_lr_min", math.inf), ("forget_batch_size", 0),
     ("temperature", 0.0), ("contrast", "none")],
)  # fmt: skip
def test_hyper_parameters_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Fanchuan(**{field: value})
