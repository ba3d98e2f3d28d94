"""A recipe that could only fail in the middle of a training is refused when it is made."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from pytest_unlearn import EstimatorRecipe, Recipe, TorchRecipe
from tests.ids import spelled

NAN, INF = float("nan"), float("inf")


def build():
    return nn.Linear(64, 10)


def refused(call, says):
    with pytest.raises((TypeError, ValueError), match=says):
        call()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"build": build()}, r"build is a model \(Linear\), and each training needs one of its own"),
        ({"build": None}, "build must be a function that makes an untrained model.*not None"),
        ({"build": "MLP"}, "not 'MLP'"),
        ({"build": nn.Linear}, r"build is called without arguments .*`lambda: Linear\(\.\.\.\)`"),
        ({"build": lambda width: nn.Linear(width, 10)}, "build is called without arguments"),
        ({"epochs": 0}, "epochs must be a whole number from 1"),
        ({"epochs": 2.5}, "epochs must be a whole number from 1"),
        ({"epochs": "40"}, "epochs must be a whole number from 1"),
        ({"batch_size": -1}, "batch_size must be a whole number from 1"),
        ({"batch_size": True}, "batch_size must be a whole number from 1"),
        ({"learning_rate": INF}, "learning_rate must be a finite number above 0, not inf"),
        ({"learning_rate": NAN}, "learning_rate must be a finite number above 0, not nan"),
        ({"learning_rate": "1e-3"}, "learning_rate must be a finite number above 0"),
        ({"learning_rate": None}, "learning_rate must be a finite number above 0"),
        ({"weight_decay": -0.1}, "weight_decay must be a finite number from 0"),
        ({"momentum": 1.5}, "momentum must be a finite number from 0 and below 1"),
        ({"momentum": NAN}, "momentum must be a finite number"),
        ({"optimizer": "adamw"}, "optimizer 'adamw' is not known"),
        ({"optimizer": 3}, "optimizer is 'adam', 'sgd' or a function of parameters"),
        ({"optimizer": torch.optim.SGD(build().parameters(), 0.1)}, "optimizer is 'adam', 'sgd' or a function"),
        ({"loss": nn.CrossEntropyLoss}, r"loss is a function .*nn\.CrossEntropyLoss\(\)"),
        ({"loss": "ce"}, "loss is a function"),
        ({"device": "gpu"}, "there is no device 'gpu'"),
        ({"device": 1}, "device is the name of a device"),
        ({"key": ""}, "key must be a string that is not empty"),
        ({"key": 3}, "key must be a string that is not empty"),
    ],
    ids=spelled,
)
def test_a_torch_recipe_is_checked_when_it_is_made(given, says):
    refused(lambda: TorchRecipe(**{"build": build, **given}), says)


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (Ridge(), r"estimator is a regressor \(Ridge\), and audits judge classifiers"),
        (make_pipeline(StandardScaler(), Ridge()), "estimator is a regressor"),
        (GridSearchCV(Ridge(), {"alpha": [1, 2]}), "estimator is a regressor"),
        (KMeans(3), "estimator is a clusterer"),
        (StandardScaler(), "estimator is a transformer"),
        (LogisticRegression, "not the class LogisticRegression"),
        (build(), "not a Linear"),
        (None, "not None"),
        ("logistic", "not 'logistic'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_estimator_recipe_takes_a_classifier(estimator, says):
    refused(lambda: EstimatorRecipe(estimator), says)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (build(), "the recipe is a Linear"),
        (build, r"cannot be called as build\(dataset, seed=0\)"),
        (lambda dataset, seed_: None, "so that every reference model gets a seed of its own"),
        (None, "function must be callable"),
    ],
)
def test_a_recipe_is_a_function_of_a_dataset_and_a_seed(function, says):
    refused(lambda: Recipe(function), says)


@pytest.mark.parametrize(
    "recipe",
    [
        lambda: TorchRecipe(
            nn.ReLU, loss=nn.CrossEntropyLoss(), optimizer=torch.optim.Adam, device=torch.device("cpu")
        ),
        lambda: TorchRecipe(build, epochs=np.int64(3), learning_rate=np.float32(0.1), momentum=0, weight_decay=0),
        lambda: EstimatorRecipe(make_pipeline(StandardScaler(), LogisticRegression()), key="v1"),
        lambda: EstimatorRecipe(GridSearchCV(LogisticRegression(), {"C": [1, 2]})),
        lambda: Recipe(lambda dataset, *, seed, epochs=3: None),
        lambda: Recipe(TorchRecipe(build)),
    ],
)
def test_recipes_that_can_be_meant_are_taken(recipe):
    assert callable(recipe())
