"""The types that flow through an audit: Outputs -> Scores -> Estimate -> Verdict -> Evidence. Frozen, JSON-shaped."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.figures import Exhibit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Side = Literal["high", "low"]


class Verdict(str, enum.Enum):
    """What an audit concluded. Ask for it by name: truth-testing a verdict raises, because enum members are truthy."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"

    @property
    def severity(self) -> int:
        """Rank the verdict: PASS 0, INCONCLUSIVE 1, FAIL 2, INVALID 3."""
        return ("PASS", "INCONCLUSIVE", "FAIL", "INVALID").index(self.value)

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict has four values; compare it, as in `verdict is Verdict.PASS`")

    def __str__(self) -> str:
        return self.value


def most_severe(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of the highest severity; PASS where there is none."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that cannot be stated without its uncertainty.

    `low` and `high` are each a one-sided bound at `confidence`. `n_forget` and `n_controls` count the examples behind
    it (a paired claim over one set has `n_controls` 0).
    """

    value: float
    low: float
    high: float
    confidence: float
    method: str
    n_forget: int
    n_controls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is asserted: that a quantity lies within [lowest, highest]; None leaves a side open.

    `sources` says, for each setting, where it came from (call keyword, marker, command line, ini, default).
    """

    name: str
    quantity: str
    lowest: float | None = None
    highest: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.lowest is None:
            return f"{self.quantity} at most {self.highest:g}"
        if self.highest is None:
            return f"{self.quantity} at least {self.lowest:g}"
        return f"{self.quantity} between {self.lowest:g} and {self.highest:g}"

    def excess(self, estimate: Estimate) -> float:
        """Return how far the interval reaches beyond the limits; at most 0 within them.

        A side without a limit is open; -inf if both are.
        """
        above = -math.inf if self.highest is None else estimate.high - self.highest
        below = -math.inf if self.lowest is None else self.lowest - estimate.low
        return float(max(above, below))


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: signals are remembered by a weak reference to it
class Outputs:
    """What a model answers on a view: logits, shape (examples, classes), and each example's label as a column.

    `asked` holds what attacks asked besides, by the query's name: arrays with one row an example. Compared by identity,
    so that what was computed from them can be remembered; never change the arrays.
    """

    logits: FloatArray
    labels: IntArray
    asked: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One model's outputs on the two sets an audit compares.

    `original` is what the model answers that it was unlearned from, for an attacker who holds both; `retain` is this
    model's own outputs on the retain set, where an attack asks for them.
    """

    forget: Outputs
    controls: Outputs
    original: Answers | None = None
    retain: Outputs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One attack's scores, higher meaning more member-like, for the forget set and for the controls.

    `reference_forget` and `reference_controls`, shape (references, examples), hold the same attack's scores on the
    references where the attack is judged on its paired difference to them. `tie_share` is the fraction of
    forget-control pairs of the same class that tie in the model's own statistic. `unfair` says why a tripwire's scores
    would accuse an honest model as well, and so accuse nobody; empty if they may.
    """

    forget: FloatArray
    controls: FloatArray
    reference_forget: FloatArray | None = None
    reference_controls: FloatArray | None = None
    tie_share: float = 0.0
    unfair: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """How one control (the original, or a retrained reference) fared under the audit's own rule.

    Its estimate is of the claim's own quantity, so that it can stand beside the audited model's.
    """

    name: str
    holds: bool
    attack: str
    estimate: Estimate
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The positive control (the original must be recognised) and the negative ones (references must not be).

    Without references `blind`, a classifier that sees no model, stands in for the negative control.
    """

    original: ControlResult | None = None
    retrained: tuple[ControlResult, ...] = ()
    blind: ControlResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One forget example, by index only, and the share of its controls that look less like a member than it does.

    `pixels`, nested lists of 0 to 255, are there only when thumbnails were asked for: reports must not republish what
    was to be deleted.
    """

    index: int
    percentile: float
    pixels: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an audit found, in full: enough to judge it, to print it and to reproduce it.

    `attacks` maps an attack's name to its estimate; `deciding` names those that PASS depends on; `decided_by` is the
    attack that settled the verdict, whose estimate is `estimate`. `label` names the kind of failure, such as
    `over-forgotten`. `needed` is the number of forget examples that would settle an INCONCLUSIVE verdict. `exhibits`
    are what a report shows besides: curves, histograms and tables.
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate
    decided_by: str
    label: str = ""
    attacks: Mapping[str, Estimate] = field(default_factory=dict)
    deciding: tuple[str, ...] = ()
    controls: Controls = field(default_factory=Controls)
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    needed: int | None = None
    most_exposed: tuple[Exposure, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    exhibits: tuple[Exhibit, ...] = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("evidence is not a yes or no; ask for `.verdict`")

    def to_json(self) -> dict[str, Any]:
        """The evidence as dictionaries, lists, strings, numbers and None only."""
        shaped = to_plain(self)
        assert isinstance(shaped, dict)
        shaped["claim"]["text"] = str(self.claim)
        return shaped


def to_plain(value: Any) -> Any:
    """Turn dataclasses, enums, numpy scalars and containers into what `json.dumps` accepts; non-finite is None."""
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
