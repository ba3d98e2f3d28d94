"""Types of an audit, frozen and JSON-shaped, from Outputs to Evidence."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.core.figures import Figure
from pytest_unlearn.core.notebook import html_of, text_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Side = Literal["high", "low"]


class Verdict(str, enum.Enum):
    """The conclusion of an audit, compared by name: truth-testing it raises."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"

    @property
    def severity(self) -> int:
        """Rank the verdict: PASS 0, INCONCLUSIVE 1, FAIL 2, INVALID 3."""
        return SEVERITY[self.value]

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
class Simultaneous:
    """What an attack would have to reach to make the verdict FAIL.

    `low` and `high` are bounds that hold for all attacks and sides together (Bonferroni, Holm's first step): FAIL is a
    `low` above `highest` or a `high` below `lowest`. A limit is None on a side on which the attack accuses nobody.
    """

    low: float
    high: float
    lowest: float | None
    highest: float | None


def reduction_of(share: Estimate) -> Estimate:
    """Turn the share left into the leakage reduction, 1 - share."""
    return replace(share, value=1.0 - share.value, low=1.0 - share.high, high=1.0 - share.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The assertion that a quantity lies within [lowest, highest].

    None leaves a side open. `sources` says where each setting is from (keyword, marker, command line, ini, default).
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


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: attacks hold weak references to it
class Outputs:
    """A model's answers on a view: logits, and each label as a column of them.

    Of shape (examples, classes). `asked` has by name the answers to attacks' queries, arrays with one row an example;
    `kind` says what the model answered that the logits were made of. `signals` are what was computed from logits and
    labels, one number an example on the last axis.
    Compared by identity, so that what was computed from them can be remembered; never change the arrays.
    """

    logits: FloatArray
    labels: IntArray
    asked: Mapping[str, FloatArray] = field(default_factory=dict)
    kind: str = "logits"
    signals: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False)

    @property
    def columns(self) -> int:
        """How many classes the model tells apart."""
        return int(self.logits.shape[1])

    @property
    def content(self) -> Any:
        """What identifies the logits, to be digested: their bytes, without a copy."""
        return np.ascontiguousarray(self.logits).data

    @property
    def known(self) -> IntArray:
        """Positions of examples whose logits are at hand."""
        return np.arange(len(self.labels))

    def rows(self, positions: IntArray) -> FloatArray:
        """Return the logits of examples whose logits are at hand."""
        return self.logits[positions]

    def take(self, rows: Any) -> Outputs:
        """Keep some examples: positions in any order, a mask or a slice of them."""
        asked = {name: values[rows] for name, values in self.asked.items()}
        kept = Outputs(logits=self.logits[rows], labels=self.labels[rows], asked=asked, kind=self.kind)
        kept.signals.update({name: values[..., rows] for name, values in self.signals.items()})
        return kept

    def asking(self, asked: Mapping[str, FloatArray]) -> Outputs:
        """Return the same outputs beside the answers to queries."""
        beside = Outputs(logits=self.logits, labels=self.labels, asked=asked, kind=self.kind)
        object.__setattr__(beside, "signals", self.signals)  # of the same logits: computed once for all
        return beside

    def blocks(self, size: int) -> Iterator[Outputs]:
        """Yield the outputs by rows, so many logits at a time or a row of them."""
        rows = max(1, size // self.columns)
        if len(self.labels) <= rows:
            yield self
            return
        for start in range(0, len(self.labels), rows):
            yield self.take(slice(start, start + rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One model's outputs on the two sets an audit compares.

    `original` is what the model answers that it was unlearned from, for an attacker who holds both; `retain` is this
    model's own outputs on the retain set, where an attack asks for them. `channel` is a model that may reveal less:
    attacks then see no more in these answers than such a model tells apart. `beside` are outputs on controls that are
    not compared, where shadow models were trained on the others.
    """

    forget: Outputs
    controls: Outputs
    original: Answers | None = None
    retain: Outputs | None = None
    channel: Answers | None = None
    beside: Outputs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One attack's scores of forget set and controls, higher for members.

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
    """The result of one control under the audit's own rule.

    The original or a retrained reference. Its estimate is of the claim's own quantity, as the audited model's is.
    """

    name: str
    holds: bool
    attack: str
    estimate: Estimate
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The positive control (the original) and the negative ones (references).

    The original must be recognised, references must not. `blind`, a classifier without a model, stands in for those.
    """

    original: ControlResult | None = None
    retrained: tuple[ControlResult, ...] = ()
    blind: ControlResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One forget example, by index, and the share of its controls below it.

    Controls below it look less like a member than it does. `named` is what a file calls it, by its id or its row; empty
    for examples of a dataset, which `index` counts. `pixels`, nested lists of 0 to 255, are there only when
    thumbnails were asked for: reports must not republish what was to be deleted.
    """

    index: int
    percentile: float
    named: str = ""
    pixels: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The findings of an audit, in full: to judge, to print and to reproduce.

    `attacks` maps an attack's name to its estimate; `deciding` names those that PASS depends on; `decided_by` is the
    attack that settled the verdict, whose estimate is `estimate`. `label` names the kind of failure, such as
    `over-forgotten`. `needed` is the number of forget examples that would settle an INCONCLUSIVE verdict. `figures`
    are what a report shows besides: curves, histograms and tables.

    `simultaneous` has, by attack, the bounds that decided whether it makes the verdict FAIL.

    `holm` is the estimate with the bounds of its step of Holm's correction, which decide whether it makes the verdict
    FAIL; None where `estimate` by itself reaches within the limits, so that it cannot.

    `share_left` is how much of the original's excess over chance is left, by the attack that bounds it least.
    `not_testable` says why no model could be told from the original here, empty if one could, and `required` whether a
    release needs PASS all the same: other claims of a policy may be not testable here.

    `scores` are the numbers it was computed from, as JSON, to be computed again by `python -m pytest_unlearn verify`;
    None where the claim keeps none, or the setting `store_scores` is off.
    """

    claim: Claim
    verdict: Verdict
    estimate: Estimate
    decided_by: str
    label: str = ""
    attacks: Mapping[str, Estimate] = field(default_factory=dict)
    deciding: tuple[str, ...] = ()
    simultaneous: Mapping[str, Simultaneous] = field(default_factory=dict)
    holm: Estimate | None = None
    controls: Controls = field(default_factory=Controls)
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    needed: int | None = None
    share_left: Estimate | None = None
    not_testable: str = ""
    required: bool = True
    most_exposed: tuple[Exposure, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    scores: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def leakage_reduction(self) -> Estimate | None:
        """How much of what the original showed is gone: 1 under perfect unlearning."""
        return None if self.share_left is None else reduction_of(self.share_left)

    @property
    def proven(self) -> bool:
        """Whether it is PASS, or not testable here where a policy lets that pass."""
        return self.verdict is Verdict.PASS or (not self.required and bool(self.not_testable))

    def __bool__(self) -> NoReturn:
        raise TypeError("evidence is not a yes or no; ask for `.verdict`")

    def __repr__(self) -> str:
        return text_of(self._without_data())

    def _repr_html_(self) -> str:
        return html_of(self._without_data())

    def _without_data(self) -> dict[str, Any]:
        return replace(self, figures=(), scores=None).to_json()

    def to_json(self) -> dict[str, Any]:
        """Return the evidence as dictionaries, lists, strings, numbers and None."""
        shaped = to_plain(self)
        assert isinstance(shaped, dict)
        shaped["claim"]["text"] = str(self.claim)
        shaped["leakage_reduction"] = to_plain(self.leakage_reduction)
        if self.scores is None:
            del shaped["scores"]
        return shaped


_PUBLISHED = {"figures": "exhibits", "caption": "says", "summary": "says"}
"""Names of version 1 of the report, which readers of reports rely on."""


def to_plain(value: Any) -> Any:
    """Convert to JSON: dataclasses, enums, numpy, containers; non-finite to None."""
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return {_PUBLISHED.get(f.name, f.name): to_plain(getattr(value, f.name)) for f in fields(value)}
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
