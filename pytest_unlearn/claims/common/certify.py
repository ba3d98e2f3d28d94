"""Compute what can be said with a request, for every place that says it.

`plan`, verdicts, their advice and the documentation ask here, so that their numbers agree. All chances are those of a
perfect method. PASS takes two signed attacks, by confidence and by margin, and whichever misses withholds it: they
are taken to miss independently, which is what retrained networks show (docs/explanation/small-requests.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.settings import MAX_MIA_AUC
from pytest_unlearn.statistics import NullPrecision, binormal_auc_variance, least_limit, null_design
from pytest_unlearn.statistics.quantiles import normal_quantile, quantile

POWER = 0.8  # the chance of a perfect method that counts as likely
RUNS_POWER = 0.9  # the same over runs, which are a cost, and which nobody wants to make twice
ASSUMED = 0.8  # AUC of an original that nobody has audited yet
WEAK = 0.6  # the mean AUC over runs of originals that nobody has seen to be recognised more plainly
HOPELESS_RUNS = 0.05  # a chance over runs that would be luck
LEAST_REDUCTION = 0.5  # a model that remembers half must not pass by what is advised
WORTH_TRYING = 0.5  # a chance below this is no advice
ATTACKS = 2  # signed ones that decide, either of which may miss by chance
ATTACKS_ON_DOCUMENTS = 4  # the same, where references judge a language model
ENOUGH_RUNS = 5  # from so many on, runs are compared with each other, which doubles their variance
MOST_RUNS = 200  # more than anybody makes for one request
MOST = 1_000_000  # units that no request will have
ONLINE_GAIN = 1.25  # how much more online attacks see of an original: three data sets in four (small-requests.md)
WORTH_SHADOWS = 0.1  # a gain in chance below this is not worth the trainings


@dataclass(frozen=True, kw_only=True)
class Request:
    """What decides how wide intervals will be, before there are any scores.

    `units` and `control_units` are the independent units (persons, distinct examples) of forget set and controls,
    `strata` the classes within which these are compared. `documents` says that examples are documents of a language
    model, which other claims are made of.
    """

    n_forget: int
    n_controls: int
    strata: int
    null: NullPrecision
    documents: bool = False

    @property
    def units(self) -> int:
        """How many independent units the forget set has."""
        return self.null.units

    @property
    def unit(self) -> str:
        """What these units are called."""
        return self.examples if self.units == self.n_forget else "units of deletion"

    @property
    def examples(self) -> str:
        """What is deleted is called."""
        return "forget documents" if self.documents else "forget examples"

    @property
    def attacks(self) -> int:
        """How many signed attacks decide, each of which may miss by chance."""
        return ATTACKS_ON_DOCUMENTS if self.documents else ATTACKS

    @property
    def control_units(self) -> int:
        """How many independent units the controls have."""
        return self.null.control_units

    @property
    def run_error(self) -> float:
        """The standard error of one run's AUC, against as many controls."""
        return math.sqrt(2.0 * self.null.variances[0])

    def precision(self, units: float) -> tuple[float, float]:
        """Return null standard error and degrees for so many units like these."""
        return self.null.of(units / self.units)

    def with_controls(self, count: int) -> Request:
        """Return the same request beside so many controls like these."""
        times = count / self.n_controls
        null = replace(
            self.null,
            variances=(self.null.variances[0], self.null.variances[1] / times),
            degrees=(self.null.degrees[0], max(1.0, times * (self.null.degrees[1] + 1.0) - 1.0)),
            control_units=round(times * self.control_units),
        )
        return replace(self, n_controls=count, null=null)

    def smallest_limit(self, confidence: float, units: float | None = None) -> float:
        """Find the least limit that an AUC of exactly 1/2 would pass, else 1."""
        return least_limit(*self.precision(self.units if units is None else units), confidence)

    def likely_limit(self, confidence: float) -> float:
        """Find the least limit that a perfect method likely (80%) passes, else 1."""
        error, degrees = self.precision(self.units)
        if degrees <= 0.0:
            return 1.0
        reach = quantile(confidence, degrees) + _both_sides(POWER, self.attacks)
        return min(1.0, max(self.smallest_limit(confidence), 0.5 + reach * error))

    def power(self, limit: float, confidence: float, units: float | None = None) -> float:
        """Compute the chance that a perfect method passes a limit."""
        units = self.units if units is None else units
        error, degrees = self.precision(units)
        if self.smallest_limit(confidence, units) > limit:
            return 0.0
        return _within((limit - 0.5) / error - quantile(confidence, degrees), self.attacks)

    def needed(self, limit: float, confidence: float) -> int | None:
        """Find how many units a perfect method likely (80%) passes with.

        The controls stay those at hand. Returns None where no number is enough: it is controls that are lacking.
        """
        return _smallest(lambda units: self.power(limit, confidence, units) >= POWER, 2, MOST)

    def share_power(self, original: float, most: float, confidence: float, units: float | None = None) -> float:
        """Compute how often a perfect method is shown to leave at most `most`.

        `original` is the original's AUC, of whose excess over chance `most` is a share. The two models' errors are
        taken to be independent, which errs on the low side.
        """
        error, degrees = self.precision(self.units if units is None else units)
        return _share_power(original, most, confidence, (error, error), degrees, self.attacks)

    def certified_share(self, original: float, confidence: float) -> float | None:
        """Find the share that a perfect method is likely (80%) shown to leave at most.

        Returns the share, above 0 and below 1; None where it would not be told from an original of this AUC.
        """
        error, degrees = self.precision(self.units)
        if degrees <= 0.0:
            return None
        reach = quantile(confidence, max(1.0, degrees)) + _both_sides(POWER, self.attacks)
        square = (original - 0.5) ** 2 - reach**2 * _spread(original) * error**2
        share = reach * error / math.sqrt(square) if square > 0 else math.inf
        return share if share < 1 else None

    def least_original(self, most: float, confidence: float) -> float | None:
        """Find which AUC of an original likely (80%) acquits a perfect method.

        In hundredths; None where none does.
        """
        grid = (percent / 100 for percent in range(51, 100))
        return next((auc for auc in grid if self.share_power(auc, most, confidence) >= POWER), None)

    def needed_for_share(self, original: float, most: float, confidence: float) -> int | None:
        """Find how many units likely (80%) show that at most `most` is left.

        Returns None where no number of them does.
        """
        return _smallest(lambda n: self.share_power(original, most, confidence, n) >= POWER, 2, MOST)

    def runs_power(
        self, runs: int, limit: float, confidence: float, original: float = WEAK, most: float = 0.5
    ) -> float:
        """Compute the chance that runs over drawn requests let an exact method pass.

        The widest interval decides: that of models judged by each other, whose variance counts twice. `original` is the
        mean AUC of the runs' originals, of whose excess over chance `most` may be left.
        """
        inflation = 2.0 if runs >= ENOUGH_RUNS else 1.0
        one = self.run_error / math.sqrt(runs)
        error, q = one * math.sqrt(inflation), quantile(confidence, runs - 1.0)
        chance = _within((limit - 0.5) / error - q, self.attacks)
        return min(chance, _share_power(original, most, confidence, (error, one), runs - 1.0, self.attacks))

    def runs_needed(self, limit: float, confidence: float, original: float = WEAK, most: float = 0.5) -> int | None:
        """Find how many runs let an exact method pass nine times in ten, if any do."""

        def enough(runs: int) -> bool:
            return self.runs_power(runs, limit, confidence, original, most) >= RUNS_POWER

        return _smallest(enough, ENOUGH_RUNS, MOST_RUNS) if self.units > 1 else None

    def counted_on(self, original: float | None = None, runs: int = 1) -> float:
        """Return the mean AUC of originals that a number of runs should be counted on.

        That is weakly, unless what was seen is surely plainer, nine times in ten, or weaker: what one request shows is
        so uncertain that it has to be surely weaker too, the mean over runs is not.

        Args:
            original: the AUC that was seen; None before anybody has looked.
            runs: over how many requests it is the mean.
        """
        if original is None:
            return WEAK
        around = normal_quantile(RUNS_POWER) * self.run_error * math.sqrt(_spread(original) / runs)
        return max(original - around, min(original + around if runs == 1 else original, WEAK))


@dataclass(frozen=True, kw_only=True)
class Certifiable:
    """What can be said with a request, and what a perfect method would reach.

    Attributes:
        request: its sizes, and those of the controls.
        limit: on AUCs; None where the claim has none.
        confidence: of every bound.
        original: the AUC of the original by the attack that shows it least, as far as it is known or assumed.
        assumed: whether nobody has audited the original yet.
        most: the share of the original's excess that PASS may leave.
        runs_limit: on the mean AUC over runs, where the claim itself has no limit on AUCs.
    """

    request: Request
    limit: float | None
    confidence: float
    original: float
    assumed: bool
    most: float
    runs_limit: float = float(MAX_MIA_AUC)

    @cached_property
    def smallest_limit(self) -> float:
        """The least limit that these examples certify, were the AUC exactly 1/2."""
        return self.request.smallest_limit(self.confidence)

    @cached_property
    def likely_limit(self) -> float:
        """The least limit, in hundredths, that a perfect method likely (80%) passes."""
        return math.ceil(100 * self.request.likely_limit(self.confidence) - 1e-9) / 100

    @cached_property
    def power(self) -> float:
        """The chance that a perfect method passes the limit, whatever share is asked."""
        return 1.0 if self.limit is None else self.request.power(self.limit, self.confidence)

    @cached_property
    def share_power(self) -> float:
        """The chance that a perfect method is shown to leave no more than `most`."""
        return self.request.share_power(self.original, self.most, self.confidence)

    @cached_property
    def needed(self) -> int | None:
        """How many units the limit needs, with these controls; None for no number of them."""
        return self.needed_for_share if self.limit is None else self.request.needed(self.limit, self.confidence)

    @cached_property
    def needed_for_share(self) -> int | None:
        """How many units likely (80%) show that at most `most` is left."""
        return self.request.needed_for_share(self.original, self.most, self.confidence)

    @property
    def needed_to_pass(self) -> int | None:
        """How many units likely show both, the limit and that little enough is left."""
        both = (self.needed, self.needed_for_share)
        return None if None in both else max(count for count in both if count is not None)

    @property
    def needed_examples(self) -> int | None:
        """How many forget examples that is, in units of this size."""
        return None if self.needed_to_pass is None else self.examples(self.needed_to_pass)

    def examples(self, units: int) -> int:
        """Return how many forget examples so many units have, if they are of this size."""
        return math.ceil(units * self.request.n_forget / self.request.units)

    @property
    def hopeless(self) -> bool:
        """Whether this request cannot certify the limit, however well a model forgot."""
        return self.limit is not None and self.smallest_limit > self.limit

    @property
    def too_small(self) -> bool:
        """Whether a perfect method would not likely pass."""
        return min(self.power, self.share_power) < POWER

    @cached_property
    def share(self) -> float | None:
        """The share that a perfect method is likely (80%) shown to leave at most."""
        return self.request.certified_share(self.original, self.confidence)

    @cached_property
    def reduction(self) -> float | None:
        """The `min_reduction` worth asking for, in steps of .05, if any.

        It is the largest that a perfect method likely shows, and half where it shows that more often than not: a model
        that remembers half must not pass.
        """
        shown = 0.0 if self.share is None else math.floor(20 * (1 - self.share) + 1e-9) / 20
        if shown >= LEAST_REDUCTION:
            return min(shown, 0.9)
        return LEAST_REDUCTION if self.reduction_power(LEAST_REDUCTION) >= WORTH_TRYING else None

    def reduction_power(self, least: float) -> float:
        """Compute how often a perfect method is shown to have removed that much."""
        return self.request.share_power(self.original, 1 - least, self.confidence)

    def online(self, n_controls: int) -> Certifiable:
        """Say the same of online attacks: of sharper ones, beside fewer controls."""
        sharper = min(0.99, 0.5 + ONLINE_GAIN * (self.original - 0.5))
        return replace(self, request=self.request.with_controls(n_controls), original=sharper)

    @property
    def runs_original(self) -> float:
        """The mean AUC of originals that `runs` is counted on."""
        return self.request.counted_on(None if self.assumed else self.original)

    @cached_property
    def runs(self) -> int | None:
        """How many runs of `assert_algorithm` an exact method passes nine times in ten."""
        return self.request.runs_needed(self.runs_limit, self.confidence, self.runs_original, self.most)


@dataclass(frozen=True)
class Shadowed:
    """What online attacks take: shadow models, and controls to compare with.

    They can only help (`helps`) where more controls are left as a scale.
    """

    models: int
    controls: int
    helps: bool


def request(
    n_forget: int,
    n_controls: int,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> Request:
    """Describe a request by its sizes, and by who is compared with whom.

    Args:
        n_forget: forget examples.
        n_controls: controls.
        forget_strata: [n_forget] classes, as in `auc_measure`.
        control_strata: [n_controls], likewise.
        forget_groups: [n_forget] units of deletion.
        control_groups: [n_controls], likewise.
    """
    null = null_design(
        n_forget,
        n_controls,
        forget_strata=forget_strata,
        control_strata=control_strata,
        forget_groups=forget_groups,
        control_groups=control_groups,
    )
    return Request(
        n_forget=n_forget,
        n_controls=n_controls,
        strata=1 if forget_strata is None else len(np.unique(np.asarray(forget_strata))),
        null=null,
    )


def certify(
    of: Request,
    *,
    limit: float | None,
    confidence: float,
    original: float | None = None,
    most: float = 0.5,
    runs_limit: float = MAX_MIA_AUC,
) -> Certifiable:
    """Say what can be said with a request.

    Args:
        of: the request.
        limit: on AUCs, between 0.5 and 1; None for a claim about the share that is left alone.
        confidence: of every one-sided bound.
        original: the original's AUC where it was audited; 0.8 is assumed before.
        most: the share of the original's excess that may be left.
        runs_limit: what a claim about the method would be held to, for a claim without a limit on AUCs.
    """
    known = ASSUMED if original is None else original
    return Certifiable(
        request=of,
        limit=limit,
        confidence=confidence,
        original=known,
        assumed=original is None,
        most=most,
        runs_limit=float(runs_limit if limit is None else limit),
    )


def _share_power(
    original: float, most: float, confidence: float, errors: tuple[float, float], degrees: float, attacks: int
) -> float:
    """Return the chance; `errors` are the standard errors of the model's AUC and of the original's."""
    error, error_of_original = errors
    effect = original - 0.5
    if degrees <= 0.0 or effect <= 0.0 or original >= 1.0:
        return 1.0 if degrees > 0.0 and original >= 1.0 else 0.0
    spread = math.sqrt(error**2 + most**2 * _spread(original) * error_of_original**2)
    return _within(most * effect / spread - quantile(confidence, max(1.0, degrees)), attacks)


def _spread(auc: float) -> float:
    """Return how much more than chance's an AUC's variance is, of binormal scores."""
    return 12.0 * binormal_auc_variance(auc, 1, math.inf) if 0.0 < auc < 1.0 else 0.0


def _within(room: float, attacks: int) -> float:
    """Return how often all deciding attacks lie within `room` standard errors on both sides."""
    from scipy import special

    return float(max(0.0, 2.0 * float(special.ndtr(room)) - 1.0) ** attacks)


def _both_sides(power: float, attacks: int) -> float:
    """Return within how many standard errors all deciding attacks lie so often."""
    return normal_quantile(0.5 + power ** (1.0 / attacks) / 2)


def _smallest(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """Find the smallest count with `enough`, which more never undo."""
    if not enough(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
