"""What a model's answers are: told by range and sum, or said outright; and never two scales in one audit."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from pytest_unlearn.models.output import (
    Reading,
    as_logits,
    as_rows,
    check_alike,
    fixed,
    kind_of,
    pick,
    read_as,
    tensor_logits,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (40, 5))
ONE = RNG.normal(0, 3, (40, 1))
P = softmax(LOGITS, axis=1)
FLOOR = np.log(1e-12)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (LOGITS, "logits"),
        (ONE, "logits"),
        (np.abs(LOGITS) / 20, "logits"),  # within [0, 1], but no sum
        (-np.abs(LOGITS), "logits"),
        (expit(ONE), "probabilities"),
        (expit(ONE[:7]), "logits"),  # so few may be log-odds
        (np.clip(ONE, 0, 1.5), "logits"),
        (P, "probabilities"),
        (P[:1], "probabilities"),
        (P.astype(np.float16), "probabilities"),
        (P.round(1), "probabilities"),
        (P.round(2).astype(np.float32), "probabilities"),
        (np.where(P < 0.1, 0, P) / np.where(P < 0.1, 0, P).sum(axis=1, keepdims=True), "probabilities"),
        (np.eye(5)[LOGITS.argmax(axis=1)], "labels"),
        ((ONE > 0).astype(float), "labels"),
        (log_softmax(LOGITS, axis=1), "log-probabilities"),
        (np.where(np.eye(5) > 0, 0.0, -np.inf), "log-probabilities"),
        (np.where(LOGITS > 5, -np.inf, LOGITS), "logits"),
        (np.full((9, 2), np.nan), "logits"),
    ],
)  # fmt: skip
def test_kinds_are_told_by_range_and_sum(rows, kind):
    assert kind_of(np.asarray(rows, dtype=np.float64)) == kind


def test_probabilities_give_the_logits_they_came_from_up_to_a_constant():
    expected = LOGITS - LOGITS.mean(axis=1, keepdims=True)
    for rows, kind in ((P, "probabilities"), (np.log(P), "log-probabilities"), (LOGITS, "logits")):
        found = as_logits(rows, kind)
        assert np.allclose(found - found.mean(axis=1, keepdims=True), expected, atol=1e-6)
    for rows, kind in ((expit(ONE), "probabilities"), (np.log(expit(ONE)), "log-probabilities"), (ONE, "logits")):
        found = as_logits(rows, kind)
        assert np.allclose(found[:, 1] - found[:, 0], ONE[:, 0], atol=1e-6)


def test_a_probability_of_zero_is_floored_and_nan_is_not():
    found = as_logits(np.array([[0.0, 1.0], [np.nan, 0.5]]), "probabilities")
    assert found[0].tolist() == [FLOOR, 0.0]
    assert np.isnan(found[1, 0])
    assert as_logits(np.array([[1.0]]), "probabilities").tolist() == [[FLOOR, 0.0]]
    found = as_logits(np.array([[-np.inf, 0.0, -80.0], [-np.inf, 0.0, -np.inf]]), "log-probabilities")
    assert found.tolist() == [[-80.0, 0.0, -80.0], [FLOOR, 0.0, FLOOR]]  # no zero above what is not zero
    assert as_logits(np.array([[-np.inf]]), "log-probabilities").tolist() == [[0.0, FLOOR]]


@pytest.mark.parametrize(
    ("rows", "kind"), [(LOGITS, "probabilities"), (P, "log-probabilities"), (ONE, "probabilities")]
)
def test_what_cannot_be_of_a_kind_is_refused_with_its_range(rows, kind):
    with pytest.raises(ValueError, match=rf"read as {kind}, and they range from .* say with output_kind="):
        as_logits(rows, kind)


def test_a_kind_is_said_beside_the_entry():
    said = read_as("out", "logits")
    assert said == Reading("out", "logits")
    assert read_as("out", None) == "out"
    assert read_as(said, "probabilities") == Reading("out", "probabilities")
    assert pick({"out": 3}, said) == 3
    assert fixed(said, "probabilities") is said
    assert fixed(1, "labels") == Reading(1, "probabilities")
    assert fixed(1, "scores") == 1
    with pytest.raises(ValueError, match="output_kind must be one of 'logits', 'probabilities', 'log-probabilities'"):
        read_as(None, "odds")


def test_a_squeezed_answer_to_a_single_example_is_one_row():
    assert as_rows(torch.tensor(0.5), 1).tolist() == [[0.5]]
    assert as_rows(np.array([0.5]), 1).tolist() == [[0.5]]
    assert as_rows(np.array([0.5, 0.2]), 1).tolist() == [[0.5, 0.2]]
    assert as_rows(np.array([0.5, 0.2]), 2).tolist() == [[0.5], [0.2]]
    with pytest.raises(ValueError, match="2 rows for 3 examples"):
        as_rows(np.array([0.5, 0.2]), 3)


def test_two_scales_in_one_audit_are_an_error_and_labels_are_of_any_scale():
    check_alike([("a", "logits"), ("b", "log-probabilities"), ("c", "labels"), ("d", "scores")])
    check_alike([("a", "probabilities"), ("c", "labels"), ("d", "scores")])
    for other in ("logits", "log-probabilities"):
        with pytest.raises(ValueError, match="the original answers probabilities and the model answers logits"):
            check_alike([("the model", other), ("the original", "probabilities")])


@pytest.mark.parametrize(
    ("rows", "kind"),
    [(P, "probabilities"), (np.log(P), "log-probabilities"), (expit(ONE), "probabilities"), (LOGITS, "logits"),
     (np.log(expit(ONE)), "log-probabilities"), (np.eye(2), "labels")],
)  # fmt: skip
def test_tensors_are_read_as_arrays_are(rows, kind):
    tensor = torch.tensor(rows, requires_grad=True)
    found = tensor_logits(tensor, kind)
    ours = found.detach().numpy()
    ours = np.concatenate([np.zeros_like(ours), ours], axis=1) if ours.shape[1] == 1 else ours
    theirs = as_logits(rows, kind)
    assert np.allclose(ours - ours[:, :1], theirs - theirs[:, :1], atol=1e-6)
    found.sum().backward()
    assert torch.isfinite(tensor.grad).all()
