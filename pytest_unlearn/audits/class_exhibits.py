"""What a claim about a removed class shows: its parts, and where the class is sent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.audits.class_parts import Part
from pytest_unlearn.evidence import Answers
from pytest_unlearn.exhibits import Cell, Table


def parts_table(own: Sequence[Part], known: Sequence[Part] | None, confidence: float) -> Table:
    """Every part's quantity, of each model, and what the verdict is made from."""
    rows: list[tuple[Cell, ...]] = []
    for k, part in enumerate(own):
        estimate = part.measure.at(confidence)
        shown = (
            part.ours,
            *([known[k].ours] if known is not None else [np.nan]),
            part.theirs.mean(),
            part.theirs.min(),
            part.theirs.max(),
            estimate.value,
            estimate.low,
            estimate.high,
            part.highest,
        )
        rows.append((part.name, *(None if np.isnan(value) else round(float(value), 4) for value in shown)))
    return Table(
        title="The removed class, part by part",
        says="Each quantity of this model beside the original's and the retrained models'; the difference to these, "
        "with its one-sided bounds, has to stay within the limit. Where examples are sent is a distance to the others.",
        columns=(
            "part",
            "this model",
            "original",
            "retrained",
            "lowest",
            "highest",
            "difference",
            "low",
            "high",
            "limit",
        ),
        rows=tuple(rows),
    )


def sent_table(
    target: Answers, original: Answers | None, references: Sequence[Answers], gone: NDArray[np.bool_]
) -> Table:
    """The distribution of answers on the removed classes."""
    models = [target, *([original] if original is not None else []), *references]
    answers = [one.forget.logits.argmax(axis=1)[gone] for one in models]
    columns = max(int(one.max()) for one in answers) + 1
    shares = np.array([np.bincount(one, minlength=columns) / len(one) for one in answers])
    known = shares[-len(references) :]
    rows = [
        (
            column,
            round(float(shares[0, column]), 4),
            round(float(shares[1, column]), 4) if original is not None else None,
            *(
                round(float(value), 4)
                for value in (known[:, column].mean(), known[:, column].min(), known[:, column].max())
            ),
        )
        for column in np.flatnonzero(shares.any(axis=0)).tolist()
    ]
    return Table(
        title="Where unseen examples of the class are sent",
        says="Share of them that is answered with each column of the logits; retrained models spread by their seeds.",
        columns=("answer", "this model", "original", "retrained", "lowest", "highest"),
        rows=tuple(rows),
    )
