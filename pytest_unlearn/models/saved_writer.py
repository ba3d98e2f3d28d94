"""Write what a model answers to files, from which audits read it as SavedOutputs."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, is_estimator
from pytest_unlearn.models.channel import Channel, open_channel
from pytest_unlearn.models.output import Output, OutputKind
from pytest_unlearn.models.predict import check_again


def save_outputs(
    model: Any,
    views: Iterable[View],
    folder: str | Path,
    *,
    batch_size: int = 256,
    output: Output = None,
    output_kind: OutputKind | None = None,
    device: str | None = None,
) -> SavedOutputs:
    """Ask a model about views and write its outputs, a file each.

    For models that are dear to ask: every answer is on disk as soon as it is there, and a call that was interrupted
    goes on where it was. A few examples are asked twice, in other company, as audits do: a model that answers otherwise
    then is refused, as is a folder that holds answers of another model.

    Args:
        model: an nn.Module, or a callable `x -> logits` such as those of `onnx_model` and `endpoint`.
        views: what to ask about, such as `[task.forget, task.controls, task.test]`; inputs are sent as they are there.
        folder: is made; gets `forget.npz`, ... with the columns outputs, id, label, and group where the split has them.
        batch_size: examples a question.
        output: which entry of an answer holds the outputs, as in audits.
        output_kind: what they are, to be checked; told by range and sum if it is not given.
        device: where a module runs; its own device by default.

    Returns:
        What the files hold, for audits in place of the model; `SavedOutputs.from_files` reads them later.

    Raises:
        TypeError: an estimator, whose `predict_proba` is to be passed.
        ValueError: a view of another name or twice, answers that depend on their company, or of another model.
        ConnectionError: as `endpoint` says; what was answered so far is kept.
    """
    if is_estimator(model):
        raise TypeError(f"a {type(model).__name__} is an estimator: pass its predict_proba, or audit it as it is.")
    batch_size = whole_number(batch_size, "batch_size", 1)
    asked, place = list(views), Path(folder)
    names = [view.name for view in asked]
    if not asked or len(set(names)) < len(names) or set(names) - {"forget", "controls", "retain", "test"}:
        raise ValueError(f"views are those of a task, each once: forget, controls, retain and test, not {names}.")
    files: dict[str, Any] = {}
    with open_channel(model, output, device) as channel:
        for view in asked:
            parts = place / f"{view.name}.parts"
            parts.mkdir(parents=True, exist_ok=True)
            rows, kept = _answers(channel, view, parts, batch_size)
            try:
                check_again(channel, view, rows)
            except ValueError as error:
                why = f" {kept} answers were found in {parts}: remove it if they are another model's." if kept else ""
                raise ValueError(f"{error}{why}") from None
            files[view.name] = place / f"{view.name}.npz"
            _write(files[view.name], outputs=rows, **_columns(view))
            shutil.rmtree(parts)
    return SavedOutputs.from_files(output_kind=output_kind, **files)


def _answers(channel: Channel, view: View, parts: Path, batch_size: int) -> tuple[FloatArray, int]:
    """Return a row an example, and how many of them were there already."""
    found, kept = [], 0
    for start in range(0, len(view), batch_size):
        positions = np.arange(start, min(start + batch_size, len(view)))
        contents = view.examples.digests(view.indices[positions])
        path = parts / f"{hashlib.sha256(contents.tobytes()).hexdigest()}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as part:
                rows = part["outputs"]
            kept += len(rows)
        else:
            rows = channel(view.inputs(positions))
            _write(path, outputs=rows)
        found.append(rows)
    return np.concatenate(found), kept


def _columns(view: View) -> dict[str, Any]:
    """Say of each row which example it is, its label, and whose."""
    columns: dict[str, Any] = {"id": np.array([f"{view.examples.name} {index}" for index in view.indices])}
    columns["label"] = view.labels if view.names is None else np.array(view.names)[view.labels]
    if view.names is not None:
        columns["classes"] = np.array(view.names)
    split = None if view.task is None else view.task.split
    if split is not None and view.examples is split.train and split.groups is not None:
        columns["group"] = split.groups[view.indices]
    if split is not None and view.examples is split.held_out and split.control_groups is not None:
        columns["group"] = split.control_groups[view.indices]
    return columns


def _write(path: Path, **columns: Any) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez(file, **columns)
    Path(file.name).replace(path)
