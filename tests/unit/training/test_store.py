"""What is stored comes back bit for bit or not at all, and nothing in the folder is ever run."""

import hashlib
import json
import logging
import os
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from torch import nn
from torch.nn import functional

from pytest_unlearn.core.seal import digest
from pytest_unlearn.training import Store
from pytest_unlearn.training.cache.module_tree import NotDescribable, rebuild

KEY = "a" * 64


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / ".unlearn" / "cache")


def double(x):
    return 2 * x


class Custom(nn.Module):
    """A module with most of what users keep in theirs."""

    def __init__(self, norm=nn.BatchNorm1d):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.norm = norm(4)
        self.norm_class, self.activation, self.scale = norm, functional.gelu, double
        self.shape, self.size, self.options = (1, [2.5, None]), torch.Size([4]), {"a": 1, 3: "b"}
        self.kind, self.place = torch.float64, torch.device("cpu")
        self.register_buffer("hidden", torch.rand(3), persistent=False)
        self.register_parameter("absent", None)

    def forward(self, x):
        return self.scale(self.activation(self.norm(self.inner(x)))) + self.hidden.sum()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.again = self.first

    def forward(self, x):
        return self.again(self.second(self.first(x)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(2, 3, batch_first=True)

    def forward(self, x):
        return self.cells(x.reshape(len(x), 2, 2))[0]


def normalised():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model(torch.randn(9, 4))
    return model.eval()


def double_precision():
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh()).double()


def partly_frozen():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[0].requires_grad_(False)
    model[1].weight.data[0, 0] = float("nan")
    return model


def transformer():
    return nn.TransformerEncoderLayer(4, 2, batch_first=True).eval()


MODULES = [Custom, Tied, Recurrent, normalised, double_precision, partly_frozen, transformer]


def bits(model):
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {n: (t.dtype, t.requires_grad, t.detach().numpy().tobytes()) for n, t in named}


@pytest.mark.parametrize("make", MODULES)
@pytest.mark.parametrize("with_build", [False, True])
def test_modules_come_back_bit_for_bit(store, make, with_build):
    model, build = make(), make if with_build else None
    assert store.put(KEY, model, {}, build)
    again = store.fetch(KEY, build).model
    assert type(again) is type(model)
    assert bits(again) == bits(model)
    assert [part.training for part in again.modules()] == [part.training for part in model.modules()]
    x = torch.randn(5, 4, dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), model.eval()(x)) or make is partly_frozen


def test_tied_weights_stay_tied(store):
    store.put(KEY, Tied(), {})
    again = store.fetch(KEY).model
    assert again.second.weight is again.first.weight
    assert again.again is again.first


def test_reading_a_model_leaves_the_global_generator_alone(store):
    store.put(KEY, normalised(), {}, normalised)
    before = torch.random.get_rng_state()
    store.fetch(KEY, normalised)
    assert torch.equal(torch.random.get_rng_state(), before)


def local_class():
    class Local(nn.Linear):
        pass

    return Local(4, 2)


def with_a_hook():
    model = nn.Linear(4, 2)
    model.register_forward_hook(lambda *_: None)
    return model


def with_a_lambda():
    model = nn.Linear(4, 2)
    model.extra = lambda x: x
    return model


def with_a_new_forward():
    model = nn.Linear(4, 2)
    model.forward = functional.relu
    return model


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (local_class, "Local"),
        (with_a_hook, "_forward_hooks"),
        (with_a_lambda, "extra"),
        (with_a_new_forward, "forward"),
    ],
)
def test_a_module_that_plain_data_cannot_describe_is_refused_and_the_reason_said(store, make, named, caplog):
    assert store.put(KEY, make(), {}) is False
    assert named in caplog.text
    assert r"use TorchRecipe(build=...), or define the class at module level" in caplog.text
    assert not list(store.directory.glob("*")) if store.directory.exists() else True


def test_a_local_class_can_be_stored_with_its_build_function(store):
    assert store.put(KEY, model := local_class(), {}, local_class)
    assert bits(store.fetch(KEY, local_class).model) == bits(model)


X, Y = load_digits(return_X_y=True)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=20),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=20)),
        SVC(),
        KNeighborsClassifier(),
        GaussianNB(),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_that_skops_vouches_for_predict_the_same(store, estimator):
    estimator.fit(X[:500], Y[:500])
    assert store.put(KEY, estimator, {})
    again = store.fetch(KEY).model
    assert np.array_equal(again.predict(X), estimator.predict(X))
    if not isinstance(estimator, SVC):
        assert np.array_equal(again.predict_proba(X), estimator.predict_proba(X))


def test_neighbours_that_are_kept_in_a_tree_say_nothing_of_others(store):
    assert not store.put(KEY, KNeighborsClassifier().fit(X[:500, :3], Y[:500]), {})
    assert store.put(KEY, KNeighborsClassifier().fit(X[:500], Y[:500]), {})


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (KNeighborsClassifier(algorithm="kd_tree"), "sklearn.neighbors._kd_tree.KDTree"),
        (make_pipeline(FunctionTransformer(double), GaussianNB()), "double"),
    ],
)
def test_estimators_that_skops_does_not_vouch_for_are_refused_and_named(store, estimator, kind, caplog):
    assert store.put(KEY, estimator.fit(X[:200], Y[:200]), {}) is False
    assert kind in caplog.text
    assert "trained again in each run" in caplog.text


def files(store):
    return {suffix: next(store.directory.glob(f"{KEY}.{suffix}")) for suffix in ("json", "safetensors")}


def truncated(path):
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def emptied(path):
    path.write_bytes(b"")


def removed(path):
    path.unlink()


def foreign(path):
    path.write_bytes(b'{"schema": 99}')


@pytest.mark.parametrize("harm", [truncated, flipped, emptied, removed, foreign])
@pytest.mark.parametrize("half", ["json", "safetensors"])
def test_damage_to_either_half_is_noticed_said_and_cleared(store, harm, half, caplog):
    store.put(KEY, normalised(), {})
    harm(files(store)[half])
    assert store.fetch(KEY).model is None
    assert f"cached model {KEY} was damaged" in caplog.text
    assert "training it again" in caplog.text
    assert not list(store.directory.glob(f"{KEY}.*"))
    caplog.clear()
    assert store.fetch(KEY).model is None
    assert not caplog.text


def test_every_flipped_bit_of_a_sidecar_is_noticed(store):
    store.put(KEY, nn.Linear(1, 1), {"note": 1})
    whole = files(store)["json"].read_bytes()
    for position in range(len(whole)):
        files(store)["json"].write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        found = store.peek(KEY)
        assert found.model is None, whole[position - 20 : position + 20]


def test_an_entry_under_another_key_is_not_taken(store):
    store.put(KEY, normalised(), {})
    for suffix, path in files(store).items():
        path.rename(store.directory / f"{'b' * 64}.{suffix}")
    assert store.fetch("b" * 64).model is None


class Evil:
    """Leaves a mark when it is unpickled, made or given its state."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


class EvilState:
    def __init__(self, mark):
        self.mark = mark

    def __setstate__(self, state):
        os.mkdir(state["mark"])


def plant(store, kind, data, structure):
    store.put(KEY, normalised(), {})
    sidecar = json.loads(files(store)["json"].read_text())
    for path in store.directory.glob(f"{KEY}.*"):
        path.unlink()
    sidecar |= {"kind": kind, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    sidecar["structure"] = sidecar["structure"] if structure is None else structure
    sidecar.pop("seal")
    (store.directory / f"{KEY}.{kind}").write_bytes(data)
    (store.directory / f"{KEY}.json").write_text(json.dumps({**sidecar, "seal": digest(sidecar)}))


@pytest.mark.parametrize("kind", ["safetensors", "skops"])
def test_a_planted_pickle_is_never_loaded(store, kind, tmp_path, caplog):
    plant(store, kind, pickle.dumps(Evil(str(tmp_path / "mark"))), None)
    assert store.fetch(KEY).model is None
    assert "damaged" in caplog.text
    assert not (tmp_path / "mark").exists()


def test_a_planted_torch_pickle_is_never_loaded(store, tmp_path):
    torch.save(Evil(str(tmp_path / "mark")), tmp_path / "file")
    plant(store, "safetensors", (tmp_path / "file").read_bytes(), None)
    assert store.fetch(KEY).model is None
    assert not (tmp_path / "mark").exists()


def test_a_planted_skops_file_with_an_untrusted_type_is_never_run(store, tmp_path):
    from skops import io

    data = io.dumps(EvilState(str(tmp_path / "mark")))
    plant(store, "skops", data, {})
    assert store.fetch(KEY).model is None
    assert not (tmp_path / "mark").exists()
    io.loads(data, trusted=io.get_untrusted_types(data=data))
    assert (tmp_path / "mark").exists(), "the trap works when it is trusted, so not being sprung means something"


def linear(**changes):
    from pytest_unlearn.training.cache.module_tree import describe

    return {**describe(nn.Identity()), **changes}


@pytest.mark.parametrize(
    "tree",
    [
        linear(**{"class": ["subprocess", "Popen"]}),
        linear(**{"class": ["builtins", "object"]}),
        linear(**{"class": ["antigravity", "Nothing"]}),
        linear(attributes={"forward": {"function": ["torch.nn.functional", "relu"]}}),
        linear(attributes={"_forward_hooks": {"dict": []}}),
        linear(attributes={"run": {"function": ["os", "system"]}}),
        linear(attributes={"run": {"function": ["torch", "load"]}}),
        linear(attributes={"run": {"class": ["subprocess", "Popen"]}}),
        linear(attributes={"run": {"dtype": "load"}}),
    ],
)
def test_a_planted_description_reaches_no_code_but_module_classes_and_tensor_functions(tree):
    before = set(sys.modules)
    with pytest.raises(NotDescribable):
        rebuild(tree, {})
    assert "antigravity" not in set(sys.modules) - before


def test_a_described_class_is_looked_up_and_not_imported(store, monkeypatch, caplog):
    module = types.ModuleType("vanishing")
    exec("from torch import nn\nclass Gone(nn.Linear):\n    pass\n", vars(module))
    module.Gone.__module__ = "vanishing"
    monkeypatch.setitem(sys.modules, "vanishing", module)
    assert store.put(KEY, module.Gone(2, 2), {})
    monkeypatch.delitem(sys.modules, "vanishing")
    assert store.fetch(KEY).model is None
    assert "vanishing.Gone" in caplog.text


def test_nothing_is_created_until_something_is_written(store):
    assert store.fetch(KEY).model is None
    assert store.entries() == []
    assert store.purge() == 0
    assert not store.directory.parent.exists()
    store.put(KEY, normalised(), {})
    assert (store.directory.parent / ".gitignore").read_text() == "*\n"


def test_a_folder_of_the_users_own_gets_no_gitignore(tmp_path):
    Store(tmp_path / "mine").put(KEY, normalised(), {})
    assert not (tmp_path / ".gitignore").exists()


def test_entries_tell_what_was_noted_and_purge_removes_only_what_is_ours(store):
    store.put(KEY, normalised(), {"seed": 3})
    (store.directory / "package.json").write_text("{}")
    (store.directory / f".{KEY}.x1y2.tmp").write_text("half")
    (entry,) = store.entries()
    assert (entry.key, entry.kind, entry.info) == (KEY, "safetensors", {"seed": 3})
    assert entry.size > 0
    assert store.purge() == 1
    assert [path.name for path in store.directory.iterdir()] == ["package.json"]


def test_a_folder_that_cannot_be_written_is_said_and_survived(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    store = Store(tmp_path / "file" / "cache")
    assert store.put(KEY, normalised(), {}) is False
    assert "cannot be written" in caplog.text
    with store.lock(KEY) as ours:
        assert ours
    assert store.fetch(KEY).model is None


@pytest.mark.parametrize("key", ["", "../up", "a/b", "a.b"])
def test_a_key_that_is_no_file_name_is_refused(store, key):
    with pytest.raises(ValueError, match="cannot name a stored model"):
        store.put(key, normalised(), {})


def test_a_second_put_replaces_the_first(store, caplog):
    caplog.set_level(logging.WARNING)
    store.put(KEY, nn.Linear(2, 2), {})
    assert store.put(KEY, GaussianNB().fit(X, Y), {})
    assert isinstance(store.fetch(KEY).model, GaussianNB)
    assert not caplog.text


def test_reading_a_model_notes_its_use_where_that_can_be_written(store, monkeypatch):
    store.put(KEY, normalised(), {})
    for path in files(store).values():
        os.utime(path, (1000, 1000))
    (entry,) = store.entries()
    assert (entry.stored, entry.used) == (1000, 1000)
    assert store.find(KEY) == entry

    def read_only(path, times=None):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", read_only)
        assert store.fetch(KEY).model is not None
    assert store.entries() == [entry]
    assert store.fetch(KEY).model is not None
    (entry,) = store.entries()
    assert entry.stored == 1000
    assert entry.used > 1000


@pytest.mark.parametrize("harm", [truncated, flipped, emptied, removed])
@pytest.mark.parametrize("half", ["json", "safetensors"])
def test_finding_a_model_checks_every_byte_and_changes_nothing(store, harm, half, caplog):
    assert store.find(KEY) is None
    store.put(KEY, normalised(), {"seed": 1})
    assert store.find(KEY).info == {"seed": 1}
    harm(files(store)[half])
    left = sorted(store.directory.iterdir())
    assert store.find(KEY) is None
    assert sorted(store.directory.iterdir()) == left
    assert not caplog.text
