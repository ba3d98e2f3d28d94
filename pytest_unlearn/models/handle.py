"""ModelHandle: one model as audits ask it, identified and asked once.

A task keeps a handle for its original and each reference; the audited model has one for an audit, or for all those
of a release. Each is digested when it is first asked and when the audit ends; one that changed is refused.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.text.encoding import Encoded, Encoder
from pytest_unlearn.data.view import View
from pytest_unlearn.models import adapters
from pytest_unlearn.models.answer_memory import AnswerMemory, Questions
from pytest_unlearn.models.identity import Identity
from pytest_unlearn.models.layers import features
from pytest_unlearn.models.output import Output, check_alike, fixed
from pytest_unlearn.models.predict import check_company, evaluate
from pytest_unlearn.models.query import Answer, Query, Rows
from pytest_unlearn.models.reducing import Question
from pytest_unlearn.models.text.changes import changed
from pytest_unlearn.models.text.saved import SavedLogprobs
from pytest_unlearn.models.text.scores import token_scores

CHANGED = (
    "{} was changed in place since the task first saw it. An unlearner must leave its input untouched: let it work on "
    "copy.deepcopy(model)."
)


class ModelHandle:
    """Hold one model, its identity, and its answers by view and question.

    Args:
        model: of any kind that `evaluate` takes.
        classes: every label of the task.
        device: where a module runs; its own device by default.
        batch_size: how many examples it is always asked about at once, if it takes no other number.
        name: what to call it where it has changed in place.
    """

    def __init__(
        self,
        model: Any,
        *,
        classes: IntArray,
        device: str | None = None,
        batch_size: int | None = None,
        name: str = "the model",
    ) -> None:
        self.model, self.classes, self.device, self.name = model, classes, device, name
        self._how: dict[str, Any] = {"device": device, "exactly": batch_size}
        self._views: dict[Any, View] = {}  # keeps what a key names alive, so that no other takes its place
        self._outputs: dict[Any, Outputs] = {}
        self._answers: dict[Any, FloatArray] = {}
        self._features: dict[Any, FloatArray] = {}
        self._token_scores: dict[Any, list[TokenScores]] = {}
        self._of_copies: dict[Any, TokenScores] = {}
        self._in_company: set[Any] = set()
        self.memory: AnswerMemory | None = None  # between processes
        self.scratch: dict[Any, Any] = {}
        self.questions = Questions()

    @cached_property
    def identity(self) -> Identity:
        """What the model is: digested when it is first asked for."""
        return adapters.identify(self.model)

    def check_unchanged(self) -> None:
        """Raise ValueError if the model was changed in place since it was first asked."""
        if "identity" in vars(self) and adapters.state_digest(self.model) != self.identity.state:
            raise ValueError(CHANGED.format(self.name))

    def outputs(self, view: View, output: Output = None) -> Outputs:
        """Return the model's outputs on a view; see `evaluate`."""
        key = self._key(view, output)
        if key not in self._outputs:
            kept = self._kept_under(view, "outputs", output)
            question = Question(model=self.model, view=view, classes=self.classes, output=output, **self._how)
            found = self.memory.load_outputs(kept, question) if self.memory is not None else None
            if found is None:
                found = evaluate(self.model, view, classes=self.classes, output=output, **self._how)
                if self.memory is not None:
                    self.memory.save_outputs(kept, found)
            self._outputs[key] = found
        return self._outputs[key]

    def answers(self, views: Sequence[View], output: Output = None) -> list[Outputs]:
        """Return the model's outputs on views, the same in any company of examples.

        Raises:
            ValueError: as in `evaluate` and `check_company`.
        """
        found = [self.outputs(view, output) for view in views]
        key = (*(view.key for view in views), output)
        if key not in self._in_company:
            fixed_output = self._fixed(views[0], output)
            check_company(self.model, views, found, classes=self.classes, output=fixed_output, **self._how)
            self._in_company.add(key)
        return found

    def answered(self, views: Sequence[View]) -> list[tuple[View, Outputs]]:
        """List those views that the model was asked about, with its answers."""
        return [(view, outputs) for view in views for (key, _), outputs in self._outputs.items() if key == view.key]

    def kinds(self, output: Output) -> list[tuple[str, str]]:
        """List what the model has been found to answer, each with its name."""
        return [(self.name, outputs.kind) for (_, asked), outputs in self._outputs.items() if asked == output]

    def ask(self, query: Query, view: View, output: Output = None) -> FloatArray:
        """Ask the model a query about a view: one row an example.

        Raises:
            ValueError: where the model cannot be asked, or the answer has not one finite row an example.
        """
        key = (*self._key(view, output), query)
        if key not in self._answers:
            fixed_output = self._fixed(view, output)
            kept = self._kept_under(view, query, fixed_output)
            known = self.memory.load_answer(kept, len(view)) if self.memory is not None else None
            if known is not None:
                self._answers[key] = known
                return known
            answer = Answer(self, query.name, fixed_output)
            found = np.asarray(query.ask(self.model, view, answer), dtype=np.float64)
            if found.shape[:1] != (len(view),) or not np.isfinite(found).all():
                raise ValueError(
                    f"the query {query.name!r} gave an array of shape {found.shape}, not all of it finite, for "
                    f"{len(view)} examples: it must give one row of finite numbers an example."
                )
            self._answers[key] = found
            if self.memory is not None:
                self.memory.save_answer(kept, found)
        return self._answers[key]

    def features(self, view: View, layers: Sequence[str]) -> list[FloatArray]:
        """Return each layer's features on a view, shape (examples, features)."""
        key = self._key(view, None)
        missing = [layer for layer in layers if (*key, layer) not in self._features]
        if missing:
            found = features(self.model, view, missing)
            self._features.update({(*key, layer): rows for layer, rows in zip(missing, found, strict=True)})
        return [self._features[(*key, layer)] for layer in layers]

    def token_scores(self, views: Sequence[View], encoder: Encoder) -> list[TokenScores]:
        """Return what a language model thinks of each token of views of documents.

        Args:
            views: of documents; all are asked together, in an order that mixes them.
            encoder: turns them into token ids.

        Raises:
            ValueError: as in `token_scores`, and for saved ones of other documents.
        """
        encoded = encoder.encoded(views)
        key = (*(self._key(view, None) for view in views), encoded.digest)
        if key not in self._token_scores:
            ends = np.cumsum([len(view) for view in views])
            if isinstance(self.model, SavedLogprobs):
                lengths = np.split(encoded.lengths, ends[:-1])
                self._token_scores[key] = [
                    self.model.of(view.name, own, encoder.encoded((view,)).digest)
                    for view, own in zip(views, lengths, strict=True)
                ]
                return self._token_scores[key]
            kept = self._kept_under(views[0], "token scores", encoded.digest)
            found = self.memory.load_tokens(kept, encoded.lengths) if self.memory is not None else None
            if found is None:
                found = token_scores(self.model, encoded, device=self.device)
                if self.memory is not None:
                    self.memory.save_tokens(kept, found)
            parts = np.split(np.arange(len(found)), ends[:-1])
            self._token_scores[key] = [found.take(part) for part in parts]
        return self._token_scores[key]

    def token_scores_of_copy(self, change: Any, encoded: Encoded) -> TokenScores:
        """Return what a changed copy of a language model thinks of documents.

        Asked once for each change: a task's references are changed alike for every model that it judges.

        Args:
            change: `change(copy)`; equal changes are one, and what has no hash is done anew.
            encoded: the documents.

        Raises:
            ValueError: as in `token_scores`.
        """
        _ = self.identity  # before anything is asked
        kept = _has_hash(change)
        found = self._of_copies.get((change, encoded)) if kept else None
        if found is None:
            found = token_scores(changed(self.model, change), encoded)
            if kept:
                self._of_copies[change, encoded] = found
        return found

    def evaluate(self, name: str, inputs: Any, labels: IntArray, output: Output, of: Any = None) -> Outputs:
        """Evaluate this model, or another, on inputs that belong to no dataset."""
        names = next((view.names for view in self._views.values()), None)
        rows = Rows(name, inputs, labels, names)
        if of is None:
            return evaluate(self.model, rows, classes=self.classes, output=output, **self._how)
        return evaluate(of, rows, classes=self.classes, output=output, check=False, **self._how)

    def _fixed(self, view: View, output: Output) -> Output:
        """Read other answers as those on a view were, if there were any."""
        outputs = self._outputs.get((view.key, output))
        return output if outputs is None else fixed(output, outputs.kind)

    def _kept_under(self, view: View, *question: Any) -> str:
        """Return the key of an answer between processes; empty where none is kept."""
        if self.memory is None:
            return ""
        how = (self.classes, self.device, self._how["exactly"])
        return self.memory.key(self.identity, view, *question, *how, known=self.questions)

    def _key(self, view: View, output: Output) -> tuple[Any, ...]:
        _ = self.identity  # before anything is asked
        self._views.setdefault(view.key, view)
        return (view.key, output)


def _has_hash(change: Any) -> bool:
    try:
        hash(change)
    except TypeError:
        return False
    return True


class ModelHandles:
    """Hold the handles of one task's own models, and how long its models took."""

    def __init__(
        self,
        classes: IntArray,
        device: str | None = None,
        batch_size: int | None = None,
        memory: AnswerMemory | None = None,
    ) -> None:
        self.memory = memory
        self.classes, self.device, self.batch_size = classes, device, batch_size
        self.kept: dict[int, ModelHandle] = {}
        self.scratch: dict[Any, Any] = {}  # what all models are asked about; emptied when an audit ends
        self.questions = Questions()  # the same
        self._release: AuditHandles | None = None
        self._made: dict[int, tuple[Any, float, str]] = {}
        self._methods: dict[str, str] = {}

    def keep(self, model: Any) -> ModelHandle:
        """Keep the handle of one of the task's own models, which is identified now."""
        if id(model) not in self.kept:
            self.kept[id(model)] = self.make(model, "the original or a reference")
            self.kept[id(model)].memory = self.memory
        _ = self.kept[id(model)].identity
        return self.kept[id(model)]

    def of(self, model: Any) -> ModelHandle:
        """Return the handle of a model: the one that is kept, or a new one."""
        return self.kept.get(id(model)) or self.make(model)

    def make(self, model: Any, name: str = "the audited model") -> ModelHandle:
        """Make a handle."""
        handle = ModelHandle(model, classes=self.classes, device=self.device, batch_size=self.batch_size, name=name)
        handle.scratch, handle.questions = self.scratch, self.questions
        return handle

    def for_audit(self) -> AuditHandles:
        """Return handles for one audit, or those of the release that it belongs to."""
        return self._release or AuditHandles(self)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Let all audits in the block share the audited model's answers, and end together."""
        if self._release is not None:
            yield
            return
        self._release = release = AuditHandles(self, shared=True)
        try:
            yield
        finally:
            self._release = None
        release.check_unchanged()

    def note_making(self, model: Any, seconds: float, origin: str) -> None:
        """Remember how long a model took to make and where it is from, while it lives."""
        with contextlib.suppress(TypeError):  # plain containers take no weak reference, and nothing is said of them
            self._made[id(model)] = weakref.ref(model), round(seconds, 3), origin

    def note_method(self, digest: str, method: str) -> None:
        """Remember which method made the model of this digest."""
        if digest:
            self._methods[digest] = method

    def method_of(self, digest: str) -> str:
        """Return which method made the model of this digest here; empty if none."""
        return self._methods.get(digest, "")

    def seconds_of(self, model: Any) -> float | None:
        """Return how long a model took to make; None if the task did not make it."""
        made, seconds, _ = self._made.get(id(model), (None, None, ""))
        return seconds if made is not None and made() is model else None

    def origin_of(self, model: Any) -> str:
        """Say where a model is from: made in this run, from a cache, or given."""
        made, _, origin = self._made.get(id(model), (None, None, ""))
        return origin if made is not None and made() is model else "given"


class AuditHandles:
    """Hold the models of one audit: the task's own, and the audited one.

    `shared` says that a release holds several audits, and checks at its own end what each would check at its.
    """

    def __init__(self, models: ModelHandles, *, shared: bool = False) -> None:
        self._models, self._shared = models, shared
        models.questions.clear()  # an earlier audit may not have come to its end
        self._audited: dict[int, ModelHandle] = {}
        self._asked: dict[int, ModelHandle] = {}

    @property
    def batch_size(self) -> int | None:
        """How many examples are always asked about at once; None if that is free."""
        return self._models.batch_size

    def of(self, model: Any) -> ModelHandle:
        """Return the handle of a model, the same throughout the audit."""
        kept = self._models.kept.get(id(model)) or self._audited.get(id(model))
        if kept is None:
            # Of the audited model nothing is remembered between processes: what it answers now is what is judged.
            kept = self._audited[id(model)] = self._models.make(model)
        return kept

    def answers(self, model: Any, views: Sequence[View], output: Output = None) -> list[Outputs]:
        """Return a model's outputs on views, on the scale of the audit's other models.

        Raises:
            ValueError: as in `ModelHandle.answers`, or some models answer probabilities and others logits.
        """
        handle = self.of(model)
        found = handle.answers(views, output)
        self._asked.setdefault(id(model), handle)
        check_alike(kind for asked in self._asked.values() for kind in asked.kinds(output))
        return found

    def end(self) -> None:
        """End an audit: raise ValueError if a model that was asked has changed meanwhile."""
        if not self._shared:
            self.check_unchanged()

    def check_unchanged(self) -> None:
        """Compare every model that was asked with what it was at first."""
        self._models.scratch.clear()
        self._models.questions.clear()
        for handle in (*self._models.kept.values(), *self._audited.values()):
            handle.check_unchanged()
