"""A task, a split or a draw that cannot be meant is refused when it is made, with a sentence that says what to do."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from pytest_unlearn import EstimatorRecipe, SavedOutputs, Split, UnlearningTask, reserve_controls
from tests.ids import spelled

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
TRAIN, TEST = (X[:60], Y[:60]), (X[60:160], Y[60:160])
SPLIT = Split(TRAIN, forget=range(10), test=TEST)
MODEL = nn.Linear(64, 10)
NAN, INF = float("nan"), float("inf")


def recipe(dataset, *, seed):
    raise AssertionError("a model was trained")


def refused(call, says):
    with pytest.raises((TypeError, ValueError), match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"recipe": MODEL}, "the recipe is a Linear: it must be a function that trains a model"),
        ({"recipe": LogisticRegression()}, "the recipe is a LogisticRegression: .*EstimatorRecipe"),
        ({"recipe": "train.py"}, "the recipe is 'train.py'"),
        ({"recipe": 3}, "the recipe is a int"),
        ({"recipe": lambda dataset: MODEL}, r"write it as `def train\(dataset, \*, seed\)`"),
        ({"original": "model.pt"}, "original is 'model.pt': load the model from its file first"),
        ({"original": nn.Linear}, "original is the class Linear"),
        ({"original": Ridge().fit(X, Y)}, "original is a regressor"),
        ({"original": LogisticRegression()}, "original: LogisticRegression .*not fitted"),
        ({"original": [MODEL]}, "original is a list: pass one model"),
        ({"original": recipe}, "original is recipe.*cannot be called as x -> logits"),
        ({"original": nn.Linear(64, 10, device="meta")}, "original is on the meta device"),
        ({"original": MODEL.state_dict()}, r"original is a mapping \(OrderedDict\)"),
        ({"references": [None]}, r"references\[0\] is None"),
        ({"references": [MODEL, "b.pt"]}, r"references\[1\] is 'b\.pt'"),
        ({"references": MODEL}, r"for one model write references=\[model\]"),
        ({"references": "4"}, "references must be a number or a list of models"),
        ({"references": {"a": MODEL}}, "references must be a number or a list of models"),
        ({"references": True}, "references must be a number or a list of models, not True"),
        ({"references": 2.5}, "references must be a number or a list of models, not 2.5"),
        ({"references": NAN}, "references must be a number or a list of models, not nan"),
        ({"references": None}, "references must be a number or a list of models, not None"),
        ({"references": -1}, "references must be a whole number from 0"),
        ({"seed": -1}, "seed must be a whole number from 0, not -1"),
        ({"seed": 0.5}, "seed must be a whole number from 0"),
        ({"seed": "0"}, "seed must be a whole number from 0"),
        ({"seed": None}, "seed must be a whole number from 0"),
        ({"seed": True}, "seed must be a whole number from 0"),
        ({"n_jobs": 0}, "n_jobs must be a whole number from 1 or -1 for every core"),
        ({"n_jobs": "all"}, "n_jobs must be a whole number from 1"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"batch_size": 64.0}, "batch_size must be a whole number from 1"),
        ({"device": "gpu"}, "there is no device 'gpu': name one such as 'cpu' or 'cuda:0'"),
        ({"device": 0}, "device is the name of a device"),
        ({"fresh": "no"}, "fresh is True or False, not 'no'"),
        ({"cache_dir": 7}, "cache_dir is the path of a folder or a URL, not 7"),
    ],
    ids=spelled,
)
def test_a_task_that_cannot_be_meant_is_refused_when_it_is_made(given, says):
    refused(lambda: UnlearningTask(SPLIT, **{"recipe": recipe, **given}), says)


@pytest.mark.parametrize("split", [None, TRAIN, "split", recipe])
def test_a_task_is_made_of_a_split(split):
    refused(lambda: UnlearningTask(split, recipe), r"needs a Split\(train, forget=\.\.\., test=\.\.\.\)")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"match": "label"}, 'names no column of .*: match is "class", None'),
        ({"match": True}, 'match is "class", None, .*not True'),
        ({"groups": np.arange(59)}, "groups needs one id for each of the 60"),
        ({"groups": np.zeros((60, 2))}, "groups needs one id for each of the 60"),
        ({"groups": [None] * 60}, "no id at 60 positions"),
        ({"groups": np.where(np.arange(60) == 3, NAN, 1.0)}, "no id at 1 positions, the first 3"),
        ({"control_groups": np.arange(3)}, "control_groups needs one id for each of the 100"),
        ({"controls": "controls.npz"}, "controls is 'controls.npz', not the data"),
        ({"controls": MODEL}, "controls must be a map-style dataset"),
        ({"controls": TRAIN}, "controls overlaps train"),
        ({"test": TRAIN}, "test overlaps train: 60 examples"),
        ({"test": None}, "test is None"),
        ({"test": (X[60:60], Y[60:60])}, "test is empty"),
        ({"forget": range(60)}, "nothing is retained"),
    ],
    ids=spelled,
)
def test_a_split_that_cannot_be_meant_is_refused_when_it_is_made(given, says):
    refused(lambda: Split(TRAIN, **{"forget": range(10), "test": TEST, **given}), says)


@pytest.mark.parametrize(
    ("n", "size", "seed", "says"),
    [
        ("100", 0.5, 0, "n must be a whole number from 1"),
        (0, 0.5, 0, "n must be a whole number from 1"),
        (2.5, 1, 0, "n must be a whole number from 1"),
        (100, "a fifth", 0, "size is a number of examples or a share"),
        (100, True, 0, "size is a number of examples or a share"),
        (100, NAN, 0, "size is a number of examples or a share"),
        (100, INF, 0, "size is a number of examples or a share"),
        (100, None, 0, "size is a number of examples or a share"),
        (100, 20.5, 0, "size must leave something"),
        (100, 0.2, -1, "seed must be a whole number from 0"),
        (100, 0.2, None, "seed must be a whole number from 0"),
    ],
)
def test_a_draw_of_controls_that_cannot_be_meant_is_refused(n, size, seed, says):
    refused(lambda: reserve_controls(n, size=size, seed=seed), says)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({}, "and got none"),
        ({"train_set": X}, "not train_set="),
        ({"forget": None}, "a NoneType"),
        ({"forget": "forget.npy"}, "SavedOutputs.forget=. takes an array of logits"),
        ({"forget": MODEL}, "a Linear"),
        ({"forget": np.zeros((3, 10), complex)}, "complex128 of shape"),
        ({"forget": np.zeros((3, 10, 2))}, r"shape \(3, 10, 2\)"),
        ({"forget": np.zeros((0, 10))}, r"shape \(0, 10\)"),
        ({"forget": [[1.0], [1.0, 2.0]]}, "takes an array of logits"),
        ({"forget": np.zeros((3, 10)), "controls": np.zeros((3, 4))}, "a logit for each class in all of its arrays"),
    ],
)
def test_saved_outputs_that_hold_none_are_refused(parts, says):
    refused(lambda: SavedOutputs(**parts), says)


@pytest.mark.slow
def test_a_method_that_gives_no_model_is_told():
    task = UnlearningTask(SPLIT, original=EstimatorRecipe(LogisticRegression(max_iter=50))(TRAIN_ITEMS, seed=0))
    refused(lambda: task.unlearn(lambda model, retain, forget, *, seed: None), "returned None|is None")
    refused(lambda: task.unlearn(lambda model, retain, forget, *, seed: "done"), "what the method returned is 'done'")


def test_a_recipe_that_gives_no_model_is_told_after_its_first_training(tmp_path):
    calls = []

    def losses(dataset, *, seed):
        calls.append(seed)
        return [0.3, 0.2]

    task = UnlearningTask(SPLIT, losses, references=2, cache_dir=tmp_path)
    refused(lambda: task.original, "what the recipe returned is a list: pass one model")
    assert len(calls) == 1


TRAIN_ITEMS = [(x, int(y)) for x, y in zip(torch.tensor(TRAIN[0]), TRAIN[1], strict=True)]
