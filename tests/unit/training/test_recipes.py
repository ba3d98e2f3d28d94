"""Recipes: reproducible under a seed, and without a trace in the process that calls them."""

import random

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from torch import nn

from pytest_unlearn.training import EstimatorRecipe, Recipe, TorchRecipe, builder, fingerprint, stack
from tests.unit.training.images import Images


class Blobs:
    """Two or more clouds of points."""

    def __init__(self, n=60, classes=2, dtype=torch.float32):
        generator = np.random.default_rng(0)
        self.y = generator.integers(0, classes, n)
        self.X = torch.tensor(generator.normal(self.y[:, None], 0.3, (n, 6)), dtype=dtype)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.X[index], int(self.y[index])


def mlp(outputs=2, dtype=torch.float32):
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, outputs)).to(
        dtype
    )


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def accuracy(model, data):
    logits = model(data.X.to(next(model.parameters()).dtype))
    answers = (logits.reshape(-1) > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
    return float((answers.numpy() == data.y).mean())


@pytest.mark.parametrize("optimizer", ["adam", "sgd", lambda parameters: torch.optim.AdamW(parameters, lr=1e-2)])
def test_the_same_seed_gives_the_same_model_and_another_seed_another(optimizer):
    recipe = TorchRecipe(mlp, epochs=2, optimizer=optimizer, learning_rate=1e-2)
    one, again, other = (recipe(Blobs(), seed=seed) for seed in (3, 3, 4))
    assert same(one, again)
    assert not same(one, other)
    assert not one.training


def test_what_happened_before_does_not_change_the_model():
    recipe = TorchRecipe(mlp, epochs=1)
    expected = recipe(Blobs(), seed=1)
    torch.manual_seed(99)
    with torch.no_grad():
        assert same(expected, recipe(Blobs(), seed=1))
    with torch.inference_mode():
        assert same(expected, recipe(Blobs(), seed=1))


def test_global_state_is_left_as_it_was():
    def rude():
        torch.set_default_dtype(torch.float64)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return mlp()

    def state():
        numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
        threads, grad, dtype = torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
        return (*random.getstate()[1][:5], numpy_state, torch.random.get_rng_state().tolist(), threads, grad, dtype)

    before = state()
    TorchRecipe(rude, epochs=1)(Blobs(), seed=5)
    assert state() == before


@pytest.mark.parametrize(("outputs", "classes"), [(1, 2), (2, 2), (5, 5)])
def test_models_with_one_logit_or_several_learn(outputs, classes):
    data = Blobs(200, classes)
    recipe = TorchRecipe(lambda: nn.Linear(6, outputs), epochs=100, learning_rate=0.05)
    assert accuracy(recipe(data, seed=0), data) > 0.8


def test_inputs_are_cast_to_the_models_dtype():
    model = TorchRecipe(lambda: mlp(dtype=torch.float64), epochs=1)(Blobs(), seed=0)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}


def test_token_inputs_stay_whole_numbers():
    data = [(np.array([1, 2, 3]), 0), (np.array([4, 5, 6]), 1)]
    model = TorchRecipe(lambda: nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)), epochs=1)(
        data, seed=0
    )
    assert model(torch.tensor([[1, 2, 3]])).shape == (1, 2)


def test_a_last_batch_of_one_example_does_not_break_batch_normalisation():
    TorchRecipe(mlp, epochs=1, batch_size=8)(Blobs(17), seed=0)


def test_labels_without_a_logit_are_refused():
    with pytest.raises(ValueError, match="one logit for each class"):
        TorchRecipe(mlp, epochs=1)(Blobs(classes=5), seed=0)


def test_a_diverging_training_says_so():
    with pytest.raises(FloatingPointError, match="lower the learning_rate"):
        TorchRecipe(lambda: nn.Linear(6, 2), epochs=20, learning_rate=1e38, optimizer="sgd")(Blobs(), seed=0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a finite number above 0"),
        ({"optimizer": "adamw"}, "use 'adam', 'sgd'"),
        ({"schedule": "linear"}, "use 'cosine', or None"),
        ({"precision": "fp16"}, "use 'float32' or 'bf16'"),
    ],
)
def test_impossible_settings_are_refused_before_training(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        TorchRecipe(mlp, **arguments)


def test_every_random_state_of_an_estimator_follows_the_seed():
    pipeline = Pipeline(
        [("s", SelectFromModel(RandomForestClassifier(5))), ("m", RandomForestClassifier(5, random_state=1))]
    )
    fitted = EstimatorRecipe(pipeline)(Blobs(), seed=11)
    assert fitted.named_steps["m"].random_state == 11
    assert fitted.named_steps["s"].estimator.random_state == 11
    assert pipeline.named_steps["m"].random_state == 1


def test_estimators_get_flat_rows():
    images = [(np.ones((3, 4)) * label, label) for label in (0, 1, 0, 1)]
    assert EstimatorRecipe(LogisticRegression())(images, seed=0).n_features_in_ == 12


def test_a_dataset_is_asked_for_its_arrays_when_it_has_them():
    class Fast:
        def arrays(self):
            return np.ones((3, 2)), np.array([0, 1, 0])

    X, y = stack(Fast())
    assert X.shape == (3, 2)
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "empty"),
        ([(np.ones(3), 0), (np.ones(4), 1)], r"example 1 has shape \(4,\)"),
        ([(np.ones(3), 0.5)], "whole numbers"),
    ],
)
def test_data_that_cannot_be_stacked_is_refused_with_a_reason(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        stack(data)


def test_a_build_function_is_found_through_a_recipe_with_a_key():
    recipe = TorchRecipe(mlp)
    assert builder(Recipe(Recipe(recipe), key="v1")) is mlp
    assert builder(lambda dataset, *, seed: None) is None


class Flattening(nn.Module):
    """Flattens feature maps with `flatten`, as it may, or with `view`, which needs them channel by channel."""

    def __init__(self, flatten=lambda maps: maps.flatten(1)):
        super().__init__()
        self.maps, self.head, self.flatten = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 64, 2), flatten

    def forward(self, x):
        """Answer with logits."""
        return self.head(self.flatten(torch.relu(self.maps(x))))


def shifted(batch, generator):
    return torch.roll(batch, int(torch.randint(-2, 3, (), generator=generator)), -1)


def noisy(batch, generator):
    return batch.add_(torch.randn(batch.shape, generator=generator) / 10)


SETTINGS = [{"schedule": "cosine"}, {"augment": shifted}, {"augment": noisy}, {"precision": "bf16"}]


@pytest.mark.parametrize("settings", SETTINGS, ids=["cosine", "shifted", "noisy", "bf16"])
def test_each_setting_learns_is_reproducible_and_another_recipe_to_the_cache(settings):
    recipe, plain = (
        TorchRecipe(Flattening, epochs=10, learning_rate=0.01, **settings),
        TorchRecipe(Flattening, epochs=10),
    )
    data = Images()
    before = data.X.clone()
    one, again, other = (recipe(data, seed=seed) for seed in (3, 3, 4))
    assert same(one, again)
    assert not same(one, other)
    assert not same(one, plain(data, seed=3))
    assert accuracy(one, data) > 0.9
    assert {parameter.dtype for parameter in one.parameters()} == {torch.float32}
    assert torch.equal(data.X, before)
    assert fingerprint(recipe) != fingerprint(plain)


def test_two_augmentations_are_two_recipes():
    assert fingerprint(TorchRecipe(mlp, augment=shifted)) != fingerprint(TorchRecipe(mlp, augment=noisy))


def test_the_rate_falls_to_zero_along_a_cosine():
    rates = []

    class Noting(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    recipe = TorchRecipe(
        mlp, epochs=3, batch_size=20, optimizer=lambda parameters: Noting(parameters, lr=0.5), schedule="cosine"
    )
    recipe(Blobs(60), seed=0)
    np.testing.assert_allclose(rates, 0.25 * (1 + np.cos(np.pi * np.arange(9) / 9)), atol=1e-12)


def test_a_network_that_takes_views_of_its_maps_trains_too():
    data = Images()
    model = TorchRecipe(lambda: Flattening(lambda maps: maps.view(len(maps), -1)), epochs=10, learning_rate=0.01)(
        data, seed=3
    )
    assert accuracy(model, data) > 0.9


def test_a_trained_network_s_weights_lie_as_they_usually_do():
    model = TorchRecipe(Flattening, epochs=1)(Images(), seed=0)
    assert all(parameter.is_contiguous() for parameter in model.parameters())


@pytest.mark.parametrize("made", [None, torch.zeros(3, 6)])
def test_an_augmentation_that_loses_examples_is_refused(made):
    with pytest.raises(TypeError, match=r"as many examples as it was given \(60\)"):
        TorchRecipe(mlp, augment=lambda batch, generator: made)(Blobs(), seed=0)


@pytest.mark.long
@pytest.mark.slow
def test_a_compiled_training_comes_to_the_same_model_each_time():
    recipe = TorchRecipe(mlp, epochs=10, learning_rate=0.02, compile=True)
    one, again = recipe(Blobs(), seed=1), recipe(Blobs(), seed=1)
    assert same(one, again)
    assert type(one) is nn.Sequential
    assert accuracy(one, Blobs()) > 0.9


def test_what_cannot_be_compiled_here_is_said_before_training(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="needs a C\\+\\+ compiler"):
        TorchRecipe(mlp, compile=True)(Blobs(), seed=0)
