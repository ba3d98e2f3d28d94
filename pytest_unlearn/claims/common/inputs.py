"""Inputs of one audit: views, models beside the audited one, pairing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from pytest_unlearn.attacks.online import Shadows
from pytest_unlearn.attacks.registry import Attack, Pairing
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common.matched import Matched, match
from pytest_unlearn.core.evidence import Answers, IntArray
from pytest_unlearn.data.matching import Match, Matching, read_match
from pytest_unlearn.data.persons import unsaid_persons
from pytest_unlearn.data.row_digests import first_in
from pytest_unlearn.data.split import check_shape
from pytest_unlearn.data.unseen import UnseenExamples, groups_of
from pytest_unlearn.data.view import as_view, named_alike
from pytest_unlearn.models.acceptance import check_model, checked_models
from pytest_unlearn.models.handle import AuditHandles, ModelHandles
from pytest_unlearn.models.predict import Output
from pytest_unlearn.models.query import Query
from pytest_unlearn.task import UnlearningTask, View

Inherit = Literal["inherit"]
MOST_CONTROLS = 2000  # that further queries are asked about, unless the request is larger than half of them
MOST_RETAINED = 2000  # retained or test examples that are looked at beside the two sets, evenly spaced


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditInputs:
    """Two sets of examples, the original, the references, and their pairing.

    Where covariates are `matched`, `forget` and `controls` hold what is compared, and `whole` all there is.
    Where shadow models judge, `compared` are the positions of the controls that they share with the forget set, which
    `pairing` is then of, and `whole` are the same inputs with all controls.
    Where asking is dear, `among` are the positions in `whole` of the controls that are asked and compared.
    """

    forget: View
    controls: View
    classes: IntArray
    pairing: Pairing
    task: UnlearningTask | None
    original: Any
    references: tuple[Any, ...]
    output: Output
    models: AuditHandles
    queries: tuple[Query, ...] = ()
    retain: View | None = None
    matched: Matched | None = None
    whole: AuditInputs | None = None
    compared: IntArray | None = None
    shadows: Shadows | None = None
    among: IntArray | None = None

    def for_attacks(self, attacks: Sequence[Attack]) -> AuditInputs:
        """Return the same inputs with these attacks' queries added, each once."""
        queries = tuple(dict.fromkeys(query for attack in attacks for query in attack.queries))
        names = [query.name for query in queries]
        if len(set(names)) < len(names):
            raise ValueError(f"two attacks ask different queries of one name ({sorted(names)}): rename one.")
        wanted = self.task is not None and any("retain set" in attack.access for attack in attacks)
        retain = evenly_spaced(self.task.retain) if self.task and wanted else None
        if self.whole is None or self.among is not None:  # then all controls are asked for plain outputs only
            return replace(self, queries=queries, retain=retain)
        return replace(self, queries=queries, retain=retain, whole=replace(self.whole, queries=queries, retain=retain))

    def with_fewer_controls(self) -> AuditInputs:
        """Return inputs that ask their queries of no more controls than sharpen bounds.

        2,000, or in each class twice as many as are forgotten, evenly spaced: any number more would take less than a
        fifth off the standard error. Controls that are matched, or of persons, stay as they are.
        """
        if self.whole is not None or self.matched is not None or self.pairing.control_groups is not None:
            return self
        chosen = _evenly_chosen(self.pairing, *self.sizes)
        if len(chosen) == len(self.controls):
            return self
        return replace(
            self,
            controls=View(
                self.controls.name, self.controls.examples, self.controls.indices[chosen], self.controls.task
            ),
            pairing=self.pairing.among_controls(chosen),
            whole=self,
            among=chosen,
        )

    @property
    def everything(self) -> AuditInputs:
        """The same inputs with all controls, whether they are compared or not."""
        return self.whole or self

    @property
    def control_labels(self) -> IntArray:
        """The labels of the controls that are compared."""
        return self.controls.labels if self.compared is None else self.controls.labels[self.compared]

    @property
    def by_class(self) -> bool:
        """Whether strata are classes."""
        return self.pairing.forget_strata is not None and (self.matched is None or bool(self.matched.fails))

    @property
    def match(self) -> str | None:
        """Name what is compared with what, for the record."""
        return self.matched.name if self.matched is not None else "class" if self.by_class else None

    @property
    def sizes(self) -> tuple[int, int]:
        """How many forget examples are compared with how many controls."""
        return len(self.forget), len(self.control_labels)

    @property
    def forgotten_share(self) -> float:
        """The request's share of the training data, 0 where it is not known."""
        examples = self.forget.examples
        if self.task is None and isinstance(examples, UnseenExamples) and examples.train_size is not None:
            return len(self.forget) / examples.train_size
        return len(self.forget) / len(self.task.split.train) if self.task is not None else 0.0

    def answers(self, model: Any) -> Answers:
        """Return a model's outputs and queries on both sets, each computed once."""
        if self.matched is not None and self.whole is not None:
            asked = self.whole.answers(model)
            ours, theirs = asked.forget.take(self.matched.kept), asked.controls.take(self.matched.controls)
            return replace(asked, forget=ours, controls=theirs)
        handle, views = self.models.of(model), (self.forget, self.controls)
        if self.among is None:
            plain = self.models.answers(model, views, self.output)
        else:
            everything = self.everything.answers(model)
            plain = [everything.forget, everything.controls.take(self.among)]
        forget, controls = (
            outputs.asking({query.name: handle.ask(query, view, self.output) for query in self.queries})
            for view, outputs in zip(views, plain, strict=True)
        )
        retain = None if self.retain is None else handle.outputs(self.retain, self.output)
        answers = Answers(forget=forget, controls=controls, retain=retain)
        if self.compared is None:
            return answers
        others = np.setdiff1d(np.arange(len(self.controls)), self.compared)
        beside = controls.take(others) if len(others) else None
        return replace(answers, controls=controls.take(self.compared), beside=beside)

    def accuracy(self, model: Any, part: Literal["retain", "test"]) -> float | None:
        """Return the share of right answers on retain or test.

        Of at most 2,000 evenly spaced examples, or of all where they are the controls. None where there is no such
        part, or the model gives no usable answers to it: what is shown beside a verdict ends no audit.
        """
        if self.task is None or not len(view := getattr(self.task, part)):
            return None
        known = view.examples is self.controls.examples and np.array_equal(view.indices, self.controls.indices)
        view = self.controls if known else evenly_spaced(view)  # the controls' answers are known
        try:
            return float(correctness(self.models.of(model).outputs(view, self.output)).mean())
        except ValueError:
            return None


def resolve_inputs(
    forget: Any,
    *,
    nonmembers: Any,
    baseline: Any,
    references: Sequence[Any] | None,
    match: Match,
    output: Output,
    require_controls: bool,
    audited: Sequence[Any] = (),
) -> AuditInputs:
    """Resolve controls, original and references from a view's task or arguments.

    The audited models are asked about both sets first: one that cannot be audited costs no training.

    Raises:
        TypeError: something that is no model in the place of one.
        ValueError: for a bare loader or dataset without `nonmembers=` or `baseline=`, for a view that is not the
            forget view, and for controls that lack a class of the forget set.
    """
    for model in audited:
        check_model(model)
    if references is not None:
        references = checked_models(references, "references")
    if baseline is not None:
        check_model(baseline, "baseline")
    matching = None if match == "inherit" else read_match(match)
    view = as_view(forget, "forget")
    task = view.task
    if task is None:
        _require(nonmembers, baseline, require_controls)
        _warn_of_persons(view)
        view, controls = named_alike(view, as_view(nonmembers, "controls"))
        _check_disjoint(view, controls)
        classes = np.union1d(view.labels, controls.labels)
        matching = matching or read_match("class")
        controls = _matched(view, controls, matching)
    else:
        if view.name != "forget":
            raise ValueError(
                f"audit_forgotten judges the task's forget view, not its {view.name} view: pass task.forget."
            )
        given = as_view(nonmembers, "controls") if nonmembers is not None else None
        if given is not None:
            view, given = named_alike(view, given)
            _check_disjoint(View("train", task.split.train, np.arange(len(task.split.train))), given)
        matching = matching or task.split.matching
        controls = _matched(view, given, matching) if given is not None else task.controls
        classes = np.union1d(task.split.classes, controls.labels)
    matching.check_columns((view.examples, controls.examples))
    models = task.models.for_audit() if task is not None and nonmembers is None else _apart(task, classes)
    for model in audited:
        models.answers(model, (view, controls), output)
    if task is not None and baseline is None and task.has_original:
        baseline = task.original
    if task is not None and references is None:
        references = task.retrained
    strata = (view.labels, controls.labels) if matching.by_class else (None, None)
    # Nothing is known of whose the examples of other controls than the split's are.
    owned = task.split.control_groups if task is not None and nonmembers is None else None
    control_groups = owned[controls.indices] if owned is not None else None
    forget_groups, groups_in_files = groups_of(view, controls)
    control_groups = control_groups if groups_in_files is None else groups_in_files
    inputs = AuditInputs(
        forget=view,
        controls=controls,
        classes=classes,
        pairing=Pairing(
            forget_strata=strata[0],
            control_strata=strata[1],
            forget_groups=_units(view, task, control_groups) if forget_groups is None else forget_groups,
            control_groups=control_groups,
        ),
        task=task if nonmembers is None else None,
        original=baseline,
        references=tuple(references or ()),
        output=output,
        models=models,
    )
    return inputs if matching.by is None else _with_matched(inputs, matching)


def _with_matched(inputs: AuditInputs, matching: Matching) -> AuditInputs:
    """Narrow an audit to what can be compared.

    Where forget set and controls do not overlap it stays as it is, for a look.
    """
    forget, controls = inputs.forget, inputs.controls
    found = match(forget, controls, matching, inputs.pairing)
    if found.fails:
        return replace(inputs, matched=found)
    return replace(
        inputs,
        forget=View(forget.name, forget.examples, forget.indices[found.kept], forget.task),
        controls=View(controls.name, controls.examples, controls.indices[found.controls], controls.task),
        pairing=found.pairing(inputs.pairing.among_forget(found.kept).among_controls(found.controls)),
        matched=found,
        whole=inputs,
    )


def _apart(task: UnlearningTask | None, classes: IntArray) -> AuditHandles:
    """Make the handles for examples of their own, some models being the task's."""
    return ModelHandles(classes, task.device if task is not None else None).for_audit()


def evenly_spaced(view: View) -> View:
    """Return at most 2,000 examples of a view, evenly spaced.

    The view itself where it has no more.
    """
    step = -(-len(view) // MOST_RETAINED)
    return view if step == 1 else View(f"part of {view.name}", view.examples, view.indices[::step], view.task)


def _evenly_chosen(pairing: Pairing, n_forget: int, n_controls: int) -> IntArray:
    """Choose the positions of the controls to ask, evenly spaced within each stratum."""
    ours = np.zeros(n_forget, dtype=np.int64) if pairing.forget_strata is None else pairing.forget_strata
    theirs = np.zeros(n_controls, dtype=np.int64) if pairing.control_strata is None else pairing.control_strata
    chosen = []
    for stratum in np.unique(theirs):
        at = np.flatnonzero(theirs == stratum)
        enough = max(2 * int((ours == stratum).sum()), MOST_CONTROLS * len(at) // n_controls, 1)
        chosen.append(at[np.linspace(0, len(at) - 1, min(enough, len(at))).round().astype(np.int64)])
    return np.sort(np.concatenate(chosen))


def _require(nonmembers: Any, baseline: Any, require_controls: bool) -> None:
    missing = "nonmembers=" if nonmembers is None else "baseline=" if baseline is None and require_controls else ""
    if missing:
        raise ValueError(
            f"{missing} is missing. A bare DataLoader or dataset knows nothing of its task: pass nonmembers= (examples "
            "no model was trained on) and baseline= (the original model), and references= (models retrained without "
            "the forget set) if there are any; or build an UnlearningTask and pass task.forget, which knows them all. "
            "require_controls=False does without baseline=, and the evidence says so."
        )


def _units(forget: View, task: UnlearningTask | None, control_groups: IntArray | None) -> IntArray | None:
    """Return the units of deletion: groups, or exact copies as one.

    Copies are no independent evidence, and numbered apart from the groups of the controls.
    """
    if task is not None and task.split.groups is not None:
        return task.split.groups[forget.indices]
    numbers: dict[bytes, int] = {}
    contents = forget.examples.contents[forget.indices].tolist()
    units = [numbers.setdefault(content, len(numbers)) for content in contents]
    first = 0 if control_groups is None else int(control_groups.max()) + 1
    return first + np.array(units) if len(numbers) < len(units) else None


def _check_disjoint(trained: View, controls: View) -> None:
    check_shape(controls.examples, trained.examples)
    contents = (part.examples.contents[part.indices] for part in (controls, trained))
    shared = np.flatnonzero(first_in(*contents) >= 0).tolist()
    if shared:
        raise ValueError(
            f"{len(shared)} nonmembers are exact copies of {trained.name} examples (positions {shared[:8]}): remove "
            "them. An example that was trained on cannot stand for one that was not."
        )


def _warn_of_persons(view: View) -> None:
    """Warn of a bare frame with several rows a person, whose groups nobody can say."""
    if view.examples.frame is not None:
        do = 'audit a task, whose Split takes groups="{}"'
        said = unsaid_persons(view.examples.frame, view.indices, "the forget set", do)
        if said:
            warnings.warn(said, stacklevel=4)


def _matched(forget: View, controls: View, matching: Matching) -> View:
    controls = View(
        controls.name, controls.examples, controls.examples.without_repeats(controls.indices), controls.task
    )
    if not matching.by_class:
        return controls
    wanted = np.unique(forget.labels)
    missing = np.setdiff1d(wanted, controls.labels)
    if len(missing):
        raise ValueError(
            f"no nonmember for class {', '.join(map(str, missing))} of the forget set: pass some, or match=None to "
            "compare across classes (which only the negative control can justify)."
        )
    kept = controls.indices[np.isin(controls.labels, wanted)]
    return View(controls.name, controls.examples, kept, controls.task)


def resolve_task_inputs(model: Any, forget: Any, output: Output, require_controls: bool, caller: str) -> AuditInputs:
    """Resolve the inputs of a forget view that knows its task.

    Raises:
        TypeError: something that is no model in the place of one.
        ValueError: a bare loader or dataset, or a task without references, before the original is trained.
    """
    check_model(model)
    check_task(forget, caller)
    return resolve_inputs(
        forget,
        nonmembers=None,
        baseline=None,
        references=None,
        match="inherit",
        output=output,
        require_controls=require_controls,
        audited=(model,),
    )


def check_task(forget: Any, caller: str) -> None:
    """Refuse a forget set that knows no task, or one without references; ValueError."""
    task = getattr(forget, "task", None) or getattr(getattr(forget, "dataset", None), "task", None)
    if not isinstance(task, UnlearningTask):
        raise ValueError(
            f"{caller} needs the retain set and the models of a task: build an UnlearningTask and pass task.forget."
        )
    if not task.has_references:
        raise ValueError(
            f"{caller} judges by what retrained models do, and this task has none: give it a recipe, or "
            "references=[models retrained without the forget set]."
        )


def removed_classes(task: UnlearningTask) -> IntArray:
    """Return the classes of which nothing is retained."""
    return np.setdiff1d(task.forget.labels, task.retain.labels)
