"""Adapters: every kind of model as something that can be asked."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.class_names import Names, classes_as_labels
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.tables import is_table, plain_numbers
from pytest_unlearn.data.unseen import UnseenExamples
from pytest_unlearn.data.view import View
from pytest_unlearn.models.asking import answering
from pytest_unlearn.models.channels_last import asked_channels_last
from pytest_unlearn.models.identity import Identity, identify_estimator, identify_module, module_state
from pytest_unlearn.models.output import PROBABILITY_FLOOR, OutputKind
from pytest_unlearn.models.saved_alignment import examples_of, outputs_in_order
from pytest_unlearn.models.saved_files import FileColumns, SavedRows, check_columns, read_saved
from pytest_unlearn.models.signals import answered
from pytest_unlearn.models.text.saved import SavedLogprobs

OTHER_ORDER = 0.3  # of the answers, more, that are right in another order of the classes


class SavedOutputs:
    """Logits computed elsewhere, for a model that cannot run here.

    Args:
        **parts: arrays of logits, shape (examples, classes), one row an example in the view's order, by view name:
            `forget=`, `controls=`, `retain=`, `test=`. `train=` and `controls=`/`test=` given for the whole dataset
            are indexed by the view.
    """

    def __init__(self, **parts: Any) -> None:
        unknown = sorted(set(parts) - {"forget", "controls", "retain", "test", "train"})
        if unknown or not parts:
            what = f"not {', '.join(unknown)}=" if unknown else "and got none"
            raise ValueError(f"SavedOutputs takes forget=, controls=, retain=, test= and train= arrays, {what}.")
        self.parts = {name: _saved(name, part) for name, part in parts.items()}
        columns = {name: part.shape[1:] for name, part in self.parts.items()}
        if len(set(columns.values())) > 1:
            raise ValueError(
                f"SavedOutputs needs a logit for each class in all of its arrays; their columns are {columns}."
            )

        self.files: Mapping[str, SavedRows] = {}
        self._labels: Mapping[str, SavedRows] = {}
        self._train_size: int | None = None
        self._views: dict[str, View] = {}

    @classmethod
    def from_files(
        cls,
        *,
        labels: Mapping[str, str | Path] | None = None,
        columns: Mapping[str, Any] | None = None,
        output_kind: OutputKind | None = None,
        train_size: int | None = None,
        **files: str | Path,
    ) -> SavedOutputs:
        """Read a model's outputs from files, with ids, labels and groups of rows.

        Args:
            labels: by view name, files with the columns `label` or `group`, and `id`, where those of outputs have none.
            columns: what columns are called: `id`, `label`, `group`, `outputs` (a list, or a pattern such as "p_*") and
                the `classes` that the outputs stand for, in order.
            output_kind: what the outputs are, to be checked; told by range and sum if it is not given.
            train_size: how many examples the original was trained on, if no Split says so.
            **files: a .npz, .npy, .csv or .parquet file by view name, as in `SavedOutputs`: one column a class, and the
                columns `id`, `label` and `group` if it has them. Nothing is unpickled.

        Returns:
            The outputs; `view(name)` gives their examples to audits where there is no Split.

        Raises:
            ValueError: a file that cannot be read or can hold no outputs, in one sentence that names it.
        """
        given = FileColumns.of(columns)
        saved = {name: read_saved(path, columns=given, output_kind=output_kind) for name, path in files.items()}
        outputs = cls.of_files(saved)
        outputs._train_size = train_size
        outputs._labels = {
            name: read_saved(path, columns=given, outputs=False) for name, path in (labels or {}).items()
        }
        check_columns(given, [*saved.values(), *outputs._labels.values()])
        return outputs

    @classmethod
    def of_files(cls, files: Mapping[str, SavedRows]) -> SavedOutputs:
        """Return the outputs that files hold, by view name.

        Raises:
            ValueError: two of them have another number of classes.
        """
        widths = {one.outputs.shape[1]: one.name for one in files.values() if one.outputs is not None}
        if len(widths) > 1:
            told = [f"{name} has outputs for {width} classes" for width, name in sorted(widths.items())]
            raise ValueError(f"{', and '.join(told)}: one model answers about the same classes everywhere.")
        outputs = cls(**{name: one.outputs for name, one in files.items()})
        outputs.files = files
        for part in outputs.parts.values():
            part.setflags(write=False)  # the digest of the files is that of these
        return outputs

    @property
    def digest(self) -> str:
        """The digest of all files that the outputs were read from; empty for arrays."""
        parts = (f"{name} {one.sha256}" for name, one in sorted(self.files.items()))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest() if self.files else ""

    def view(self, name: str) -> View:
        """Return the examples of one file: labels, ids and groups, without inputs.

        Raises:
            ValueError: no such file was read, or nothing says what the labels are.
        """
        if name not in self.files:
            raise ValueError(
                f"no file was read for the {name} view; there are {', '.join(self.files) or 'arrays alone'}."
            )
        if name not in self._views:
            files = [self._labels[name]] if name in self._labels else []
            examples = examples_of(name, [*files, self.files[name]], train_size=self._train_size)
            self._views[name] = View(name, examples, np.arange(len(examples), dtype=np.int64))
        return self._views[name]

    def rows(self, view: View) -> FloatArray:
        """Return the rows for a view, of files by their ids.

        Raises:
            ValueError: when nothing was saved for it, the number of rows does not fit, or a file has other examples,
                other labels or other classes.
        """
        examples = view.examples
        if isinstance(examples, UnseenExamples) and examples.name in self.files:
            return outputs_in_order(self.files[examples.name], examples)[view.indices]
        for name, whole in ((view.name, False), (view.examples.name, True)):
            part = self.parts.get(name)
            if part is not None and len(part) == len(view) and not whole:
                self._check_labels(name, view.labels)
                return part
            if part is not None and len(part) == len(view.examples):
                self._check_labels(name, view.examples.labels)
                return np.asarray(part[view.indices])
        raise ValueError(
            f"SavedOutputs has no rows for the {view.name} view of {len(view)} examples; it holds "
            f"{ {name: part.shape for name, part in self.parts.items()} }. Save one row an example, in order."
        )

    def _check_labels(self, name: str, labels: IntArray) -> None:
        """Raise ValueError where a file says that the row of an example is another's."""
        file = self.files.get(name)
        if file is None or file.labels is None or file.labels.dtype.kind not in "iu":
            return
        differ = np.flatnonzero(file.labels != labels)
        if len(differ):
            raise ValueError(
                f"{file.name} has other labels than the {name} view for {len(differ)} of {len(labels)} rows, first "
                f"{file.who(int(differ[0]))}: save one row an example, in the view's order."
            )


def _saved(name: str, part: Any) -> FloatArray:
    """Check one array of saved outputs; ValueError for anything else than rows of numbers."""
    try:
        found = np.asarray(to_numpy(part))
    except (TypeError, ValueError, RuntimeError):
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "iubf" or found.ndim not in (1, 2) or found.size == 0:
        what = f"{found.dtype} of shape {found.shape}" if found.dtype != object else f"a {type(part).__name__}"
        raise ValueError(f"SavedOutputs({name}=) takes an array of logits, shape (examples, classes), and got {what}.")
    return found.astype(np.float64)


@contextmanager
def ready(model: Any, device: str | None, *, rearranged: bool = False) -> Iterator[Callable[[Any], Any]]:
    """Provide the model as a function of a batch, in eval mode and without gradients.

    `rearranged` says that a convolutional network may be asked in channels-last.
    """
    if not is_module(model):
        yield answering(model, type(model).__name__)
        return
    import torch

    parameter = next((p for p in (*model.parameters(), *model.buffers()) if p.is_floating_point()), None)
    place = torch.device(device) if device is not None else parameter.device if parameter is not None else None
    home = parameter.device if parameter is not None else None
    modes = [(module, module.training) for module in model.modules()]

    def ask(batch: Any) -> Any:
        if is_table(batch):
            batch = plain_numbers(batch, "a torch model")
        x = torch.as_tensor(batch, device=place)
        if x.is_floating_point() and parameter is not None:
            x = x.to(parameter.dtype)
        return asked(x)

    asked = asked_channels_last(model) if rearranged and (place is None or place.type == "cpu") else model
    try:
        with suppress(NotImplementedError):  # the mode of an exported module was fixed when it was exported
            model.eval()
        if place is not None and place != home:
            model.to(place)
        with torch.no_grad():
            yield answering(ask, type(model).__name__)
    finally:
        for module, mode in modes:
            module.training = mode
        if home is not None and place != home:
            model.to(home)


def estimator_scores(model: Any) -> Callable[[Any], Any]:
    """Return what gives scores: `decision_function`, or `predict_proba`.

    Raises:
        TypeError: it has neither.
    """
    ask = _scoring(model)
    if ask is None or not hasattr(model, "classes_"):
        raise TypeError(
            f"{type(model).__name__} has neither decision_function nor predict_proba (or is not fitted): "
            "an audit needs scores, not labels alone. Fit it, or hand over a function x -> logits that asks it."
        )
    return answering(lambda batch: ask(_rows(batch)), type(model).__name__)


def estimator_logits(
    model: Any, scores: FloatArray, classes: IntArray, names: Names | None = None
) -> tuple[FloatArray, IntArray]:
    """Return a classifier's logits by its scores, and the labels of the columns.

    Probabilities are floored at 1e-12; so are those of classes of the task that the classifier never saw.

    Args:
        model: the classifier.
        scores: what it answered, one row an example.
        classes: every label of the task.
        names: the classes that these number, where the task's labels are text.

    Raises:
        ValueError: its scores are something else than one column a class, or its classes not the task's.
    """
    seen = classes_as_labels(model.classes_, names)
    if seen is None:
        ours = "integers" if names is None else f"text such as {names[0]!r}"
        raise ValueError(
            f"the classifier's classes are {np.asarray(model.classes_).dtype}, such as {str(model.classes_[0])!r}, "
            f"and the task's labels {ours}: hand over data with the labels that it was trained on."
        )
    if _scoring(model).__name__ == "predict_proba":
        scores = np.log(np.maximum(scores, PROBABILITY_FLOOR))  # NaN stays NaN, and is refused later
    elif scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    if scores.shape[1] != len(seen):
        raise ValueError(
            f"{type(model).__name__} gives {scores.shape[1]} columns for {len(seen)} classes: use one score a class "
            '(decision_function_shape="ovr").'
        )
    columns = np.union1d(classes, seen)
    unseen = np.logaddexp.reduce(scores, axis=1, keepdims=True) + np.log(PROBABILITY_FLOOR)
    logits = np.repeat(unseen, len(columns), axis=1)
    logits[:, np.searchsorted(columns, seen)] = scores
    return logits, columns


def check_numbering(model: Any, outputs: Outputs, names: Names | None) -> None:
    """Refuse a classifier by numbers that stand for other named classes.

    It is told by its answers: it is right about another order of the classes that occur, and not about this one.

    Raises:
        ValueError: such a classifier.
    """
    if names is None or np.asarray(model.classes_).dtype.kind not in "iubf":
        return
    from scipy.optimize import linear_sum_assignment

    present = np.unique(outputs.labels)
    said = answered(outputs)
    counts = np.array([[((outputs.labels == a) & (said == b)).mean() for b in present] for a in present])
    right, best = float(np.trace(counts)), float(counts[linear_sum_assignment(counts, maximize=True)].sum())
    if best - right > OTHER_ORDER:
        raise ValueError(
            f"the classifier answers by numbers, and these stand for other classes than the sorted names {names[:6]} "
            f"of the labels: it is right on {right:.0%}, and on {best:.0%} in another order. Hand over the data with "
            "the numbers that it was trained on."
        )


def _scoring(model: Any) -> Any:
    return getattr(model, "decision_function", None) or getattr(model, "predict_proba", None)


def _rows(batch: Any) -> Any:
    if is_table(batch):
        return batch
    rows = to_numpy(batch)
    return rows.reshape(len(rows), -1)


def identify(model: Any) -> Identity:
    """Identify a model by all of it that can be read."""
    if is_module(model):
        return identify_module(model)
    if is_estimator(model):
        return identify_estimator(model)
    if isinstance(model, SavedLogprobs) or (isinstance(model, SavedOutputs) and model.files):
        return Identity(model.digest, model.digest)
    return Identity(obstacle=f"a {type(model).__name__} shows no state that could be read")


def model_digest(model: Any) -> str:
    """Digest a module, an estimator or files; empty for callables and arrays."""
    return identify(model).digest


def state_digest(model: Any) -> str:
    """Digest the part of a model that training changes."""
    return module_state(model) if is_module(model) else identify(model).state


def is_module(model: Any) -> bool:
    """Whether this is a torch module, without importing torch for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def is_estimator(model: Any) -> bool:
    """Whether this looks like a scikit-learn classifier."""
    return not is_module(model) and (
        hasattr(model, "predict_proba") or hasattr(model, "decision_function") or hasattr(model, "predict")
    )
