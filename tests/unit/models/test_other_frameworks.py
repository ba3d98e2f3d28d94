"""Models of JAX, Flax and Keras are callables: trained by a recipe of one's own, audited as any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import Recipe, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.training.arrays import stack
from tests.worlds.noise import noisy_split

pytestmark = [
    pytest.mark.slow,
    # Keras hands out arrays of its own, of which numpy warns.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
EPOCHS = 200


def judged(recipe: Callable[..., Any]) -> None:
    """The original is recognised, a retrained model is not, and the same seed gives the same answers."""
    task = UnlearningTask(noisy_split(150), recipe, references=2, cache_dir=None)
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.65).verdict is Verdict.FAIL
    model, again = (recipe(task.retain, seed=77) for _ in range(2))
    found = audit_forgotten(model, task.forget, max_mia_auc=0.65)
    assert found.verdict not in (Verdict.FAIL, Verdict.INVALID)
    x = task.test.inputs(np.arange(20))
    assert np.array_equal(model(x), again(x))


def test_a_network_of_jax_is_audited():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def logits(weights: Any, x: Any) -> Any:
        return jnp.tanh(x @ weights[0]) @ weights[1]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        return -jax.nn.log_softmax(logits(weights, x))[jnp.arange(len(y)), y].mean()

    @jax.jit
    def step(weights: Any, x: Any, y: Any) -> Any:
        return [w - 1.0 * g for w, g in zip(weights, jax.grad(loss)(weights, x, y), strict=True)]

    def train(dataset: Any, *, seed: int) -> Any:
        X, y = stack(dataset)
        first, second = jax.random.split(jax.random.key(seed))
        weights = [0.3 * jax.random.normal(first, (12, 128)), 0.1 * jax.random.normal(second, (128, 3))]
        for _ in range(2 * EPOCHS):
            weights = step(weights, X, y)
        return lambda x: np.asarray(logits(weights, np.asarray(x)))

    judged(train)


def test_a_module_of_flax_is_audited():
    jax, linen, optax = pytest.importorskip("jax"), pytest.importorskip("flax.linen"), pytest.importorskip("optax")

    class Network(linen.Module):  # type: ignore[misc,name-defined]
        @linen.compact
        def __call__(self, x: Any) -> Any:
            return linen.Dense(3)(linen.relu(linen.Dense(64)(x)))

    network, optimizer = Network(), optax.adam(1e-2)

    @jax.jit
    def step(weights: Any, state: Any, x: Any, y: Any) -> Any:
        def loss(weights: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(network.apply(weights, x), y).mean()

        updates, state = optimizer.update(jax.grad(loss)(weights), state)
        return optax.apply_updates(weights, updates), state

    def train(dataset: Any, *, seed: int) -> Any:
        X, y = stack(dataset)
        weights = network.init(jax.random.key(seed), X[:1])
        state = optimizer.init(weights)
        for _ in range(EPOCHS):
            weights, state = step(weights, state, X, y)
        return lambda x: np.asarray(network.apply(weights, np.asarray(x)))

    judged(Recipe(train, key="flax makes the module's constructor, whose source cannot be read"))


def test_a_model_of_keras_is_audited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")

    def train(dataset: Any, *, seed: int) -> Any:
        X, y = stack(dataset)
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(3)])
        model.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(X, y, batch_size=50, epochs=60, verbose=0)
        return lambda x: model.predict_on_batch(np.asarray(x))

    judged(train)
