"""Run a method on small problems, once for all checks, and note what a run did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import numpy as np
import torch
from scipy.special import softmax

from pytest_unlearn.conformance import networks
from pytest_unlearn.conformance.case import Case, ConformanceError, Unsupported, is_unsupported
from pytest_unlearn.conformance.networks import Array
from pytest_unlearn.conformance.scenario import CONTAINERS, EXAMPLES, PREPARATIONS, Scenario, some
from pytest_unlearn.conformance.state_diff import contents, differing
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.view import View
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.training import global_state
from pytest_unlearn.training.arrays import stack

KEPT = 4  # observations kept for a method, each with three models; nearly every check looks at the one at home
LISTED = 3  # names in a message


@dataclass(frozen=True)
class Observation:
    """Note what one run did.

    Attributes:
        given: the model that went in, as it was.
        model: the same object after the run.
        result: what came out.
        disturbed: the global states that the method changed.
        written: which of the two datasets the method changed.
    """

    given: Any
    model: Any
    result: Any
    disturbed: tuple[str, ...]
    written: tuple[str, ...]


class Harness:
    """Run one method, and remember what it did."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._crashes_at_home = False
        self.original = lru_cache(KEPT)(self._original)
        self.observe = lru_cache(KEPT)(self.run)
        self.view = lru_cache(KEPT)(self._view)

    def fail(self, sentence: str) -> NoReturn:
        """Raise that a promise is broken."""
        __tracebackhide__ = True
        raise ConformanceError(f"{self.case.label} {sentence}")

    @contextmanager
    def advising(self, advice: str) -> Iterator[None]:
        """Add advice to a promise that is broken in the block."""
        try:
            yield
        except ConformanceError as error:
            raise ConformanceError(f"{error} {advice}") from error.__cause__

    def require(self, kept: bool, sentence: str) -> None:
        """Raise the sentence where a promise is broken."""
        __tracebackhide__ = True
        if not kept:
            self.fail(sentence)

    def require_none(self, names: list[str], sentence: str) -> None:
        """Raise the sentence, the first few names in its {names}, where there are any."""
        __tracebackhide__ = True
        listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        self.require(not names, sentence.replace("{names}", listed))

    @property
    def home(self) -> Scenario:
        """Find the plainest problem that the method works on."""
        scenario, refusals = self._search
        if scenario is None:
            raise Unsupported("every problem was refused. " + " ".join(refusals))
        return scenario

    @cached_property
    def _search(self) -> tuple[Scenario | None, list[str]]:
        refusals: list[str] = []
        for scenario in self._plain_problems():
            try:
                self.observe(scenario)
            except ConformanceError:  # it crashes, which is not a refusal
                self._crashes_at_home = True
                return scenario, refusals
            except Exception as error:
                if not is_unsupported(error):
                    raise
                refusals.append(f"{scenario}: {error}")
            else:
                return scenario, refusals
        return None, refusals

    def _plain_problems(self) -> list[Scenario]:
        ours = self.case.training is None
        names = list(networks.NETWORKS) if ours else [""]
        scenarios = [self.problem(name, whole_class=whole) for whole in (False, True) for name in names]
        return scenarios if ours else [*scenarios, self._binary_problem()]

    def problem(self, network: str, *, whole_class: bool) -> Scenario:
        """Make a request for a random fifth of the examples, or for a whole class."""
        n = min(EXAMPLES, len(self._examples(network)[1]))
        scenario = Scenario(network, tuple(range(n)), tuple(some(n)))
        return scenario.asking(self.of_one_class(scenario)) if whole_class else scenario

    def _binary_problem(self) -> Scenario:
        labels = self._examples("")[1][:EXAMPLES]
        rows = np.flatnonzero(np.isin(labels, np.unique(labels)[:2]))
        return Scenario("", tuple(rows.tolist()), tuple(some(len(rows))))

    def larger_problem(self, *, retain: int, forget: int) -> Scenario:
        """Enlarge the problem at home; examples repeat where there are not enough."""
        labels = self._examples(self.home.network)[1]
        rows = np.flatnonzero(np.isin(labels, self.data(self.home)[1]))
        first = labels[rows] == labels[self.home.rows[0]]
        gone = first if self.forgets_classes else np.arange(len(rows)) < min(forget, len(rows) // 3)
        chosen = np.concatenate([np.resize(rows[gone], forget), np.resize(rows[~gone], retain)])
        return replace(self.home, rows=tuple(chosen.tolist()), forget=tuple(range(forget)))

    @property
    def forgets_classes(self) -> bool:
        """Tell whether the method refuses every request but one for a whole class."""
        return len(self.home.forget) == len(self.of_one_class(self.home))

    def of_one_class(self, scenario: Scenario) -> Array:
        """Find the positions of every example of one class."""
        labels = self.data(scenario)[1]
        return np.flatnonzero(labels == labels[0])

    def data(self, scenario: Scenario) -> tuple[Array, Array]:
        """Return the training set of a scenario, as arrays."""
        x, y = self._examples(scenario.network)
        rows = np.asarray(scenario.rows) % len(y)  # a small dataset of the user's repeats itself
        double = scenario.prepared == "in double precision" and x.dtype.kind == "f"
        return (x[rows].astype(np.float64) if double else x[rows]), y[rows]

    def _examples(self, network: str) -> tuple[Array, Array]:
        if network or self._own is None:
            return networks.examples(network or next(iter(networks.NETWORKS)))
        return self._own

    @cached_property
    def _own(self) -> tuple[Array, Array] | None:
        return None if self.case.dataset is None else stack(self.case.dataset)

    def _original(self, scenario: Scenario) -> Any:
        """Train on all of a scenario's examples; the model is shared, so copy it."""
        if self.case.training is None:
            return networks.trained(scenario.network, scenario.rows, scenario.training_seed)
        dataset = CONTAINERS["tensor datasets"](*self.data(scenario))
        try:
            with global_state.restored(), torch.enable_grad():
                return self.case.training(dataset, seed=scenario.training_seed)
        except Exception as error:
            if is_unsupported(error):
                raise
            x = dataset[0][0]
            raise ConformanceError(
                f"{self.case.label} could not be tried: its recipe crashed with {type(error).__name__}: {error} The "
                f"recipe is given {len(scenario.rows)} examples (x, y), the first x an {x.dtype} tensor of shape "
                f"{tuple(x.shape)}; for others, pass {self._as_case()}."
            ) from error

    def trained(self, scenario: Scenario) -> Any:
        """Copy the model that a scenario starts from, and prepare it."""
        # A recipe sees what a model is trained on; the rest of a scenario is no reason to train again.
        plain = Scenario(scenario.network, scenario.rows, (), training_seed=scenario.training_seed)
        double = scenario.prepared == "in double precision"
        model = deepcopy(self.original(replace(plain, prepared=scenario.prepared if double else plain.prepared)))
        if not (double and self.case.recipe is None and self.case.training is not None):
            PREPARATIONS[scenario.prepared](
                model
            )  # what `train` remembers of double-precision rows would no longer fit
        return model

    def datasets(self, scenario: Scenario) -> list[Any]:
        """Return the retain set and the forget set, in memory of their own."""
        x, y = self.data(scenario)
        parts = ([*scenario.retain(y)], [*scenario.forget])
        return [CONTAINERS[scenario.container](x[part], y[part]) for part in parts]

    def call(self, scenario: Scenario, *arguments: Any, unlearner: Any = None) -> tuple[Any, tuple[str, ...]]:
        """Run the method on (model, retain, forget), and list the states it changed."""
        method = self.case.unlearner if unlearner is None else unlearner
        with global_state.restored():
            torch.set_num_threads(1)  # small problems are slower on several
            torch.set_grad_enabled(scenario.gradients)
            global_state.seed(scenario.ambient)
            before = global_state.read()
            result = method(*arguments, seed=scenario.seed)
            return result, tuple(differing(before, global_state.read()))

    def run(self, scenario: Scenario, *, unlearner: Any = None) -> Observation:
        """Run the method, or another in its place, and note what it did."""
        # Prepared twice: a deep copy of a module leaves its gradients behind.
        given, model, sets = self.trained(scenario), self.trained(scenario), self.datasets(scenario)
        before = [contents(part) for part in sets]
        try:
            result, disturbed = self.call(scenario, model, *sets, unlearner=unlearner)
        except Exception as error:
            if is_unsupported(error):
                raise
            raise ConformanceError(
                f"{self.case.label} crashed with {type(error).__name__} ({error}) on {scenario}. Where it cannot work "
                f"by its nature, let it raise Unsupported and say why.{self._hint(scenario)}"
            ) from error
        self.require(result is not None, "returned None: return the unlearned model.")
        changed = [differing(old, contents(part)) for old, part in zip(before, sets, strict=True)]
        written = tuple(name for name, paths in zip(("retain", "forget"), changed, strict=True) if paths)
        return Observation(given, model, result, disturbed, written)

    def _hint(self, scenario: Scenario) -> str:
        """Say how a method made for one network or number of classes is checked, where it crashes on plain problems."""
        plain = self._crashes_at_home or scenario in self._plain_problems()
        if self.case.training is not None or not plain:
            return ""
        return (
            f" Is it made for one network, or number of classes? Then have it checked on these: "
            f"pass {self._as_case()}, where recipe(dataset, *, seed) trains such a network on such examples (x, y)."
        )

    def _as_case(self) -> str:
        """Write down the case that takes other models and examples, with the names of this one."""
        recipe = getattr(self.case.recipe, "__name__", "recipe")
        return f"Case({self.case.label}, {recipe}, dataset=examples)"

    def require_usable(self, scenario: Scenario) -> None:
        """Require that the method runs and its result keeps the outputs' shape."""
        seen = self.observe(scenario)
        shapes = [self.outputs(model, scenario).shape for model in (seen.given, seen.result)]
        same = shapes[0] == shapes[1]
        self.require(same, f"changed the shape of the outputs ({scenario}) from {shapes[0]} to {shapes[1]}.")

    def outputs(self, model: Any, scenario: Scenario) -> FloatArray:
        """Compute the probabilities of a scenario's examples, (examples, classes)."""
        view = self.view(Scenario(scenario.network, scenario.rows, ()))
        try:
            with global_state.restored():
                logits = evaluate(model, view, classes=np.unique(self._examples(scenario.network)[1])).logits
        except Exception as error:
            raise ConformanceError(
                f"{self.case.label} returned a model whose outputs cannot be computed ({scenario}): {error}"
            ) from error
        return np.asarray(softmax(logits, axis=1))

    def _view(self, scenario: Scenario) -> View:
        x, y = self.data(scenario)
        return View("conformance", Examples((x, y), "the conformance examples"), np.arange(len(y)))

    def distance(self, a: Any, b: Any, scenario: Scenario) -> float:
        """Compute the total variation of two models' outputs, mean over examples."""
        return float(np.abs(self.outputs(a, scenario) - self.outputs(b, scenario)).sum(axis=1).mean() / 2)
