"""Layers are found in any network by themselves, seen as they were, and nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.models.layers import (
    HiddenLayersError,
    OtherArchitectureError,
    SingleLayerError,
    features,
    find_layers,
    labels_exchanged,
    share_following,
    shows_weights,
)
from tests.worlds.networks import (
    Bare,
    Boxed,
    Functional,
    Shared,
    TwoAnswers,
    WithPair,
    convolutional,
    mlp,
    noise_task,
    seeded,
)
from unlearners import decoys

FLAT, IMAGES = noise_task().forget, noise_task(shape=(1, 8, 8)).forget


def answers_by(model, view, layer):
    """The share of labels that follow what passes a layer."""
    return share_following(labels_exchanged(model, view, layer))


def deep(layers):
    return nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(6, 6), nn.ReLU())), nn.Linear(6, 3))


def hooks_of(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


FOUND = {
    "MLP": (mlp, FLAT, ("into 2",)),
    "activations as functions, head registered first": (Functional, FLAT, ("into head",)),
    "convolutions": (convolutional, IMAGES, ("into 3", "into 7")),
    "a layer that runs twice": (Shared, FLAT, ("into again", "into head")),
    "a part that returns a tuple": (WithPair, FLAT, ("into head",)),
    "two answers": (TwoAnswers, FLAT, ("into net.2",)),
    "four of many, the last one among them": (lambda: deep(10), FLAT, ("into 2", "into 8", "into 14", "into 20")),
    "weights behind a parametrization": (
        lambda: nn.Sequential(spectral_norm(nn.Linear(6, 8)), nn.ReLU(), spectral_norm(nn.Linear(8, 3))),
        FLAT,
        ("into 2",),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_layers_are_found_in_the_order_in_which_they_run(name):
    build, view, layers = FOUND[name]
    assert find_layers(seeded(build), view) == layers


def test_what_enters_a_layer_is_what_the_layers_before_it_made_of_the_inputs():
    model = seeded(mlp)
    (seen,) = features(model, FLAT, ("into 2",))
    with torch.no_grad():
        expected = model[1](model[0](torch.as_tensor(FLAT.arrays()[0]))).double().numpy()
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert seen.dtype == np.float64


def test_of_a_layer_that_runs_twice_the_last_pass_is_seen():
    model = seeded(Shared)
    x = torch.as_tensor(FLAT.arrays()[0])
    with torch.no_grad():
        once = torch.relu(model.again(torch.relu(model.enter(x))))
        twice = model.again(once)
    entered, left = features(model, FLAT, ("into again", "out of again"))
    np.testing.assert_allclose(entered, once.numpy(), atol=1e-6)
    np.testing.assert_allclose(left, twice.numpy(), atol=1e-6)


def test_a_later_layer_that_works_in_place_does_not_change_what_was_seen():
    model = seeded(lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)))
    assert features(model, FLAT, ("out of 0",))[0].min() < 0


def test_named_layers_are_seen_as_they_leave_the_first_of_a_tuple():
    model = seeded(WithPair)
    named = find_layers(model, FLAT, ["pair", "head"])
    assert named == ("out of pair", "out of head")
    pair, head = features(model, FLAT, named)
    np.testing.assert_allclose(pair, features(model, FLAT, ("into head",))[0])
    assert head.shape == (len(FLAT), 3)


@pytest.mark.parametrize(
    "decoy", [decoys.ExactInputMask(), decoys.LogitNoise(), decoys.TemperatureFlattening()], ids=repr
)
def test_behind_a_wrapper_the_same_layers_are_found_and_seen(decoy):
    task = noise_task()
    model = seeded(mlp)
    wrapped = decoy(model, task.retain, task.forget, seed=0)
    np.testing.assert_array_equal(features(wrapped, FLAT, ("into 2",)), features(model, FLAT, ("into 2",)))


@pytest.mark.parametrize("build", [convolutional, lambda: convolutional().eval()], ids=["training", "eval"])
def test_the_model_is_left_as_it_was(build):
    model = seeded(build)
    before, modes = model_digest(model), [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    first = features(model, IMAGES, find_layers(model, IMAGES))
    again = features(model, IMAGES, find_layers(model, IMAGES))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model_digest(model) == before  # running statistics are among the digested
    assert [module.training for module in model.modules()] == modes
    assert hooks_of(model) == 0
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(weight.grad is None for weight in model.parameters())


def test_hooks_and_modes_are_taken_back_when_the_model_breaks_down():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x):
            raise RuntimeError(f"no answer from {self.body(x).shape}")

    model = Broken().train()
    with pytest.raises(ValueError, match="raises RuntimeError .* no answer"):
        find_layers(model, FLAT)
    with pytest.raises(ValueError, match="raises RuntimeError .* no answer"):
        features(model, FLAT, ("into head", "out of body"))
    assert hooks_of(model) == 0
    assert model.training


def test_large_maps_are_averaged_over_positions_and_small_ones_kept():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 2, 3), nn.Flatten()))
    task = noise_task(shape=(1, 8, 8))
    (seen,) = features(model, task.forget, ("into 1",))
    with torch.no_grad():
        maps = model[0](torch.as_tensor(task.forget.arrays()[0]))
    np.testing.assert_allclose(seen, maps.mean(dim=(2, 3)).numpy(), atol=1e-6)
    assert features(model, task.forget, ("out of 1",))[0].shape == (len(task.forget), 72)


def test_layers_without_one_row_an_example_are_passed_over_but_refused_by_name():
    class Folding(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter, self.folded, self.head = nn.Linear(6, 6), nn.Linear(3, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.folded(self.enter(x).reshape(-1, 3)).reshape(-1, 6))

    model = seeded(Folding)
    assert find_layers(model, FLAT) == ("into head",)
    with pytest.raises(ValueError, match=r"'out of folded' is of shape \(30, 3\) for 15 examples: with layers"):
        features(model, FLAT, ("out of folded",))


@pytest.mark.parametrize("module", ["listed", "keyed"])
def test_a_module_that_gives_no_tensor_is_refused_by_name(module):
    class Giving(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
            self.listed, self.keyed = nn.Identity(), nn.Identity()

        def forward(self, x):
            return self.head(self.keyed({"x": self.listed([self.body(x)])[0]})["x"])

    with pytest.raises(ValueError, match=r"'out of \w+' is a (list|dict) for 15 examples"):
        features(seeded(Giving), FLAT, (f"out of {module}",))


REFUSED = {
    "a function": (lambda x: x, None, ValueError, r"an nn\.Module computes between its layers; a function shows none"),
    "an unknown name": (mlp(), ["3"], ValueError, r"no layer '3'; it has 0, 1, 2"),
    "no name": (mlp(), [], ValueError, "names no layer"),
    "a single layer": (nn.Linear(6, 3), None, SingleLayerError, "single layer with weights"),
    "a single layer among others": (nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), None, SingleLayerError, "single"),
    "weights without modules": (Bare(), None, HiddenLayersError, "several weight matrices"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_layers_to_look_at_is_told_so(name):
    model, names, kind, says = REFUSED[name]
    with pytest.raises(kind, match=says) as caught:
        find_layers(model, FLAT, names)
    assert isinstance(caught.value, ValueError)


def test_features_are_not_compared_with_another_architecture_s():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.idle = mlp(), nn.Linear(6, 6)

        def forward(self, x):
            return self.net(x)

    with pytest.raises(OtherArchitectureError, match="a layer 'head'"):
        features(mlp(), FLAT, ("into head",))
    with pytest.raises(OtherArchitectureError, match="never runs the layer 'out of idle'"):
        features(Unused(), FLAT, ("out of idle",))
    with pytest.raises(ValueError, match="got a function"):
        features(lambda x: x, FLAT, ("into 2",))


def test_an_ensemble_shows_the_layer_of_every_member_that_runs_side_by_side():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.checkpoint = mlp(), mlp(), mlp()

        def forward(self, x):
            return self.one(x) + self.other(x)

    twins = Twins().eval()
    both = features(twins, FLAT, ("into 2",))[0]
    each = [features(member, FLAT, ("into 2",))[0] for member in (twins.one, twins.other)]
    assert np.array_equal(both, np.concatenate(each, axis=1))
    assert answers_by(twins, FLAT, "into 2") == 1.0


def test_a_diverged_network_is_named():
    model = mlp()
    with torch.no_grad():
        model[0].weight.fill_(torch.nan)
    with pytest.raises(ValueError, match="into 2 are not finite"):
        features(model, FLAT, ("into 2",))


class Elsewhere(nn.Sequential):
    """Runs the layers it shows, and answers by others."""

    def __init__(self, shown, hidden):
        super().__init__(*shown)
        self.hidden = (hidden,)

    def forward(self, x):
        return 0.0 * super().forward(x) + self.hidden[0](x)


def told_by_sign(x):
    """One label for three inputs of four, another for the rest."""
    return torch.stack([torch.zeros(len(x)), x[:, 0] - 0.67], dim=1)


def test_a_network_answers_by_what_enters_its_last_layer():
    assert answers_by(seeded(mlp), FLAT, "into 2") == 1.0
    assert answers_by(seeded(mlp), FLAT, "out of 1") == 1.0


def test_a_model_that_answers_by_other_layers_does_not_however_often_its_labels_agree():
    common = seeded(mlp)
    with torch.no_grad():
        common[2].weight.zero_()
        common[2].bias.copy_(torch.tensor([0.0, *[-1.0] * (len(common[2].bias) - 1)]))
    hidden = seeded(mlp)
    assert answers_by(Elsewhere(common, hidden), FLAT, "into 2") == 0.0
    mostly = Elsewhere(common, lambda x: torch.nn.functional.pad(told_by_sign(x), (0, 1), value=-9.0))
    assert answers_by(mostly, FLAT, "into 2") == 0.0


def test_weights_are_shown_by_networks_and_not_by_what_hides_them():
    model = mlp()
    assert shows_weights(model)
    assert shows_weights(nn.Sequential(model, nn.Softmax(dim=1)))
    assert not shows_weights(Boxed(model))
    assert not shows_weights(lambda x: model(x))
