"""An example is known by its contents, however it lies in memory."""

from __future__ import annotations

import numpy as np
import torch

from unlearners._core.examples import digest

LABEL = torch.tensor(1)


def test_a_number_that_lies_with_a_stride_of_nought_is_known() -> None:
    strange = np.lib.stride_tricks.as_strided(np.array([7]), shape=(1,), strides=(0,))
    assert digest(torch.as_tensor(strange), LABEL) == digest(torch.tensor([7]), LABEL)


def test_examples_differ_by_type_shape_value_and_label() -> None:
    row = torch.ones(2, 3)
    others = (row.double(), row.reshape(3, 2), row.index_fill(0, torch.tensor([1]), 2.0), row.bfloat16())
    names = {digest(x, LABEL) for x in (row, *others)} | {digest(row, torch.tensor(2))}
    assert len(names) == 6
    assert digest(row.T.contiguous().T, LABEL) == digest(row, LABEL)
