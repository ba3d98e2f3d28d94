"""Ask a language model, where it runs, what audits will ask elsewhere.

Documents that an audit asks about together are asked together here: in other company a log-probability differs in its
last digits, and the verdict is to be that of the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_unlearn.data.text.knowledge import checked_items, documents_asked
from pytest_unlearn.data.text.split import MOST_RETAINED, TextSplit, document_view, some_of
from pytest_unlearn.data.view import View
from pytest_unlearn.models.text.adapters import bare, check_language_model, encoder_of
from pytest_unlearn.models.text.saved import SavedLogprobs
from pytest_unlearn.models.text.scores import token_scores


def record_logprobs(
    model: Any,
    task: Any = None,
    *,
    items: Any = None,
    canaries: Any = None,
    documents: Any = None,
    tokenizer: Any = None,
    max_length: int | None = None,
    device: str | None = None,
) -> SavedLogprobs:
    """Ask a language model, where it runs, all that audits elsewhere will ask it.

    Args:
        model: a causal model of transformers, a pipeline, or a callable `(input_ids, attention_mask) -> logits`.
        task: an `UnlearningTask` of a `TextSplit`, or the split: the request, its controls, the test documents and at
            most 200 retained ones are asked about.
        items: questions for `audit_knowledge_forgotten`.
        canaries: of `plant_text_canaries`.
        documents: others for `audit_text_utility`.
        tokenizer: the model's own; the recipe's or the pipeline's by default.
        max_length: tokens that the model is asked about at once; what it says of itself by default.
        device: where a module runs; its own by default.

    Returns:
        What the model thought of each token, to be saved: no text, and no token. Audits of it have the verdict of the
        model itself, bit for bit.

    Raises:
        TypeError: no language model, or no documents.
        ValueError: nothing to ask about, or a model that cannot be asked.
    """
    check_language_model(model, "the model")
    if isinstance(bare(model), SavedLogprobs):
        raise TypeError("this is SavedLogprobs already: record the model itself, where it runs.")
    asked_together = [
        *_of_task(task),
        *([] if documents is None else [(document_view(documents, "documents"),)]),
        *([] if items is None else [(question_view(checked_items(items)),)]),
        *([] if canaries is None else [canary_views(canaries)]),
    ]
    if not asked_together:
        raise ValueError("there is nothing to ask about: pass a task, items=, canaries= or documents=.")
    encoder = encoder_of(model, None if isinstance(task, TextSplit) else task, tokenizer, max_length)
    place = device or getattr(getattr(task, "models", None), "device", None)
    parts, asked = {}, {}
    for views in asked_together:
        found = token_scores(model, encoder.encoded(views), device=place)
        rows = np.split(np.arange(len(found)), np.cumsum([len(view) for view in views])[:-1])
        for view, own in zip(views, rows, strict=True):
            parts[view.name] = found.take(own)
            asked[view.name] = encoder.encoded((view,)).digest
    return SavedLogprobs(asked=asked, max_length=encoder.max_length, **parts)


def question_view(items: Any) -> View:
    """Show all that items ask of a model as one list of documents."""
    return document_view([one for item in items for one in documents_asked(item)], "questions")


def canary_views(canaries: Any) -> tuple[View, View]:
    """Show the texts that might have been planted, and the probes beside them."""
    return (
        document_view([one for row in canaries.candidates for one in row], "canaries"),
        document_view(list(canaries.probes), "probes"),
    )


def _of_task(task: Any) -> Iterator[tuple[View, ...]]:
    """Yield the views of a task, or of a split, that are asked about together."""
    if task is None:
        return
    if isinstance(task, TextSplit):
        views = {
            "forget": View("forget", task.train, task.forget_indices),
            "controls": View("controls", task.held_out, task.control_indices),
            "test": View("test", task.test, np.arange(len(task.test), dtype=np.int64)),
            "retain": View("retain", task.train, task.retain_indices),
        }
    else:
        views = {name: document_view(getattr(task, name), name) for name in ("forget", "controls", "test", "retain")}
    yield views["forget"], views["controls"]
    yield (views["test"],)
    yield (some_of(views["retain"], MOST_RETAINED),)
