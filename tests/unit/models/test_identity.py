"""What tells two models apart: everything that decides their answers, not the state dict alone."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.claims.common.provenance import twin_of
from pytest_unlearn.models.adapters import identify, model_digest
from tests.worlds.networks import mlp, seeded

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)


class Served(nn.Module):
    """Whatever is served behind a torch interface; its only tensor is a temperature."""

    def __init__(self, served, **attributes):
        super().__init__()
        self.served = served
        self.register_buffer("temperature", torch.ones(1))
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return torch.as_tensor(np.log(self.served.predict_proba(x.numpy()) + 1e-6)).float() / self.temperature


class Hidden(nn.Module):
    """A buffer outside of the state dict."""

    def __init__(self, shift):
        super().__init__()
        self.net = seeded(mlp)
        self.register_buffer("shift", torch.full((1,), shift), persistent=False)

    def forward(self, x):
        return self.net(x) + self.shift


class Scaled(nn.Module):
    """A plain attribute that decides."""

    def __init__(self, scale, function=torch.tanh):
        super().__init__()
        self.net, self.scale, self.function = seeded(mlp), scale, function

    def forward(self, x):
        return self.function(self.scale * self.net(x))


def closed_over(sign):
    """Two classes of one name and one source, whose forward passes differ by what they close over."""

    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = seeded(mlp)

        def forward(self, x):
            return sign * self.net(x)

    return Closed()


def quantised(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(seeded(mlp, seed), {nn.Linear}, dtype=torch.qint8)


def forest(labels):
    return RandomForestClassifier(5, random_state=0).fit(X[:200], labels[:200])


def pipeline(function):
    return make_pipeline(FunctionTransformer(function), GaussianNB()).fit(X[:200], Y[:200])


def hooked(shift):
    model = seeded(mlp)
    model.register_forward_hook(lambda _, __, made: made + shift)
    return model


PAIRS = {
    "weights": lambda k: seeded(mlp, k),
    "a buffer outside of the state dict": Hidden,
    "a wrapped forest": lambda k: Served(forest(Y if k else 9 - Y)),
    "a wrapped linear classifier": lambda k: Served(LogisticRegression(C=1.0 + k, max_iter=500).fit(X[:200], Y[:200])),
    "packed quantised weights": quantised,
    "a number": Scaled,
    "a function": lambda k: Scaled(1.0, torch.tanh if k else torch.sigmoid),
    "an array": lambda k: Served(None, table=np.full(3, k)),
    "a tensor that is no buffer": lambda k: Served(None, shift=torch.full((2,), float(k))),
    "tensors in a list": lambda k: Served(None, shifts=[torch.full((2,), float(k))]),
    "a network in a list": lambda k: Served(None, parts=[seeded(mlp, k)]),
    "a closure": lambda k: closed_over(2 * k - 1),
    "a hook": hooked,
    "a sparse buffer": lambda k: Served(None, mask=torch.eye(3).mul(k + 1).to_sparse()),
    "half precision": lambda k: seeded(mlp).to(torch.bfloat16 if k else torch.float16),
    "an estimator": lambda k: forest(Y if k else 9 - Y),
    "a function in a pipeline": lambda k: pipeline((lambda x: x * 2) if k else (lambda x: x * 3)),
}


@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_models_that_differ_in_it_have_two_digests_and_equal_ones_have_one(make):
    zero, again, one = make(0), make(0), make(1)
    assert not identify(zero).obstacle
    assert model_digest(zero) == model_digest(again)
    assert model_digest(zero) != model_digest(one)
    assert twin_of(again, zero, []) == "original"
    assert twin_of(one, zero, [one]) == "retrained 0"
    assert twin_of(one, zero, []) == ""


@pytest.mark.parametrize(
    "make", [lambda: nn.LSTM(4, 3), lambda: nn.TransformerEncoderLayer(8, 2), lambda: nn.GRU(4, 3)]
)
def test_library_layers_are_identified(make):
    model = seeded(make)
    assert not identify(model).obstacle
    assert model_digest(model) == model_digest(copy.deepcopy(model)) == model_digest(seeded(make))
    assert model_digest(model) != model_digest(seeded(make, seed=1))


def test_answering_and_modes_leave_the_digest_alone():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = model_digest(model)
    model.eval()(torch.zeros(3, 4))
    assert model_digest(model) == before
    model.train()
    assert model_digest(model) == before


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_neighbours_that_count_their_questions_are_the_same_model(algorithm):
    split = Split((X[:300, :12], Y[:300]), forget=np.arange(30), test=(X[300:900, :12], Y[300:900]))
    recipe = EstimatorRecipe(KNeighborsClassifier(3, algorithm=algorithm))
    task = UnlearningTask(split, recipe, references=2)
    model = recipe(task.retain, seed=0)
    before = model_digest(model)
    assert audit_forgotten(model, task.forget, 0.6).verdict is not Verdict.INVALID
    assert model_digest(model) == before != model_digest(recipe(task.test, seed=0))


@pytest.mark.slow
def test_the_digest_is_the_same_in_another_process(tmp_path):
    (tmp_path / "served.py").write_text(
        textwrap.dedent(
            """
            import torch
            from torch import nn
            from pytest_unlearn.models.adapters import model_digest

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    torch.manual_seed(0)
                    self.net, self.options, self.tags = nn.Linear(3, 2), {"b": 1, "a": 2}, {"x", "y", "z"}

            if __name__ != "__main__":
                print(model_digest(Net()))
            """
        )
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", "import served"], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(tmp_path)},
        ).stdout
        for seed in (0, 1)
    ]  # fmt: skip
    assert runs[0] == runs[1] != ""


class Opaque(nn.Module):
    """Holds what can be neither read nor traced."""

    def __init__(self):
        super().__init__()
        self.net, self.service = seeded(mlp), (number for number in range(3))

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize(
    "make",
    [Opaque, lambda: torch.jit.script(seeded(mlp)), lambda: lambda x: x],
    ids=["generator", "script", "callable"],
)
def test_what_cannot_be_read_is_an_obstacle_and_no_twin_of_another(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = make(), make()
    assert identify(first).obstacle
    assert twin_of(second, first, []) == ""
    assert twin_of(first, first, []) == "original"


def task_of(original, cache):
    split = Split((X[:300], Y[:300]), forget=range(60), test=(X[300:600], Y[300:600]))
    return UnlearningTask(split, original=original, references=0, cache_dir=cache)


def student(model, retain, forget, *, seed):
    """Learn the original's answers on the retained data."""
    torch.manual_seed(seed)
    x = torch.stack([torch.as_tensor(row) for row, _ in retain])
    target = model(x).argmax(1)
    made = nn.Linear(64, 10)
    optimizer = torch.optim.SGD(made.parameters(), 0.5)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(x), target).backward()
        optimizer.step()
    return made


@pytest.mark.parametrize("pair", ["a wrapped forest", "a wrapped linear classifier"])
def test_each_original_gets_the_unlearned_model_that_was_made_from_it(pair, tmp_path):
    x = torch.as_tensor(X[300:600])
    for original in map(PAIRS[pair], (0, 1, 0)):
        task = task_of(original, tmp_path)
        made, again = task.unlearn(student), student(original, task.retain, task.forget, seed=0)
        torch.testing.assert_close(made(x), again(x))


def test_of_an_original_that_cannot_be_identified_nothing_is_kept_and_the_log_says_why(tmp_path, caplog):
    runs = []

    def method(model, retain, forget, *, seed):
        runs.append(seed)
        return seeded(mlp)

    caplog.set_level("INFO", logger="pytest_unlearn")
    task = task_of(Opaque(), tmp_path)
    for _ in range(2):
        task.unlearn(method)
    assert runs == [0, 0]
    assert "kept in no cache" in caplog.text
    assert "`service` of the model" in caplog.text
