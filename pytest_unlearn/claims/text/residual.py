"""Audit whether documents come back in changed copies of a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Attack, Pairing, auc_of_scores
from pytest_unlearn.attacks.text.references import window_share
from pytest_unlearn.attacks.text.registry import REFERENCES, beside
from pytest_unlearn.attacks.text.signals import drawn_runs, mean_log_probability
from pytest_unlearn.attacks.thresholds import reference_residual, residual_deviation
from pytest_unlearn.claims.common.attack_audit import finding_rows
from pytest_unlearn.claims.common.evidence import auc_terms, build_evidence
from pytest_unlearn.claims.common.stored_findings import record_of
from pytest_unlearn.claims.text.forgotten import audit_documents
from pytest_unlearn.claims.text.inputs import TextInputs, resolve_text_inputs, text_provenance
from pytest_unlearn.claims.text.prefix import encoded_after
from pytest_unlearn.core.evidence import Evidence, FloatArray, IntArray, Scores
from pytest_unlearn.core.figures import Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS, resolve
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores
from pytest_unlearn.data.text.documents import Document, documents_of, read_document
from pytest_unlearn.data.text.encoding import Encoded
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.text.adapters import bare
from pytest_unlearn.models.text.changes import (
    AfterText,
    MergedAdapters,
    Rewritten,
    RoundedMatrices,
    Sampled,
    TrainedFurther,
    has_adapters,
)
from pytest_unlearn.training.causal import CausalRecipe, Descent

NAME, QUANTITY = "text_residual", "membership AUC over documents in changed copies"
RELEARNED = 10  # of so many documents of the request, one is taught again
LESSONS = 4  # passes over them
GENTLY = 1 / 3  # of the recipe's learning rate
BEFORE = 16  # tokens of another text, which no filter of beginnings expects
USUAL_RATE = 5e-5  # where no recipe says another: what models of transformers are fine-tuned with


def audit_text_residual(
    model: Any,
    documents: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    changes: Mapping[str, Callable[[Any], Any]] | None = None,
    paraphrases: Mapping[str, Callable[[Any], Any]] | None = None,
    learning_rate: float | None = None,
    tokenizer: Any = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    max_share_left: float = MAX_SHARE_LEFT,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether documents stay forgotten in changed copies of the model.

    Each copy is judged like the model itself, by references that were changed in the same way. A tenth of the request
    is taught again in one of them, and is not judged.

    Args:
        model: the unlearned model, a module: what shows no weights cannot be changed.
        documents: the forget view of an `UnlearningTask` of a `TextSplit`.
        max_mia_auc: the largest AUC over documents that is tolerated, as in `audit_text_forgotten`; 0.5 under perfect
            unlearning.
        changes: named changes, `change(copy)`, in place or returning a model; by default a text that no model was
            trained on before each document, runs of tokens that 100 samples give back, weights of 8 and of 4 bits,
            merged adapters where there are any, one epoch on retained documents, and a tenth of the request taught
            again.
        paraphrases: named functions from a document, as it was given, to its paraphrase, by which models are asked
            about other words of the same content, those of the controls too.
        learning_rate: of the last two; by default a third of the `CausalRecipe`'s, else 5e-5.
        tokenizer: as in `audit_text_forgotten`, like those below.
        require_controls: as there.
        confidence: as there.
        max_share_left: as there.
        max_length: as there.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID.

    Raises:
        TypeError: no module, or no documents.
        ValueError: documents without a task, a task without references, or no changes.

    Sources: Zhang et al. 2024 (arXiv 2410.16454), Hu et al. 2024 (arXiv 2406.13356), Deeb and Roger 2024 (arXiv
        2410.08827).
    """
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    _check(model, documents, changes, paraphrases)
    inputs = resolve_text_inputs(
        model,
        documents,
        tokenizer=tokenizer,
        max_length=max_length,
        controls=None,
        groups=None,
        baseline=None,
        references=None,
        require_controls=terms.require_controls,
    )
    again, judged = _tenth(inputs)
    tried = _usual(bare(model), inputs, again, learning_rate) if changes is None else dict(changes)
    tried |= {name: Rewritten(function) for name, function in (paraphrases or {}).items()}
    copies = Copies(inputs=inputs, judged=judged, changes=tried)
    deciding = [one for name, change in tried.items() for one in _attacks(name, change)]
    tripwires = [_deviation(name) for name, change in tried.items() if not isinstance(change, Sampled)]
    audit = audit_documents(
        bare(model),
        inputs,
        terms,
        ask=copies,
        attacks=lambda among: (deciding, tripwires) if among else ((), ()),
        pairing=inputs.pairing.among_forget(judged),
        sizes=(len(judged), len(inputs.controls)),
    )
    return build_evidence(
        terms.claim(NAME, QUANTITY),
        audit.concluded.decision,
        audit.found.findings,
        controls=audit.concluded.controls,
        provenance=text_provenance(
            bare(model),
            inputs,
            (audit.target.forget, audit.target.controls),
            own=(True, True),
            require_controls=terms.require_controls,
            max_share_left=terms.max_share_left,
            changes=list(tried),
        ),
        figures=(
            Table(
                title="What was tried",
                caption="AUC with which the request is told from controls in changed copies, beyond what references "
                "explain that were changed in the same way; 0.5 under perfect unlearning.",
                columns=("attempt", "role", "AUC", "low", "high"),
                rows=finding_rows(audit.found.findings),
            ),
        ),
        share_left=audit.concluded.share_left,
        not_testable=audit.concluded.not_testable,
        scores=record_of(audit.found, NAME, QUANTITY) if resolve("store_scores").value else None,
    )


@dataclass(frozen=True, eq=False)
class ChangedScores:
    """What changed copies of one model think of a set of documents, by change."""

    parts: Mapping[str, TokenScores]


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Ask changed copies of a model about controls and judged documents."""

    inputs: TextInputs
    judged: IntArray
    changes: Mapping[str, Callable[[Any], Any]]

    def __call__(self, model: Any) -> TextAnswers:
        """Change and ask a copy for each change."""
        cut, forget, controls = len(self.inputs.forget), {}, {}
        for name, change in self.changes.items():
            if isinstance(change, Sampled):  # the model and the documents are as they were
                known = self.inputs.answers(model)
                forget[name], controls[name] = known.forget.take(self.judged), known.controls
                continue
            found = self.inputs.models.of(model).token_scores_of_copy(change, self._asked[name])
            forget[name] = found.take(self.judged)
            controls[name] = found.take(np.arange(cut, len(found)))
        # Their attacks know that these are of several copies.
        return TextAnswers(forget=ChangedScores(forget), controls=ChangedScores(controls))  # type: ignore[arg-type]

    @cached_property
    def _asked(self) -> Mapping[str, Encoded]:
        """What each copy is asked about."""
        asked = {name: change for name, change in self.changes.items() if not isinstance(change, Sampled)}
        return {name: self._encoded(name, change) for name, change in asked.items()}

    def _encoded(self, name: str, change: Callable[[Any], Any]) -> Encoded:
        """Encode both sets, rewritten, or in chunks that leave room for what is said before them."""
        encoder, views = self.inputs.encoder, (self.inputs.forget, self.inputs.controls)
        if isinstance(change, Rewritten):
            return encoder.encode([_rewritten(name, change, view, k) for view in views for k in range(len(view))])
        return encoded_after(self.inputs, change) if isinstance(change, AfterText) else encoder.encoded(views)


def _rewritten(name: str, change: Rewritten, view: View, number: int) -> Document:
    """Paraphrase a document, by what it was given as."""
    where = f"{name}: the paraphrase of {view.name}[{number}]"
    return read_document(change.function(view.examples[int(view.indices[number])]), where)


def _of(name: str, signal: Callable[[TokenScores], FloatArray], scores: ChangedScores) -> FloatArray:
    return signal(scores.parts[name])


def _windows(name: str, scores: ChangedScores, references: list[ChangedScores]) -> FloatArray:
    return window_share(scores.parts[name], [one.parts[name] for one in references])


def _declare(name: str, score: Callable[..., Scores], *, signed: bool = True) -> Attack:
    return Attack(
        name=name,
        score=score,
        measure=auc_of_scores,
        signed=signed,
        access=("weights", *REFERENCES),
        least_references=1,
        cost="a changed copy of every model, and one evaluation of each",
        calibrated=True,
        source="Zhang et al. 2024; Hu et al. 2024; the residual is ours",
    )


def _attacks(name: str, change: Callable[[Any], Any]) -> tuple[Attack, ...]:
    if isinstance(change, Sampled):
        runs = partial(_of, name, partial(drawn_runs, samples=change.samples, run=change.run))
        return (_declare(f"{name}: runs residual", partial(reference_residual, runs)),)
    loss = partial(_of, name, mean_log_probability)
    return (
        _declare(f"{name}: loss residual", partial(reference_residual, loss)),
        _declare(f"{name}: windows", partial(beside, partial(_windows, name))),
    )


def _deviation(name: str) -> Attack:
    loss = partial(_of, name, mean_log_probability)
    return _declare(f"{name}: loss deviation", partial(residual_deviation, loss), signed=False)


def _usual(model: Any, inputs: TextInputs, again: IntArray, rate: float | None) -> dict[str, Callable[[Any], Any]]:
    assert inputs.task is not None
    recipe = inputs.task.recipe
    if rate is None:
        rate = GENTLY * recipe.learning_rate if isinstance(recipe, CausalRecipe) else USUAL_RATE
    size = recipe.batch_size if isinstance(recipe, CausalRecipe) else 16
    request = list(documents_of(inputs.forget))
    retained = inputs.encoder.encoded((inputs.task.retain,))
    taught = inputs.encoder.encode([request[k] for k in again])
    sampled = Sampled()
    merged = any(map(has_adapters, (model, *inputs.references)))
    return {
        "after another text": AfterText(_of_no_document(inputs)),
        f"{sampled.samples} samples": sampled,
        "8-bit weights": RoundedMatrices(8),
        "4-bit weights": RoundedMatrices(4),
        **({"merged adapters": MergedAdapters()} if merged else {}),
        "one benign epoch": TrainedFurther(retained, Descent(epochs=1, batch_size=size, learning_rate=rate)),
        "a tenth taught again": TrainedFurther(taught, Descent(epochs=LESSONS, batch_size=size, learning_rate=rate)),
    }


def _of_no_document(inputs: TextInputs) -> tuple[int, ...]:
    """Return the beginning of a text that no model was trained on and no control is: tokens of controls, shuffled."""
    most = inputs.encoder.max_length
    ids = np.concatenate([one.ids for one in inputs.encoder.encoded((inputs.controls,)).sequences])
    size = BEFORE if most is None else min(BEFORE, most // 2)
    return tuple(np.random.default_rng(0).permutation(ids)[:size].tolist())


def _tenth(inputs: TextInputs) -> tuple[IntArray, IntArray]:
    """Choose which documents of the request are taught again, by units, and which are judged."""
    pairing: Pairing = inputs.pairing
    units = np.arange(len(inputs.forget)) if pairing.forget_groups is None else pairing.forget_groups
    numbers = np.unique(units, return_inverse=True)[1].reshape(-1)
    chosen = numbers % RELEARNED == 0
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def _check(model: Any, documents: Any, changes: Any, paraphrases: Any) -> None:
    if not is_module(bare(model)):
        raise TypeError(
            f"assert_text_residual changes weights, and a {type(model).__name__} shows none: pass the module itself."
        )
    task = getattr(documents, "task", None)
    if task is None or not task.has_references:
        raise ValueError(
            "assert_text_residual changes references as it changes the model, and needs the retained documents: build "
            "an UnlearningTask of a TextSplit, with a recipe or references, and pass task.forget."
        )
    if changes is not None and (not isinstance(changes, Mapping) or not (changes or paraphrases)):
        raise ValueError("changes= takes a mapping from names to functions `change(copy)`, at least one.")
    if paraphrases is not None and (
        not isinstance(paraphrases, Mapping) or not all(callable(one) for one in paraphrases.values())
    ):
        raise ValueError("paraphrases= takes a mapping from names to functions from a document to its paraphrase.")
    twice = sorted(set(changes or ()) & set(paraphrases or ()))
    if twice:
        raise ValueError(f"{twice[0]!r} names a change and a paraphrase: give each its own name.")
