"""LightningRecipe: the module's own steps, seeded, cached, unheard; what it refuses."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn import LightningRecipe, UnlearningTask, Verdict, audit_forgotten
from pytest_unlearn.models.adapters import identify
from pytest_unlearn.training.global_state import read
from tests.worlds.noise import noise, noisy_split

lightning = pytest.importorskip("lightning.pytorch")


class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
    """A network as Lightning has them, with its loss, its optimizer, its notes and its numbers."""

    def __init__(self, width: int = 64, rate: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(12, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 3))
        self.steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


class Rows:
    """Examples without a task."""

    def __init__(self, count: int = 65) -> None:
        self.X, self.y = noise(count, 0)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Any:
        return self.X[index], self.y[index]


def test_the_same_seed_gives_the_same_weights_and_another_gives_others():
    recipe = LightningRecipe(Module, epochs=2, batch_size=16)
    first, again, other = (identify(recipe(Rows(), seed=seed)).state for seed in (1, 1, 2))
    assert first == again != other


def test_a_training_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, caplog: Any):
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    environment, state, threads = dict(os.environ), read(), threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = LightningRecipe(Module, epochs=2)(Rows(), seed=1)
    assert list(tmp_path.iterdir()) == []
    assert (dict(os.environ), read(), threading.active_count()) == (environment, state, threads)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert not module.training
    assert module._trainer is None
    assert all(parameter.grad is None for parameter in module.parameters())


def test_modules_are_cached_and_come_back_as_they_were(tmp_path: Path):
    tasks = [
        UnlearningTask(noisy_split(20), LightningRecipe(Module, epochs=2), references=1, cache_dir=tmp_path)
        for _ in range(2)
    ]
    first, again = (task.trained_references[0] for task in tasks)
    assert (first.source, again.source) == ("trained", "store")
    assert identify(first.model) == identify(again.model)
    assert again.model.hparams.rate == 0.01


def test_who_has_trained_a_module_does_not_change_what_it_is():
    module = LightningRecipe(Module, epochs=1)(Rows(), seed=1)
    before = identify(module)
    module.trainer = lightning.Trainer(logger=False, enable_checkpointing=False)
    assert identify(module) == before


@pytest.mark.slow
def test_what_is_learned_by_heart_is_recognised_and_gone_after_retraining(tmp_path: Path):
    recipe = LightningRecipe(Module, epochs=40, batch_size=50)
    task = UnlearningTask(noisy_split(150), recipe, references=2, cache_dir=tmp_path)
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.65).verdict is Verdict.FAIL
    retrained = recipe(task.retain, seed=77)
    found = audit_forgotten(retrained, task.forget, max_mia_auc=0.65)
    assert found.verdict not in (Verdict.FAIL, Verdict.INVALID)
    assert found.estimate.low < 0.55


def test_further_arguments_reach_the_trainer_and_those_of_the_recipe_are_refused():
    kept = LightningRecipe(Module, epochs=2, trainer={"limit_train_batches": 1, "gradient_clip_val": 1e-9})
    still = kept(Rows(), seed=1)
    plain = LightningRecipe(Module, epochs=2)(Rows(), seed=1)
    assert identify(still).state != identify(plain).state
    with pytest.raises(ValueError, match="'logger', which the recipe sets: a training leaves no file"):
        LightningRecipe(Module, trainer={"logger": True})
    with pytest.raises(ValueError, match="configure_callbacks"):
        LightningRecipe(Module, trainer={"callbacks": []})


class Idle(Module):
    def configure_optimizers(self) -> Any:
        return None


class Wild(Module):
    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        return super().training_step(batch, index) * torch.inf


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (lambda: nn.Linear(12, 3), TypeError, "build returned Linear.*use TorchRecipe"),
        (Idle, ValueError, "changed no weight"),
        (Wild, FloatingPointError, "diverged"),
    ],
)
def test_what_cannot_be_trained_is_told(build: Any, error: Any, match: str):
    with pytest.raises(error, match=match):
        LightningRecipe(build, epochs=1)(Rows(), seed=0)
