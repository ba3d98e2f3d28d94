"""Sessions of ONNX Runtime answer as the model that was exported, whatever batches and types their graph takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_unlearn import UnlearningTask, Verdict, audit_forgotten, onnx_model
from pytest_unlearn.models.predict import evaluate
from tests.worlds.noise import noise, noisy_split

onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")

WEIGHTS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
X = noise(10, 0)[0]


def session(rows: Any = "rows", *, softmax: bool = False, both: bool = False, inputs: int = 1) -> Any:
    """Make a linear model of twelve features and three classes."""
    from onnx import TensorProto, helper

    names = [f"x{k}" for k in range(inputs)]
    nodes = [helper.make_node("MatMul", [names[0], "weights"], ["scores"])]
    nodes += [helper.make_node("Softmax", ["scores"], ["probabilities"])] if softmax or both else []
    made = ["scores", "probabilities"] if both else ["probabilities"] if softmax else ["scores"]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 12]) for name in names],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 3]) for name in made],
        [onnx.numpy_helper.from_array(WEIGHTS, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("rows", ["rows", 1, 4, 32])
def test_a_graph_answers_as_the_model_did_whatever_batches_it_takes(rows: Any):
    np.testing.assert_allclose(onnx_model(session(rows))(X.astype(np.float64)), X @ WEIGHTS, rtol=1e-5, atol=1e-6)


def test_probabilities_are_told_by_their_values_and_outputs_by_name():
    task = UnlearningTask(noisy_split(20))
    views = [
        evaluate(onnx_model(made, output=name), task.test, classes=task.split.classes)
        for made, name in ((session(), None), (session(softmax=True), None), (session(both=True), "scores"))
    ]
    assert [found.kind for found in views] == ["logits", "probabilities", "logits"]
    logits = views[0].logits
    expected = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(views[1].logits, expected, rtol=1e-4, atol=1e-4)
    assert np.array_equal(onnx_model(session(both=True))(X), session(both=True).run(["probabilities"], {"x0": X})[0])


def test_a_session_is_audited_as_any_model():
    task = UnlearningTask(noisy_split(100), original=onnx_model(session()), references=[onnx_model(session())] * 2)
    assert audit_forgotten(onnx_model(session()), task.forget, max_mia_auc=0.7).verdict is not Verdict.FAIL


def test_mappings_of_scikit_learns_converter_are_rows():
    class ZipMap:
        def get_inputs(self) -> Any:
            return session().get_inputs()

        def get_outputs(self) -> Any:
            return session(softmax=True).get_outputs()

        def run(self, names: Any, feed: Any) -> Any:
            return [[{0: 0.2, 1: 0.5, 2: 0.3} for _ in feed["x0"]]]

    assert onnx_model(ZipMap())(X).tolist() == [[0.2, 0.5, 0.3]] * 10


def test_what_cannot_be_asked_is_refused_with_what_to_do():
    with pytest.raises(TypeError, match="this is a str"):
        onnx_model("model.onnx")
    with pytest.raises(ValueError, match=r"2 inputs \(x0, x1\): wrap it in a function"):
        onnx_model(session(inputs=2))
    with pytest.raises(ValueError, match="outputs are scores, probabilities: say with output="):
        onnx_model(session(both=True), output="logits")
