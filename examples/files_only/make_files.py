"""Make the files that an audit of files needs, from scikit-learn's digits: `python make_files.py`.

Your own project has them already, or writes them where its models run. This stands for that place.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

FORGET, TRAIN, HELD_OUT = 300, 600, 300
NOISE = 0.2
SEED = 12


def digits(seed: int) -> tuple[Any, Any, dict[str, Any]]:
    """Images, labels, and the rows of each set: 300 of 600 training digits must go, 300 were never trained on.

    A fifth of the labels of both is wrong, so that there is something to remember that generalisation cannot explain.
    """
    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    sets = {
        "forget": order[:FORGET],
        "retain": order[FORGET:TRAIN],
        "held_out": order[TRAIN : TRAIN + HELD_OUT],
        "test": order[TRAIN + HELD_OUT :],
    }
    for name in ("forget", "held_out"):
        wrong = rng.choice(sets[name], size=round(NOISE * len(sets[name])), replace=False)
        labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=len(wrong))) % 10
    return images / 16, labels, sets


def train(images: Any, labels: Any, seed: int) -> MLPClassifier:
    """Train the network of this project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier(256, batch_size=32, learning_rate_init=2e-3, max_iter=60, alpha=0, random_state=seed)
        return model.fit(images, labels)


def models(seed: int = SEED, references: int = 2, released: str = "retrained") -> dict[str, MLPClassifier]:
    """Train the original, some retrained models, and the one to be released: "retrained", or trained on everything."""
    images, labels, sets = digits(seed)
    everything = np.concatenate([sets["forget"], sets["retain"]])
    first = 1000 * (seed + 1)
    found = {"original": train(images[everything], labels[everything], first)}
    for k in range(1, references + 1):
        found[f"retrained_{k}"] = train(images[sets["retain"]], labels[sets["retain"]], first + k)
    rows = sets["retain"] if released == "retrained" else everything
    return {**found, "released": train(images[rows], labels[rows], first + 500)}


def save(folder: Path, found: dict[str, MLPClassifier], seed: int = SEED, ending: str = ".npz") -> None:
    """Write a folder a model and a file a set: what it answers, with the id and the label of each row."""
    images, labels, sets = digits(seed)
    for name, model in found.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for part in ("forget", "held_out", "test"):
            rows = sets[part]
            write(folder / name / f"{part}{ending}", rows, labels[rows], model.predict_proba(images[rows]))


def write(path: Path, ids: Sequence[int], labels: Any, outputs: Any) -> None:
    """Write one file in the form that its ending asks for."""
    columns = {"id": np.asarray(ids), "label": labels, **{f"p{k}": outputs[:, k] for k in range(outputs.shape[1])}}
    if path.suffix == ".npz":
        np.savez(path, id=ids, label=labels, outputs=outputs)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = zip(*(values.tolist() for values in columns.values()), strict=True)
            csv.writer(file).writerows([list(columns), *rows])
    else:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        parquet.write_table(pa.table(columns), path)


if __name__ == "__main__":
    save(Path(__file__).parent / "outputs", models())
