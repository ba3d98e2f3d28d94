"""Ask a session of ONNX Runtime, in batches that its graph takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pytest_unlearn.data.dataset import to_numpy

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
}
_SCORES = ("logits", "probabilities", "output_probability")


def onnx_model(session: Any, *, output: str | None = None) -> Callable[[Any], Any]:
    """Make a model of an ONNX Runtime session: a callable from a batch to outputs.

    It answers and nothing more: audits that ask for weights or layers need the model that was exported. Whether its
    outputs are logits or probabilities is told by their values, or said with `output_kind=` of an audit.

    Args:
        session: an `onnxruntime.InferenceSession`, with the providers and threads that you choose; of one input, whose
            first axis counts examples. A graph with a fixed number of them is asked in batches of exactly so many, the
            last one filled up with copies.
        output: which output of the graph holds logits or probabilities, shape (examples, classes); needed where it has
            several, and none is called logits or probabilities.

    Returns:
        The model, which any audit, `UnlearningTask` and `save_outputs` take.

    Raises:
        TypeError: no such session.
        ValueError: several inputs, an input of another type, or no telling which output is meant.
    """
    if not all(hasattr(session, name) for name in ("run", "get_inputs", "get_outputs")):
        raise TypeError(
            f"a session is an onnxruntime.InferenceSession('model.onnx'), and this is a {type(session).__name__}"
        )
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ValueError(
            f"the graph has {len(inputs)} inputs ({names}): wrap it in a function that makes them from a batch, "
            "`lambda x: session.run(['logits'], {...})[0]`"
        )
    wanted = inputs[0]
    if wanted.type not in _TYPES:
        raise ValueError(f"the graph's input {wanted.name} is a {wanted.type}, and audits ask about tensors of numbers")
    picked = _output(session, output)
    size = wanted.shape[0] if wanted.shape and isinstance(wanted.shape[0], int) else None

    def run(batch: Any) -> Any:
        return _rows(session.run([picked], {wanted.name: batch})[0])

    def ask(batch: Any) -> Any:
        rows = np.ascontiguousarray(to_numpy(batch), dtype=_TYPES[wanted.type])
        if size is None:
            return run(rows)
        order = np.arange(len(rows))
        parts = [order[start : start + size] for start in range(0, len(rows), size)]
        return np.concatenate([run(rows[np.resize(part, size)])[: len(part)] for part in parts])

    return ask


def _output(session: Any, output: str | None) -> str:
    """Pick the name of the output that holds scores."""
    names = [one.name for one in session.get_outputs()]
    found = names if len(names) == 1 else [name for name in names if name in _SCORES]
    if output is not None:
        found = [output]
    if len(found) != 1 or found[0] not in names:
        raise ValueError(f"the graph's outputs are {', '.join(names)}: say with output= which holds one score a class")
    return str(found[0])


def _rows(answer: Any) -> Any:
    """Return one row an example; of scikit-learn's classifiers a mapping each is given, from classes in order."""
    if isinstance(answer, list) and answer and isinstance(answer[0], Mapping):
        return np.array([list(row.values()) for row in answer], dtype=np.float64)
    return np.asarray(answer)
