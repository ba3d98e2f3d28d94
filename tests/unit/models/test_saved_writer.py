"""What a model answers is written so that audits of the files say what audits of the model say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, audit_forgotten, save_outputs
from tests.worlds.noise import noise, noisy_split


def linear(seed: int, calls: list[int] | None = None, most: int = 10**6) -> Any:
    """Make a model that answers so often, and then no more."""
    weights = np.random.default_rng(seed).normal(size=(12, 3))

    def model(x: Any) -> Any:
        if calls is not None:
            calls.append(len(x))
            if len(calls) > most:
                raise ConnectionError("the quota is used up")
        return np.asarray(x) @ weights

    return model


def views(task: UnlearningTask) -> Any:
    return [task.forget, task.controls, task.test]


def test_files_are_audited_as_the_model_is(tmp_path: Path):
    models = [linear(seed) for seed in range(4)]
    task = UnlearningTask(noisy_split(60), original=models[0], references=models[1:3])
    saved = [save_outputs(model, views(task), tmp_path / str(k)) for k, model in enumerate(models)]
    of_files = UnlearningTask(noisy_split(60), original=saved[0], references=saved[1:3])
    asked = audit_forgotten(models[3], task.forget, max_mia_auc=0.7)
    read = audit_forgotten(saved[3], of_files.forget, max_mia_auc=0.7)
    assert read.estimate == asked.estimate
    assert read.verdict is asked.verdict
    assert read.provenance["model"]["files"]
    assert sorted(path.name for path in (tmp_path / "3").iterdir()) == ["controls.npz", "forget.npz", "test.npz"]


def test_files_say_whose_rows_they_are_without_the_data(tmp_path: Path):
    X, y = noise(40, 0)
    names = np.array(["cat", "dog", "fox"])
    test = noise(60, 1)
    split = Split(
        (X, names[y]), forget=np.arange(10), test=(test[0], names[test[1]]),
        groups=np.arange(40) // 2, control_groups=100 + np.arange(60) // 3,
    )  # fmt: skip
    saved = save_outputs(linear(0), views(UnlearningTask(split))[:2], tmp_path)
    forget = saved.view("forget")
    assert forget.examples.groups == tuple(str(k // 2) for k in range(10))
    assert forget.examples.classes == ("cat", "dog", "fox")
    assert forget.labels.tolist() == y[:10].tolist()
    assert not set(forget.examples.ids) & set(saved.view("controls").examples.ids)


def test_an_interrupted_call_goes_on_where_it_was(tmp_path: Path):
    task, calls = UnlearningTask(noisy_split(60)), list[int]()
    with pytest.raises(ValueError, match="the quota is used up"):
        save_outputs(linear(0, calls, most=3), views(task), tmp_path, batch_size=20)
    assert not (tmp_path / "controls.npz").exists()
    calls.clear()
    saved = save_outputs(linear(0, calls), views(task), tmp_path, batch_size=20)
    again = 3 * 20  # a question each, kept
    assert sum(calls) == 60 + 600 + 600 + 3 * (16 + 4) - again
    assert np.array_equal(saved.parts["forget"], save_outputs(linear(0), views(task), tmp_path / "b").parts["forget"])


def test_answers_of_another_model_are_not_mixed_in(tmp_path: Path):
    task = UnlearningTask(noisy_split(60))
    with pytest.raises(ValueError, match="quota"):
        save_outputs(linear(0, [], most=2), views(task), tmp_path, batch_size=20)
    with pytest.raises(ValueError, match=r"40 answers were found in .*forget.parts: remove it"):
        save_outputs(linear(1), views(task), tmp_path, batch_size=20)


def test_a_model_that_answers_otherwise_in_other_company_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="asked again in another batch"):
        save_outputs(lambda x: np.asarray(x)[:, :3] - np.mean(x), views(UnlearningTask(noisy_split(60))), tmp_path)
    assert not (tmp_path / "forget.npz").exists()


def test_estimators_and_views_that_audits_do_not_read_are_refused(tmp_path: Path):
    task = UnlearningTask(noisy_split(60))
    with pytest.raises(TypeError, match="pass its predict_proba"):
        save_outputs(LogisticRegression().fit(*noise(60, 0)), views(task), tmp_path)
    with pytest.raises(ValueError, match="each once"):
        save_outputs(linear(0), [task.forget, task.forget], tmp_path)
    assert isinstance(save_outputs(linear(0), [task.retain], tmp_path), SavedOutputs)
