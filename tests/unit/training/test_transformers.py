"""TransformersRecipe: Trainer as a recipe for images and for texts; audits on the way do not disturb it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import (
    Split,
    TransformersClassifier,
    TransformersRecipe,
    UnlearningTask,
    Verdict,
    audit_every,
    audit_forgotten,
    audit_utility,
)
from pytest_unlearn.models.adapters import identify
from pytest_unlearn.models.layers import find_layers
from pytest_unlearn.training.global_state import read
from tests.worlds.noise import noisy_split, sentences

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")  # which Trainer needs

pytestmark = pytest.mark.slow  # transformers takes seconds to import
SHAPE = (1, 8, 8)
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "num_labels": 3}


def vit() -> nn.Module:
    config = transformers.ViTConfig(image_size=8, patch_size=4, num_channels=1, **SIZES)
    return transformers.ViTForImageClassification(config)


def bert() -> nn.Module:
    config = transformers.BertConfig(vocab_size=20, max_position_embeddings=8, pad_token_id=0, **SIZES)
    return transformers.BertForSequenceClassification(config)


def split_of(kind: Callable[[], nn.Module], forget: int = 30) -> Split:
    if kind is vit:
        return noisy_split(forget, shape=SHAPE)
    return Split(sentences(2 * forget, 0), forget=np.arange(forget), test=sentences(300, 1))


@pytest.mark.parametrize("kind", [vit, bert])
def test_the_same_seed_gives_the_same_weights_and_nothing_is_left(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
):
    monkeypatch.chdir(tmp_path)
    retain, state = UnlearningTask(split_of(kind)).retain, read()
    recipe = TransformersRecipe(kind, epochs=2, learning_rate=1e-3)
    models = [recipe(retain, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (identify(model).state for model in models)
    assert first == again != other
    assert list(tmp_path.iterdir()) == []
    assert read() == state
    assert capfd.readouterr().out == ""
    assert not models[0].training


@pytest.mark.parametrize("kind", [vit, bert])
def test_classifiers_are_cached_and_come_back_as_they_were(kind: Any, tmp_path: Path):
    tasks = [
        UnlearningTask(split_of(kind), TransformersRecipe(kind, epochs=1), references=1, cache_dir=tmp_path)
        for _ in range(2)
    ]
    first, again = (task.trained_references[0] for task in tasks)
    assert (first.source, again.source) == ("trained", "store")
    assert identify(first.model) == identify(again.model)
    assert identify(again.model).obstacle == ""


def test_what_is_filled_up_is_not_read():
    classifier = TransformersClassifier(bert()).eval()
    ids = torch.tensor([[4, 5, 6, 0, 0]])
    torch.testing.assert_close(classifier(ids), classifier(ids[:, :3]))


def test_layers_of_a_classifier_are_found_without_names():
    task = UnlearningTask(split_of(vit))
    assert find_layers(TransformersClassifier(vit()).eval(), task.forget)


@pytest.mark.long
@pytest.mark.parametrize("kind", [vit, bert])
def test_what_is_learned_by_heart_is_recognised_and_gone_after_retraining(kind: Any, tmp_path: Path):
    recipe = TransformersRecipe(kind, epochs=30, learning_rate=3e-3)
    task = UnlearningTask(split_of(kind, 120), recipe, references=2, cache_dir=tmp_path)
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.65).verdict is Verdict.FAIL
    found = audit_forgotten(recipe(task.retain, seed=77), task.forget, max_mia_auc=0.65)
    assert found.verdict not in (Verdict.FAIL, Verdict.INVALID)


def trained_by_hand(task: UnlearningTask, folder: Path, callbacks: list[Any]) -> nn.Module:
    """Train a model with a Trainer of one's own."""
    torch.manual_seed(0)
    model: Any = vit()
    rows = [{"pixel_values": torch.as_tensor(x), "labels": int(y)} for x, y in task.retain]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), max_steps=5, per_device_train_batch_size=8, report_to="none", save_strategy="no",
        use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=callbacks).train()
    return model


def test_audits_on_the_way_happen_when_they_should_and_change_nothing(tmp_path: Path):
    task = UnlearningTask(split_of(vit), original=TransformersClassifier(vit()))

    def audit(model: TransformersClassifier) -> Any:
        torch.rand(3)
        np.random.rand(3)  # noqa: NPY002
        return audit_utility(model, task.test)

    watch = audit_every(2, audit)
    watched = trained_by_hand(task, tmp_path, [watch])
    assert [audited.step for audited in watch.audits] == [2, 4, 5]
    assert len({audited.evidence.provenance["model"]["digest"] for audited in watch.audits}) == 3
    assert identify(watched).state == identify(trained_by_hand(task, tmp_path, [])).state


@pytest.mark.parametrize("missing", ["transformers", "accelerate"])
def test_without_its_packages_it_is_said_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pytest-unlearn\[transformers\]"):
        audit_every(1, lambda model: None)


def test_other_models_and_arguments_of_the_recipe_are_refused():
    with pytest.raises(TypeError, match="no model of transformers"):
        TransformersRecipe(lambda: nn.Linear(3, 3)).untrained()
    with pytest.raises(ValueError, match="'output_dir', which the recipe sets: a training leaves no file"):
        TransformersRecipe(vit, arguments={"output_dir": "out"})
    with pytest.raises(ValueError, match="use epochs="):
        TransformersRecipe(vit, arguments={"max_steps": 3})
    with pytest.raises(ValueError, match="steps"):
        audit_every(0, lambda model: None)
