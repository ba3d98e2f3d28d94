"""Stages of the pipeline: `python -m examples.release_pipeline.stages STAGE WORK [REQUEST]`, as the Makefile has it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Subset, TensorDataset

from examples.release_pipeline.project import RECIPE, asked, load, parts, read, save
from unlearners import Retrain


def train(work: Path) -> None:
    """Train on everything: the model before anybody asked."""
    save(RECIPE(_data(), seed=0), work / "models/0.safetensors")


def request(work: Path, number: int) -> None:
    """Write down what is asked for, with an id that report and attestation will name."""
    path = work / f"requests/{number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": f"R-{number}", "rows": asked(number)}))


def unlearn(work: Path, number: int) -> None:
    """Make the model that is to be released of the one that is released now.

    By retraining on what is left: put the method of your project in its place.
    """
    gone = [row for earlier in range(1, number) for row in read(work, earlier)]
    now = read(work, number)
    kept = np.setdiff1d(np.arange(len(_data())), [*gone, *now]).tolist()
    released = load(work / f"models/{number - 1}.safetensors")
    method = Retrain(RECIPE)
    save(
        method(released, Subset(_data(), kept), Subset(_data(), now), seed=number),
        work / f"models/{number}.safetensors",
    )


def publish(work: Path, number: int) -> None:
    """Hand over the model with its card and attestation, together."""
    audit, place = work / f"audits/{number}", work / f"published/{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(work / f"models/{number}.safetensors", place / "model.safetensors")
    for name in ("attestation.json", "report.json", "README.md"):
        shutil.copy(audit / name, place / name)


def _data() -> TensorDataset:
    images, labels = parts()["train"]
    return TensorDataset(torch.as_tensor(images), torch.as_tensor(labels))


def main(stage: str, work: str, number: str = "0") -> None:
    """Run a stage by its name."""
    torch.set_num_threads(1)
    if stage == "train":
        train(Path(work))
    else:
        {"request": request, "unlearn": unlearn, "publish": publish}[stage](Path(work), int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
