"""Ask models about documents after a text that none of them was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.claims.text.inputs import TextInputs
from pytest_unlearn.core.token_scores import TextAnswers
from pytest_unlearn.data.row_digests import first_in
from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.encoding import Encoded, Encoder
from pytest_unlearn.models.text.adapters import bare
from pytest_unlearn.models.text.changes import AfterText
from pytest_unlearn.models.text.saved import SavedLogprobs


@dataclass(frozen=True, slots=True)
class AfterPrefix:
    """Ask a model about both sets, and again after a text."""

    inputs: TextInputs
    before: AfterText

    def __call__(self, model: Any) -> TextAnswers:
        """Return both answers of a model."""
        encoded, cut = encoded_after(self.inputs, self.before), len(self.inputs.forget)
        found = self.inputs.models.of(model).token_scores_of_copy(self.before, encoded)
        sides = found.take(np.arange(cut)), found.take(np.arange(cut, len(found)))
        return replace(self.inputs.answers(model), after=TextAnswers(forget=sides[0], controls=sides[1]))


def encoded_after(inputs: TextInputs, before: AfterText) -> Encoded:
    """Encode both sets in chunks that leave room for a text before them."""
    encoder = inputs.encoder
    if encoder.max_length is not None:
        encoder = Encoder(encoder.tokenizer, encoder.max_length - len(before.prefix))
    return encoder.encoded((inputs.forget, inputs.controls))


def prefix_of(prefix: Any, model: Any, inputs: TextInputs) -> AfterText:
    """Read the text that models are told first.

    Raises:
        TypeError: no document.
        ValueError: one that a model was trained on, or is judged by; twins, or models that cannot be asked again.
    """
    if inputs.twins:
        raise ValueError("recall_prefix= is for documents beside controls: twins have signals of their own.")
    models = (bare(model), inputs.original, *inputs.references)
    if any(isinstance(one, SavedLogprobs) for one in models):
        raise ValueError("recall_prefix= asks every model again, and SavedLogprobs cannot be asked: leave it out.")
    given = Documents([prefix], "recall_prefix")
    judged = [(view.examples.contents[view.indices], view.name) for view in (inputs.forget, inputs.controls)]
    trained = [] if inputs.task is None else [(inputs.task.split.train.contents, "training")]
    for contents, name in (*judged, *trained):
        if (first_in(given.contents, contents) >= 0).any():
            raise ValueError(
                f"recall_prefix= is one of the {name} documents: pass another, which no model was trained on and by "
                "which none is judged."
            )
    ids = inputs.encoder.encode(given.documents).sequences[0].ids
    most = inputs.encoder.max_length
    return AfterText(ids[: len(ids) if most is None else most // 2].tolist())
