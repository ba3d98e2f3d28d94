"""TokenScores: ragged arrays of documents that fit each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_unlearn.core.token_scores import TokenScores


def scores() -> TokenScores:
    return TokenScores(
        offsets=[0, 2, 3],  # type: ignore[arg-type]
        logprob=[-1, -2, -3],  # type: ignore[arg-type]
        mean=np.full(3, -2.0),
        sd=np.ones(3),
        hit=np.array([True, False, False]),
        text_bytes=np.array([9, 4]),
        compressed=np.array([17, 12]),
    )


def test_documents_are_counted_and_taken_in_any_order() -> None:
    swapped = scores().take(np.array([1, 0]))
    assert len(swapped) == 2
    assert swapped.lengths.tolist() == [1, 2]
    assert swapped.logprob.tolist() == [-3, -1, -2]
    assert swapped.hit.tolist() == [False, True, False]
    assert swapped.compressed.tolist() == [12, 17]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"offsets": [0, 3, 3]}, "each document needs a scored token"),
        ({"offsets": [1, 3]}, "must start at 0"),
        ({"mean": np.zeros(2)}, r"mean has the shape \(2,\), and \(3,\) is needed"),
        ({"compressed": np.zeros(3)}, r"compressed has the shape \(3,\), and \(2,\) is needed"),
        ({"logprob": [-1, np.nan, -1]}, "not finite"),
        ({"logprob": [-1, 0.5, -1]}, "above 0"),
    ],
    ids=["empty-document", "first-offset", "tokens", "documents", "nan", "positive"],
)
def test_what_fits_no_documents_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(scores(), **changed)  # type: ignore[arg-type]
