"""What the original and the references answered is remembered for the next candidate, and for nothing else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.core.variables import CACHE_KEY, RUN_KEY
from pytest_unlearn.models import answer_memory
from pytest_unlearn.models import handle as handles
from pytest_unlearn.models.query import Query

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)


def network():
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


@dataclass(frozen=True)
class Scaled:
    """Logits on inputs times a number."""

    scale: float
    beside: Any = None

    def __call__(self, model, view, answer):
        """Ask the model."""
        return answer(self.scale * view.inputs(np.arange(len(view))), view.labels).logits


def task_of(folder, forget=range(40), **options):
    split = Split((X[:300], Y[:300]), list(forget), (X[1000:1200], Y[1000:1200]))
    return UnlearningTask(split, TorchRecipe(network, epochs=1), references=1, cache_dir=folder, **options)


@pytest.fixture
def evaluations(monkeypatch):
    """List what models are evaluated on."""
    found, evaluate = [], handles.evaluate

    def counted(model, view, **how):
        found.append(view.name)
        return evaluate(model, view, **how)

    monkeypatch.setattr(handles, "evaluate", counted)
    return found


def test_a_later_task_of_the_same_request_asks_the_original_nothing(tmp_path, evaluations):
    first, second = task_of(tmp_path), task_of(tmp_path)
    answers = [task.models.of(task.original).outputs(task.forget) for task in (first, second)]
    assert evaluations == ["forget"]
    assert (answers[0].logits == answers[1].logits).all()
    assert (answers[0].labels == answers[1].labels).all()
    assert answers[0].kind == answers[1].kind


def test_another_view_request_or_model_is_asked(tmp_path, evaluations):
    task = task_of(tmp_path)
    task.models.of(task.original).outputs(task.forget)
    task.models.of(task.original).outputs(task.controls)
    task.models.of(task.retrained[0]).outputs(task.forget)
    for other in (task_of(tmp_path, range(1, 41)), task_of(tmp_path, fresh=True)):
        other.models.of(other.original).outputs(other.forget)
    assert evaluations == ["forget", "controls", "forget", "forget"]  # fresh takes what this very run has asked


def test_a_query_is_asked_once_for_equal_parameters_and_views(tmp_path, evaluations):
    def ask(scale, beside):
        task = task_of(tmp_path)
        query = Query(name="scaled", ask=Scaled(scale, getattr(task, beside)))
        return task.models.of(task.original).ask(query, task.forget)

    first = ask(1.0, "retain")
    assert (ask(1.0, "retain") == first).all()
    assert evaluations.count("scaled") == 1
    assert (ask(2.0, "retain") != first).any()
    ask(1.0, "controls")
    assert evaluations.count("scaled") == 3


def test_a_model_whose_weights_changed_is_another_model(tmp_path, evaluations):
    first, second = task_of(tmp_path), task_of(tmp_path)
    before = first.models.of(first.original).outputs(first.forget)
    model = second.original
    with torch.no_grad():
        model[0].weight.mul_(1.1)
    after = second.models.make(model)
    after.memory = second.models.memory
    assert (after.outputs(second.forget).logits != before.logits).any()
    assert len(evaluations) == 2


def test_answers_that_were_changed_on_disk_are_asked_for_again(tmp_path, evaluations):
    task = task_of(tmp_path)
    task.models.of(task.original).outputs(task.forget)
    for path in (tmp_path / "answers").glob("*.npz"):
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
    again = task_of(tmp_path)
    again.models.of(again.original).outputs(again.forget)
    assert evaluations.count("forget") == 2


@pytest.mark.parametrize(("key", "taken"), [("", False), ("k" * 32, True)], ids=["no key", "a key"])
def test_under_a_gate_only_what_this_run_or_a_key_sealed_is_taken(tmp_path, evaluations, monkeypatch, key, taken):
    """Whoever can write the cache could plant answers of an original that shows nothing."""
    monkeypatch.setenv(CACHE_KEY, key)

    def ask(run, *, gate):
        monkeypatch.setenv(RUN_KEY, run * 32)
        with recording(Recorder("test_release", {"command line": {"gate": gate}})):
            task = task_of(tmp_path)
            before = len(evaluations)
            task.models.of(task.original).outputs(task.forget)
            return len(evaluations) == before

    assert not ask("a", gate=True)
    assert ask("a", gate=True)
    assert ask("b", gate=False)
    assert ask("c", gate=True) is taken


def test_a_task_that_trains_nothing_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    split = Split((X[:300], Y[:300]), range(40), (X[1000:1200], Y[1000:1200]))
    task = UnlearningTask(split, original=network(), references=[network()])
    task.models.of(task.original).outputs(task.forget)
    assert list(tmp_path.iterdir()) == []


STRENGTH = {"scale": 1.0}


def by_strength(model, view, answer):
    return answer(STRENGTH["scale"] * view.inputs(np.arange(len(view))), view.labels).logits


def test_the_code_of_a_question_is_read_once_an_audit_for_all_models_and_sets(tmp_path, monkeypatch):
    read, digest = [], answer_memory.Walk.digest

    def counted(walk, value, where):
        read.append(where)
        return digest(walk, value, where)

    monkeypatch.setattr(answer_memory.Walk, "digest", counted)
    task, query = task_of(tmp_path), Query(name="scaled", ask=Scaled(1.0))

    def ask(*views):
        for model in (task.original, *task.retrained):
            for view in views:
                task.models.of(model).ask(query, view)
        return read.count("the question")

    assert ask(task.forget, task.controls) == 1
    task.models.for_audit()
    assert ask(task.test) == 2


def test_what_a_question_s_code_reads_is_looked_at_anew_in_the_next_audit(tmp_path, evaluations, monkeypatch):
    query = Query(name="strength", ask=by_strength)
    task = task_of(tmp_path)
    first = task.models.of(task.original).ask(query, task.forget)
    monkeypatch.setitem(STRENGTH, "scale", 2.0)
    task.models.for_audit()
    task.models.of(task.retrained[0]).ask(query, task.forget)
    later = task_of(tmp_path)
    assert (later.models.of(later.original).ask(query, later.forget) != first).any()
    later.models.of(later.retrained[0]).ask(query, later.forget)
    assert evaluations.count("strength") == 3  # the last was kept with what its code read
