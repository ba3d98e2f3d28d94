"""Next steps, and the number of examples that would settle a claim."""

from __future__ import annotations

import math

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics import certifiable_limit, normal_quantile, required_forget

POWER = 0.8
HOPELESS = 0.002  # an estimate this close to its limit is settled by no affordable number of examples


def needed_examples(estimate: Estimate, lowest: float | None, highest: float | None) -> int | None:
    """Count the forget examples that settle this with 80% power.

    Returns:
        The number if the estimate is true and controls grow alike; None when it lies too near the limit.
    """
    z = normal_quantile(estimate.confidence)
    error = (estimate.high - estimate.low) / (2 * z)
    gaps = [abs(limit - estimate.value) for limit in (lowest, highest) if limit is not None]
    if min(gaps) < HOPELESS or estimate.n_forget == 0:
        return None
    return math.ceil(estimate.n_forget * (error * (z + normal_quantile(POWER)) / min(gaps)) ** 2)


def too_few(estimate: Estimate, limit: float, needed: int | None, part: str = "") -> list[str]:
    """Advise on a forget set, or a named part of it, too small for its limit."""
    if part:
        ratio = estimate.n_controls / estimate.n_forget
        likely = required_forget(limit, controls_per_forget=ratio, confidence=estimate.confidence, two_sided=True)
        few = f"{part} has {estimate.n_forget} forget examples, and about {likely:,} show a slice that is forgotten"
        return [f"{few} ({POWER:.0%} of the time): name larger slices, or choose a limit that this one can certify"]
    smallest = certifiable_limit(estimate.n_forget, estimate.n_controls, estimate.confidence)
    advice = []
    if needed is not None and needed > estimate.n_forget:
        advice.append(f"about {needed:,} forget examples would settle it: batch requests until there are as many")
    if smallest > limit or needed is None:
        advice.append(f"with {estimate.n_forget} forget examples no limit below {smallest:.3f} can be certified")
    advice.append("or judge the method, not this request, on simulated requests of this size: audit_algorithm")
    return advice


def enough_for_share(share: Estimate, most: float) -> str:
    """Say how many examples show that at most `most` is left, at this estimate."""
    z = normal_quantile(share.confidence)
    if not math.isfinite(share.high) or share.n_forget == 0:
        return ""
    error = (share.high - share.value) / z
    needed = math.ceil(share.n_forget * (error * (z + normal_quantile(POWER)) / (most - share.value)) ** 2)
    return f"about {needed:,} forget examples would show that at most {most:.0%} is left: batch requests"


TOO_WEAK = "batch requests: so few examples, remembered so weakly, would not show of any model that they are gone"
NO_POWER = (
    "the attack cannot find the forget set even in the original model, so not finding it now proves nothing",
    "give references (a recipe) if there are none: they find what a population attack misses",
    "or ask for more: examples that the model memorised (mislabelled, rare) are what an attack can see",
)
NO_ORIGINAL = "pass the original model (original= or a recipe): without it nothing shows that the attack works here"
NO_REFERENCES = (
    "give at least two references (a recipe, or retrained models): without them nothing shows that honest models pass"
)
CONTROLS_DIFFER = "choose controls from the same population as the forget set, best by reserve_controls before training"
OUT_OF_ORDER = "check that logit columns are in the order of the labels, and saved rows in the order of the view"
SOME_RUNS = "look at the runs that stand out, one by one: audit_forgotten says what is wrong with a single model"
CONTROLS_TRAINED = "use controls that neither the method nor its tuning has seen"
KNOWS_MORE = (
    "retrain, or unlearn further: judge so large a request also by assert_matches_retrained on examples of test, whose "
    "accuracy shows what it is worth"
)
UNLIKE_REFERENCES = "train references by one recipe, under distinct seeds: one of them is unlike the others"
TRIAL_UNSETTLED = (
    "audit more examples at once, train more references (they narrow the band), or choose a limit that these certify",
)
LEAK = {
    "recognisable": "the forget set still looks like training data: unlearn longer or differently, or retrain",
    "over-forgotten": "behaving conspicuously badly on the forget set gives it away too: repair the model on retain",
    "conspicuous": "the model treats the forget set unlike unseen examples: part of it is remembered or masked",
}
SCORES_INVALID = (
    "let the model reveal logits or unrounded probabilities; scores that all tie can be judged by no attack"
)
