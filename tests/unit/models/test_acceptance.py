"""Models that people have are audited, or refused with what to do: exported, quantised, of one batch size."""

import copy
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, UnlearningTask, audit_forgotten, audit_matches_retrained
from pytest_unlearn.models.predict import evaluate

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
SPLIT = Split((X[:300], Y[:300]), forget=range(60), test=(X[300:600], Y[300:600]))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)).eval()


def exported(model):
    batch = torch.export.Dim("batch")
    return torch.export.export(model, (torch.zeros(2, 64),), dynamic_shapes={"input": {0: batch}}).module()


class OfOneSize(nn.Module):
    """A model compiled for batches of so many."""

    def __init__(self, model, size):
        super().__init__()
        self.model, self.size = model, size

    def forward(self, x):
        if len(x) != self.size:
            raise RuntimeError(f"compiled for batches of {self.size}")
        return self.model(x)


def quantised(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear}, dtype=torch.qint8)


def task(**given):
    return UnlearningTask(SPLIT, original=network(0), references=[network(1), network(2)], **given)


def logits(model, **given):
    return evaluate(model, task().forget, classes=SPLIT.classes, **given).logits


@pytest.mark.parametrize("make", [exported, torch.jit.script, lambda m: m.to(torch.bfloat16), lambda m: m.double()])
def test_a_network_in_another_form_answers_as_it_did(make):
    assert np.allclose(logits(make(network())), logits(network()), atol=0.05)


@pytest.mark.parametrize("make", [exported, torch.jit.script])
def test_a_network_in_another_form_is_audited(make):
    assert audit_forgotten(make(network(3)), task().forget).attacks


def test_a_network_that_is_quantised_by_the_batch_is_asked_one_at_a_time():
    with pytest.raises(ValueError, match=r"dynamic quantisation .*UnlearningTask\(\.\.\., batch_size=1\)"):
        audit_forgotten(quantised(network(3)), task().forget)
    evidence = audit_forgotten(quantised(network(3)), task(batch_size=1).forget)
    assert any("one example at a time" in reason for reason in evidence.reasons)
    assert evidence.provenance["task"]["batch_size"] == 1


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_a_model_of_one_batch_size_is_asked_in_batches_of_it(size):
    model = OfOneSize(network(), size)
    assert np.allclose(logits(model, exactly=size), logits(network()), atol=1e-5)
    evidence = audit_matches_retrained(model, task(batch_size=size).forget, baseline=network())
    assert evidence.estimate.value == 0


def test_a_model_of_one_batch_size_is_audited_by_its_task_alone():
    model = OfOneSize(network(3), 64)
    own = UnlearningTask(SPLIT, original=OfOneSize(network(0), 64), references=[network(1), network(2)], batch_size=64)
    assert (
        audit_forgotten(model, own.forget).attacks.keys() == audit_forgotten(network(3), task().forget).attacks.keys()
    )
    with pytest.raises(ValueError, match=r"compiled for batches of 64\. .*UnlearningTask\(\.\.\., batch_size=\)"):
        audit_forgotten(model, task().forget)


def test_a_task_of_another_request_keeps_the_batch_size():
    assert task(batch_size=7).with_request([1, 2], references=[]).models.batch_size == 7


def test_a_model_that_depends_on_its_batch_is_found_out_at_any_batch_size():
    class Centred(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = network()

        def forward(self, x):
            answers = self.model(x)
            return answers - answers.mean(dim=0)

    with pytest.raises(ValueError, match="changed when it was asked again"):
        audit_forgotten(Centred(), task(batch_size=32).forget)


def test_inputs_and_controls_of_different_kinds_are_asked_about_together():
    mixed = Split(
        (torch.tensor(X[:300]), torch.tensor(Y[:300])), forget=range(60), test=(X[300:600].astype(float), Y[300:600])
    )
    own = UnlearningTask(mixed, original=network(0), references=[network(1), network(2)])
    assert audit_forgotten(network(3), own.forget).attacks == audit_forgotten(network(3), task().forget).attacks


def test_an_exported_program_is_told_from_its_module():
    program = torch.export.export(network(), (torch.zeros(2, 64),))
    with pytest.raises(TypeError, match=r"an ExportedProgram: pass what its \.module\(\) returns"):
        audit_forgotten(program, task().forget)
