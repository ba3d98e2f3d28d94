"""What every unlearner promises, whatever its method: `unlearner(model, retain, forget, *, seed) -> model`."""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset

import unlearners
from unlearners import TEXT_UNLEARNERS, UNLEARNERS, Unsupported, from_loaders

Blobs = Callable[..., TensorDataset]


def network(outputs: int = 3, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Has everything that can go wrong: buffers, dropout, and a layer that the user keeps in eval mode."""
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.BatchNorm1d(8), nn.Linear(8, outputs)
    ).to(dtype)
    torch.set_rng_state(generator_state)
    model[4].eval()
    return model


def recipe(dataset: Any, *, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Linear(4, 3)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    return model


def kit(model: nn.Module, retain_loader: Any, forget_loader: Any, validation_loader: Any) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in retain_loader:
        optimizer.zero_grad()
        logits = model(x)
        nn.functional.cross_entropy(logits, y).backward()
        optimizer.step()
    model.eval()


GRADIENT = {
    name: UNLEARNERS[name](epochs=2, lr=0.05, batch_size=8)
    for name in ("fine-tune", "gradient-ascent", "neggrad-plus", "random-labels")
}
APPROXIMATE = {**GRADIENT, "from-loaders": from_loaders(kit, batch_size=8)}
METHODS = {**APPROXIMATE, "retrain": UNLEARNERS["retrain"](recipe), "no-op": UNLEARNERS["no-op"]()}

all_methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
approximate = pytest.mark.parametrize("method", APPROXIMATE.values(), ids=APPROXIMATE)
gradient = pytest.mark.parametrize("method", GRADIENT.values(), ids=GRADIENT)


def weights(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def same(a: nn.Module, b: nn.Module) -> bool:
    return len(weights(a)) == len(weights(b)) and all(map(torch.equal, weights(a), weights(b)))


def surroundings() -> tuple[Any, ...]:
    """Everything global that a method might disturb."""
    cudnn = torch.backends.cudnn
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
        torch.get_num_threads(),
    )


@all_methods
def test_input_and_surroundings_are_untouched(method: Any, blobs: Blobs) -> None:
    model = network()
    model(torch.randn(5, 4)).sum().backward()
    model[0].bias.requires_grad_(False)
    tensors = [t.detach().clone() for t in weights(model)]
    grads = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    flags = [p.requires_grad for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002 - earlier tests may have left the state that seed 3 gives
    storages = {t.data_ptr() for t in weights(model)}
    before = surroundings()

    unlearned = method(model, blobs(30, 0), blobs(9, 1), seed=3)

    assert surroundings() == before
    assert all(map(torch.equal, weights(model), tensors))
    assert all(p.grad is g is None or torch.equal(p.grad, g) for p, g in zip(model.parameters(), grads, strict=True))
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [m.training for m in model.modules()] == modes
    assert storages.isdisjoint(t.data_ptr() for t in weights(unlearned))


@all_methods
def test_same_seed_same_weights_whatever_the_global_state(method: Any, blobs: Blobs) -> None:
    retain, forget, model = blobs(30, 0), blobs(18, 1), network()
    results = []
    for state in (1, 2):
        torch.manual_seed(state)
        np.random.seed(state)  # noqa: NPY002
        results.append(method(model, retain, forget, seed=3))
    assert same(*results)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"no-op"}))
def test_another_seed_gives_other_weights(name: str, blobs: Blobs) -> None:
    retain, forget, model = blobs(30, 0), blobs(18, 1), network()
    assert not same(*(METHODS[name](model, retain, forget, seed=seed) for seed in (3, 4)))


@approximate
def test_the_result_is_changed_and_ready_to_use(method: Any, blobs: Blobs) -> None:
    model = network()
    unlearned = method(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert not same(unlearned, model)
    assert [m.training for m in unlearned.modules()] == [m.training for m in model.modules()]
    assert [p.requires_grad for p in unlearned.parameters()] == [p.requires_grad for p in model.parameters()]
    assert all(p.grad is None for p in unlearned.parameters())
    assert all(bool(t.isfinite().all()) for t in weights(unlearned))


@approximate
def test_nothing_to_forget_changes_nothing(method: Any, blobs: Blobs) -> None:
    model, retain = network(), blobs(30, 0)
    unlearned = method(model, retain, Subset(retain, []), seed=3)
    assert unlearned is not model
    assert same(unlearned, model)


@approximate
def test_batch_norm_survives_one_forget_example_and_a_last_batch_of_one(method: Any, blobs: Blobs) -> None:
    unlearned = method(network(), blobs(24 if method is METHODS["random-labels"] else 25, 0), blobs(1, 1), seed=3)
    assert all(bool(t.isfinite().all()) for t in weights(unlearned))


@gradient
def test_frozen_layers_stay_frozen_with_their_statistics(method: Any, blobs: Blobs) -> None:
    model = network()
    for layer in (model[0], model[1]):
        layer.requires_grad_(False)
    unlearned = method(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert all(same(unlearned[i], model[i]) for i in (0, 1))
    assert not same(unlearned[5], model[5])


@pytest.mark.parametrize("name", ["gradient-ascent", "neggrad-plus", "random-labels", "salun", "scrub", "label-flip"])
def test_forget_data_is_not_written_into_buffers(name: str, blobs: Blobs) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0), nn.Linear(4, 3))
    retain = TensorDataset(torch.zeros(8, 4), torch.zeros(8, dtype=torch.long))
    as_asked = {} if name in ("gradient-ascent", "label-flip") else {"batch_statistics": "running"}
    method = UNLEARNERS[name](epochs=2, lr=0.05, batch_size=8, **as_asked)
    unlearned = method(model, retain, blobs(9, 1), seed=3)
    assert torch.equal(unlearned[0].running_mean, torch.zeros(4))
    assert not same(unlearned, model)


AGAINST_ONE_RETAINED = (
    "fine-tune, l2-anchored-fine-tune, l1-sparse, neggrad-plus, scrub, fanchuan, msg, seif, prmq, kde, repeated-noise, "
    "cf-k, eu-k, random-labels, salun, incompetent-teacher"
)


@pytest.mark.parametrize("name", AGAINST_ONE_RETAINED.split(", "))
def test_one_retained_example_is_enough_for_batch_norm(name: str, blobs: Blobs) -> None:
    unlearned = UNLEARNERS[name](epochs=1)(network(), blobs(1, 0), blobs(9, 1), seed=3)
    assert all(bool(t.isfinite().all()) for t in weights(unlearned))


@pytest.mark.parametrize("name", ["fine-tune", "random-labels", "ssd", "fisher-forgetting"])
def test_a_model_that_squeezes_its_logit_survives_a_batch_of_one(name: str, blobs: Blobs) -> None:
    class Squeezed(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).squeeze()

    unlearned = UNLEARNERS[name]()(Squeezed(4, 1), blobs(8, 0, classes=2), blobs(1, 1, classes=2), seed=3)
    assert bool(unlearned.weight.isfinite().all())


def test_flipped_and_foreign_rows_are_read(blobs: Blobs) -> None:
    x, y = blobs(30, 0).tensors
    rows = [(row[::-1][::-1].astype(">f4")[::-1][::-1], int(label)) for row, label in zip(x.numpy(), y, strict=True)]
    method, forget = GRADIENT["fine-tune"], blobs(9, 1)
    assert same(method(network(), rows, forget, seed=3), method(network(), blobs(30, 0), forget, seed=3))


def test_statistics_that_overflow_are_taken_back(blobs: Blobs) -> None:
    """BatchNorm divides by what it has seen, so its outputs stay finite while its buffers do not."""
    x, y = blobs(30, 0).tensors
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    with pytest.warns(RuntimeWarning, match="diverged"):
        unlearned = UNLEARNERS["fine-tune"]()(model, TensorDataset(x * 1e20, y), blobs(9, 1), seed=3)
    assert all(bool(t.isfinite().all()) for t in weights(unlearned))


@gradient
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(method: Any, mode: Any, blobs: Blobs) -> None:
    model, retain, forget = network(), blobs(30, 0), blobs(9, 1)
    expected = method(model, retain, forget, seed=3)
    with mode():
        assert same(method(model, retain, forget, seed=3), expected)


@approximate
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.filterwarnings("error")
def test_numpy_rows_are_cast_to_the_dtype_of_the_model(method: Any, dtype: torch.dtype, blobs: Blobs) -> None:
    def rows(dataset: TensorDataset) -> list[tuple[Any, int]]:
        x, y = dataset.tensors
        arrays = x.double().numpy()
        arrays.flags.writeable = False
        return list(zip(arrays, y.tolist(), strict=True))

    model, retain, forget = network(dtype=dtype), blobs(30, 0), blobs(9, 1)
    unlearned = method(model, rows(retain), rows(forget), seed=3)
    assert {p.dtype for p in unlearned.parameters()} == {dtype}
    if dtype == torch.float32:
        assert same(unlearned, method(model, retain, forget, seed=3))


@gradient
@pytest.mark.parametrize("squeeze", [False, True])
def test_a_single_logit_is_binary(method: Any, squeeze: bool, blobs: Blobs) -> None:
    """Logits (0, z) under cross-entropy are the logit z under BCE: both models take the same steps."""

    class Padded(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            z = self.net(x)
            return torch.cat([torch.zeros_like(z), z], 1)

    single = nn.Linear(4, 1)
    retain, forget = blobs(30, 0, classes=2), blobs(9, 1, classes=2)
    double = method(Padded(single), retain, forget, seed=3).net
    net = method(nn.Sequential(single, nn.Flatten(0)) if squeeze else single, retain, forget, seed=3)
    torch.testing.assert_close((net[0] if squeeze else net).weight, double.weight)
    assert not torch.equal(double.weight, single.weight)


@approximate
def test_a_model_without_gradients_is_refused_in_a_sentence(method: Any, blobs: Blobs) -> None:
    retain = blobs(30, 0)
    model = LogisticRegression().fit(*(t.numpy() for t in retain.tensors))
    with pytest.raises(Unsupported, match=r"needs a torch\.nn\.Module, not LogisticRegression"):
        method(model, retain, blobs(9, 1), seed=3)
    assert issubclass(Unsupported, TypeError)


@gradient
def test_an_entirely_frozen_model_is_refused(method: Any, blobs: Blobs) -> None:
    with pytest.raises(Unsupported, match="every parameter of the model is frozen"):
        method(network().requires_grad_(False), blobs(30, 0), blobs(9, 1), seed=3)


@pytest.mark.parametrize("name", GRADIENT)
def test_an_empty_retain_set_is_an_error(name: str, blobs: Blobs) -> None:
    forget = blobs(9, 1)
    with pytest.raises(ValueError, match="asked to forget the whole dataset"):
        GRADIENT[name](network(), Subset(forget, []), forget, seed=3)


@pytest.mark.parametrize("name", GRADIENT)
@pytest.mark.parametrize(
    "wrong", [{"epochs": -1}, {"lr": float("nan")}, {"batch_size": 0}, {"optimizer": "lion"}, {"schedule": "step"}]
)
def test_hyper_parameters_are_checked_where_they_are_given(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UNLEARNERS[name](**wrong)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@gradient
def test_data_follow_the_model_to_its_device(method: Any, blobs: Blobs) -> None:
    model = network().cuda()
    state = torch.cuda.get_rng_state()
    unlearned = method(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert {p.device.type for p in unlearned.parameters()} == {"cuda"}
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_every_method_of_the_table_can_be_imported_by_its_own_name() -> None:
    names = [
        type(method).__name__ if not isinstance(method, type) else method.__name__ for method in UNLEARNERS.values()
    ]
    assert len(set(names)) == len(UNLEARNERS) == 58
    assert all(getattr(unlearners, name) is UNLEARNERS[key] for key, name in zip(UNLEARNERS, names, strict=True))
    text = {method.__name__ for method in TEXT_UNLEARNERS.values()}
    assert len(text) == len(TEXT_UNLEARNERS) == 10
    helpers = {
        "UNLEARNERS",
        "TEXT_UNLEARNERS",
        "UnlearnableForestClassifier",
        "Unsupported",
        "by_index",
        "from_loaders",
        "isolated",
        "to_loaders",
    }
    assert {*names} | text | helpers == {*unlearners.__all__}


def test_importing_the_package_imports_neither_torch_nor_the_auditor() -> None:
    code = (
        "import sys, unlearners; dir(unlearners); assert 'torch' not in sys.modules\n"
        "for name in unlearners.__all__: getattr(unlearners, name)\n"
        "assert 'torch' in sys.modules and not any(m.startswith('pytest') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
