"""Measure how much of the original's excess over chance a model still shows.

With e = AUC - 1/2 on the same examples, the share left is |e(audited)| / e(original), and 1 - share is the leakage
reduction, which the literature calls erasure completeness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.auc.auc import binormal_parts
from pytest_unlearn.statistics.auc.placements import stratified_placements
from pytest_unlearn.statistics.auc.strata import Layout, layout
from pytest_unlearn.statistics.measure import Measure, estimate
from pytest_unlearn.statistics.quantiles import quantile, reference_variance, unseen_half_width
from pytest_unlearn.statistics.validation import check_confidence, matrix, vector

UNDEFINED = "undefined: the original is not recognised with certainty"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLeftMeasure:
    """Measure the share left of an original's excess, by a ratio of two means.

    `audited` and `original` are the excesses over chance, `variances` those of the two and their covariance, with
    `degrees` of freedom; `units` is the smaller number of independent units of the two sides.
    """

    audited: float
    original: float
    variances: tuple[float, float, float]
    units: int
    degrees: float
    n_forget: int
    n_controls: int

    @property
    def value(self) -> float:
        """The share: 0 under perfect unlearning, 1 for the original."""
        return abs(self.audited) / self.original if self.original > 0 else math.inf

    def at(self, confidence: float) -> Estimate:
        """Bound it by Fieller's interval; not at all if the original may show nothing.

        The interval of the signed share, folded at 0: it holds with probability 1 - 2 alpha, `high` alone with
        1 - alpha. Source: Fieller 1954.
        """
        low, high, method = 0.0, math.inf, UNDEFINED
        bounds = self._signed(confidence)
        if bounds is not None:
            least, most = bounds
            low, high, method = max(0.0, least, -most), max(most, -least), "Fieller, paired DeLong"
        return estimate(self.value, low, high, confidence, method, self.n_forget, self.n_controls)

    def upper(self, share: float, confidence: float) -> float:
        """Bound |e(audited)| - share e(original) from above: 0 where no more is left."""
        q = self._quantile(confidence)
        own, other, both = self._variances(q)
        sides = (
            sign * self.audited
            - share * self.original
            + q * math.sqrt(own - 2 * sign * share * both + share**2 * other)
            for sign in (1.0, -1.0)
        )
        return max(sides)

    def _quantile(self, confidence: float) -> float:
        return quantile(check_confidence(confidence), max(1.0, self.degrees))

    def _variances(self, q: float) -> tuple[float, float, float]:
        """Return the variances; none is 0, which a few units show by luck where scores do not overlap."""
        own, other, both = self.variances
        least = (unseen_half_width(q, self.units) / q) ** 2
        floor = [variance if variance > 1e-15 else least for variance in (own, other)]
        return floor[0], floor[1], max(-math.sqrt(floor[0] * floor[1]), min(math.sqrt(floor[0] * floor[1]), both))

    def _signed(self, confidence: float) -> tuple[float, float] | None:
        if self.units < 2 or self.original <= 0:
            return None
        q = self._quantile(confidence)
        own, other, both = self._variances(q)
        square = self.original**2 - q * q * other
        if square <= 0:
            return None
        cross, rest = self.audited * self.original - q * q * both, self.audited**2 - q * q * own
        root = math.sqrt(max(0.0, cross**2 - square * rest))
        return (cross - root) / square, (cross + root) / square


def share_left(
    forget: ArrayLike,
    controls: ArrayLike,
    original_forget: ArrayLike,
    original_controls: ArrayLike,
    *,
    reference_forget: ArrayLike | None = None,
    reference_controls: ArrayLike | None = None,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> ShareLeftMeasure:
    """Measure which share of the original's excess over chance is left.

    Args:
        forget: [m], the audited model's scores of the forget set, higher for members.
        controls: [n], its scores of the controls.
        original_forget: [m], the original's scores of the same examples.
        original_controls: [n], likewise.
        reference_forget: [K, m], the same score on references, where excesses are those over the references' AUC.
        reference_controls: [K, n], likewise.
        forget_strata: [m], as in `auc_measure`.
        control_strata: [n], likewise.
        forget_groups: [m], likewise.
        control_groups: [n], likewise.

    Returns:
        A measure from 0 up: 0 under perfect unlearning, 1 for the original itself.

    Raises:
        ValueError: as `auc_measure` does, and for models whose examples do not match.

    Sources: DeLong 1988, paired; Obuchowski 1997, clusters; Fieller 1954, the ratio.
    """
    ours, theirs = vector("forget", forget), vector("controls", controls)
    pairs = [
        (ours, theirs),
        (vector("original_forget", original_forget), vector("original_controls", original_controls)),
    ]
    if pairs[1][0].size != ours.size or pairs[1][1].size != theirs.size:
        raise ValueError("the original's scores are of other examples than the audited model's")
    design = layout(ours.size, theirs.size, forget_strata, control_strata, forget_groups, control_groups)
    placed = [stratified_placements(f, c[design.kept], design) for f, c in pairs]
    excess, common = [float(v10.mean()) - 0.5 for v10, _ in placed], 0.0
    if reference_forget is not None and reference_controls is not None:
        usual = [
            stratified_placements(f, c[design.kept], design)
            for f, c in zip(
                matrix("reference_forget", reference_forget, ours.size),
                matrix("reference_controls", reference_controls, theirs.size),
                strict=True,
            )
        ]
        means = [sum(one[side] for one in usual) / len(usual) for side in (0, 1)]
        placed = [(v10 - means[0], v01 - means[1]) for v10, v01 in placed]
        excess = [float(v10.mean()) for v10, _ in placed]
        common = reference_variance(vector("reference AUCs", [float(one[0].mean()) for one in usual]))
    (a10, a01), (o10, o01) = placed
    parts = [(design.forget.parts(v10), design.controls.parts(v01)) for v10, v01 in placed]
    floors = [
        (binormal_parts(0.5 + value, design.null_parts), design.alike(one))
        for value, one in zip(excess, parts, strict=True)
    ]
    lacking = [design.missing(one, *floor) for one, floor in zip(parts, floors, strict=True)]
    both = (_variance(design, a10 + o10, a01 + o01) - _variance(design, a10 - o10, a01 - o01)) / 4
    return ShareLeftMeasure(
        audited=excess[0],
        original=excess[1],
        variances=(
            _variance(design, a10, a01) + lacking[0] + common,
            _variance(design, o10, o01) + lacking[1] + common,
            both + common,
        ),
        units=min(design.forget.units, design.controls.units),
        degrees=min(design.degrees(one, *floor) for one, floor in zip(parts, floors, strict=True)),
        n_forget=design.forget.size,
        n_controls=design.controls.size,
    )


@dataclass(frozen=True, slots=True)
class RatioMeasure:
    """Measure the share left of an effect that is no AUC; see `share_of_estimates`."""

    audited: Measure
    original: Measure
    chance: float = 0.0

    @property
    def value(self) -> float:
        """The share: 0 under perfect unlearning, 1 for the original."""
        effect = abs(self.original.value - self.chance)
        return abs(self.audited.value - self.chance) / effect if effect > 0 else math.inf

    def at(self, confidence: float) -> Estimate:
        """Bound it, each side at this confidence."""
        return share_of_estimates(self.audited.at(confidence), self.original.at(confidence), self.chance)


def share_of_estimates(audited: Estimate, original: Estimate, chance: float = 0.0) -> Estimate:
    """Bound the share left of an effect that is no AUC, from two estimates.

    Args:
        audited: of the audited model.
        original: of the original; the side of `chance` on which it lies counts as the effect's.
        chance: what a model shows that has nothing left.

    Returns:
        |audited - chance| over |original - chance|, infinite above where the original may lie at chance. The two are
        taken to be independent; common references make them vary together, which errs on the wide side.

    Source: Donner & Zou 2012, closed-form limits of a ratio (MOVER).
    """
    sign = 1.0 if original.value >= chance else -1.0
    low, high = sorted((sign * (original.low - chance), sign * (original.high - chance)))
    own, known = sign * (audited.value - chance), sign * (original.value - chance)
    least, most = sorted((sign * (audited.low - chance), sign * (audited.high - chance)))
    bounds = 0.0, math.inf
    method = UNDEFINED
    if low > 0:
        below, above = _ratio_end(own, least, known, high, -1.0), _ratio_end(own, most, known, low, 1.0)
        bounds = max(0.0, below, -above), max(above, -below)
        method = "MOVER ratio"
    value = abs(own) / known if known > 0 else math.inf
    return estimate(value, *bounds, audited.confidence, method, audited.n_forget, audited.n_controls)


def _ratio_end(own: float, end: float, known: float, far: float, sign: float) -> float:
    """Return one end of own / known, whose sides may reach to `end` and to `far`."""
    far = min(far, 2 * known * (1 - 1e-9))  # a wider denominator leaves the formula's range
    root = math.sqrt(max(0.0, (own * known) ** 2 - end * far * (2 * own - end) * (2 * known - far)))
    return (own * known + sign * root) / (far * (2 * known - far))


def _variance(design: Layout, v10: FloatArray, v01: FloatArray) -> float:
    covariance = design.covariance(v10, v01)
    return max(0.0, design.forget.variance(v10) + design.controls.variance(v01) + 2 * covariance)
