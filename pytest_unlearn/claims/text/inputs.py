"""Inputs of an audit of documents: views, models beside the audited one, encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.text.comparable import Retained
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores
from pytest_unlearn.data.row_digests import first_in
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.data.text.split import document_view, some_of
from pytest_unlearn.data.view import View
from pytest_unlearn.models.handle import AuditHandles, ModelHandles
from pytest_unlearn.models.text.adapters import bare, check_language_model, checked_language_models, encoder_of
from pytest_unlearn.models.text.saved import SavedLogprobs
from pytest_unlearn.task import UnlearningTask

NOTHING = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInputs:
    """Hold two sets of documents, the original, the references and the encoder.

    `twins` says that the controls are counterfactual twins of the request, one each.
    """

    forget: View
    controls: View
    pairing: Pairing
    task: UnlearningTask | None
    original: Any
    references: tuple[Any, ...]
    encoder: Encoder
    models: AuditHandles
    twins: bool = False

    @property
    def sizes(self) -> tuple[int, int]:
        """How many documents of the request are compared with how many controls."""
        return len(self.forget), len(self.controls)

    def answers(self, model: Any) -> TextAnswers:
        """Return what a model thinks of both sets, each document asked about once."""
        forget, controls = self.models.of(model).token_scores((self.forget, self.controls), self.encoder)
        return TextAnswers(forget=forget, controls=controls)

    def retained(self, model: Any, most: int) -> Retained | None:
        """Return what the model and the references think of some retained documents.

        None without a task, and for saved scores that hold none.
        """
        models = (model, *self.references)
        saved = (one for one in models if isinstance(one, SavedLogprobs))
        if self.task is None or any(not {"retain", "retained"} & set(one.parts) for one in saved):
            return None
        whole = self.task.retain
        some = some_of(whole, most)

        def scores(one: Any) -> TokenScores:
            handle = self.models.of(one)
            if isinstance(one, SavedLogprobs) and some.name not in one.parts:
                chosen = np.searchsorted(whole.indices, some.indices)
                return handle.token_scores((whole,), self.encoder)[0].take(chosen)
            return handle.token_scores((some,), self.encoder)[0]

        return Retained(scores(model), [scores(one) for one in self.references])


def resolve_text_inputs(
    model: Any,
    documents: Any,
    *,
    tokenizer: Any,
    max_length: int | None,
    controls: Any,
    groups: Any,
    baseline: Any,
    references: Sequence[Any] | None,
    require_controls: bool,
    twins: Any = None,
) -> TextInputs:
    """Resolve controls, models and tokenizer from a view's task or arguments.

    The audited model is asked about both sets first: one that cannot be audited costs no training.

    Raises:
        TypeError: something that is no language model, or no document.
        ValueError: for bare documents without `controls=` or `baseline=`, for a view that is not the forget view, for
            controls that stand in the request, and for text without a tokenizer.
    """
    check_language_model(model)
    if references is not None:
        references = checked_language_models(references, "references")
    if baseline is not None:
        check_language_model(baseline, "baseline")
    view = document_view(documents, "forget")
    task = view.task
    if task is not None and view.name != "forget":
        raise ValueError(f"this judges the task's forget view, not its {view.name} view: pass task.forget.")
    if twins is not None and controls is not None:
        raise ValueError("twins= stand where controls= do: pass one of them.")
    controls = controls if twins is None else twins
    if task is None:
        _require(controls, baseline, require_controls)
    elif groups is not None:
        raise ValueError("groups= is for bare documents: a task has those of its TextSplit.")
    others = task.controls if task is not None and controls is None else document_view(controls, "controls")
    own = task is not None and controls is None
    if not own:
        _check_disjoint(view, others, task)
    encoder = encoder_of(model, task, tokenizer, max_length)
    handles = task.models if task is not None else ModelHandles(NOTHING)
    models = handles.for_audit()
    pairing = _pairing(view, task, groups, own=own)
    if twins is not None:
        if len(others) != len(view):
            raise ValueError(f"twins holds {len(others)} documents for {len(view)} of the request: one each, in order.")
        units = np.arange(len(view)) if pairing.forget_groups is None else pairing.forget_groups
        pairing = Pairing(forget_groups=units, control_groups=units)  # a document and its twin are one unit
    inputs = TextInputs(
        forget=view,
        controls=others,
        pairing=pairing,
        task=task,
        original=bare(baseline),
        references=tuple(references or ()),
        encoder=encoder,
        models=models,
        twins=twins is not None,
    )
    inputs.answers(bare(model))
    if task is None:
        return inputs
    original = task.original if baseline is None and task.has_original else inputs.original
    trained = tuple(task.retrained) if references is None else inputs.references
    return replace(inputs, original=original, references=trained)


def text_provenance(
    model: Any, inputs: TextInputs, answers: Sequence[TokenScores], *, own: tuple[bool, bool], **settings: Any
) -> dict[str, Any]:
    """Record digests, seeds, settings and versions behind an audit of documents.

    `own` says whether original and references are the task's.
    """
    return provenance(
        model,
        (inputs.forget, inputs.controls),
        inputs.task,
        models=inputs.models,
        original=own[0] and inputs.original is not None,
        retrained=own[1] and bool(inputs.references),
        max_length=inputs.encoder.max_length,
        encoded=inputs.encoder.encoded((inputs.forget, inputs.controls)).digest,
        outputs=hashlib.sha256(b"".join(one.logprob.tobytes() for one in answers)).hexdigest(),
        references=len(inputs.references),
        **settings,
    )


def _pairing(view: View, task: UnlearningTask | None, groups: Any, *, own: bool) -> Pairing:
    if task is not None:
        split = task.split
        owned = split.control_groups if own else None
        control_groups = None if owned is None else owned[task.controls.indices]
        if split.groups is not None:
            return Pairing(forget_groups=split.groups[view.indices], control_groups=control_groups)
        return Pairing(forget_groups=_copies(view, control_groups), control_groups=control_groups)
    if groups is None:
        return Pairing(forget_groups=_copies(view, None))
    ids = np.asarray(groups)
    if ids.shape != (len(view),):
        raise ValueError(f"groups needs one id for each of the {len(view)} documents; got shape {ids.shape}.")
    return Pairing(forget_groups=np.unique(ids, return_inverse=True)[1].reshape(-1).astype(np.int64))


def _copies(view: View, control_groups: IntArray | None) -> IntArray | None:
    """Count exact copies as one unit, numbered apart from the groups of the controls; None if there are none."""
    numbers: dict[bytes, int] = {}
    units = [numbers.setdefault(one, len(numbers)) for one in view.examples.contents[view.indices].tolist()]
    first = 0 if control_groups is None else int(control_groups.max()) + 1
    return first + np.array(units) if len(numbers) < len(units) else None


def _require(controls: Any, baseline: Any, require_controls: bool) -> None:
    missing = "controls=" if controls is None else "baseline=" if baseline is None and require_controls else ""
    if missing:
        raise ValueError(
            f"{missing} is missing. A bare list of documents knows nothing of its task: pass controls= (documents no "
            "model was trained on) and baseline= (the original model), and references= (models retrained without the "
            "documents) if there are any; or build an UnlearningTask of a TextSplit and pass task.forget. "
            "require_controls=False does without baseline=, and the evidence says so."
        )


def _check_disjoint(view: View, controls: View, task: UnlearningTask | None) -> None:
    trained = view.examples.contents[view.indices] if task is None else task.split.train.contents
    shared = np.flatnonzero(first_in(controls.examples.contents[controls.indices], trained) >= 0).tolist()
    if shared:
        raise ValueError(
            f"{len(shared)} controls are exact copies of documents that were trained on (positions {shared[:8]}): "
            "remove them. A document that was trained on cannot stand for one that was not."
        )
