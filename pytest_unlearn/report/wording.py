"""What every renderer says alike: a claim and a whole run in a sentence, and what neither may be taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.ledger import reconcile

THREAT_MODEL = (
    "Where every claim passed, no leakage was found through the tested channels: the attacks listed above, against "
    "this model, at the stated confidence. It does not show that the data left no trace. Attacks that were not run may "
    "succeed, and a provider who controls the model can defeat any test of the model alone (Thudi et al. 2022; Zhang "
    "et al. 2024). The digests, seeds and settings in report.json let the run be reproduced."
)
HEADLINES = {
    ("forgotten", "PASS"): "no leakage was found through the tested channels",
    ("forgotten", "FAIL"): "the forget set can be told apart in this model",
    ("forgotten", "INCONCLUSIVE"): "this audit cannot tell whether the forget set is still recognisable",
    ("algorithm", "PASS"): "the method left no leakage through the tested channels, on average over its models",
    ("algorithm", "FAIL"): "what the method was asked to forget can be told apart, on average over its models",
    ("algorithm", "INCONCLUSIVE"): "these runs cannot tell whether the method forgets",
    ("survives", "PASS"): "of the requests that were tried, none was confirmed to fail",
    ("survives", "FAIL"): "there is a deletion request that the method fails on",
    ("survives", "INCONCLUSIVE"): "the search could not have found a failing request here",
    ("canaries_forgotten", "PASS"): "no trace of the planted canaries was found",
    ("canaries_forgotten", "FAIL"): "what was planted in the training data still shows in the model",
    ("canaries_forgotten", "INCONCLUSIVE"): "this audit cannot tell whether the planted canaries are forgotten",
    ("utility", "PASS"): "the model is about as accurate as its baseline",
    ("utility", "FAIL"): "the model lost more accuracy than allowed",
    ("matches_retrained", "PASS"): "the model's accuracy is that of the retrained models",
    ("matches_retrained", "FAIL"): "the model's accuracy differs from the retrained models'",
    ("class_forgotten", "PASS"): "unseen examples of the class are treated as by the retrained models",
    ("class_forgotten", "FAIL"): "unseen examples of the class are not treated as by the retrained models",
    ("features_forgotten", "PASS"): "the layers' features tell no more of the forget set than retrained models' do",
    ("features_forgotten", "FAIL"): "the layers' features still tell what the outputs may hide",
    ("features_forgotten", "INCONCLUSIVE"): "this audit cannot tell whether the features still know the forget set",
    ("no_residual", "PASS"): "nothing came back beside the forget examples or in weakened copies of the model",
    ("no_residual", "FAIL"): "what was to be forgotten comes back beside the examples or in weakened copies",
    ("no_residual", "INCONCLUSIVE"): "this audit cannot tell whether anything comes back",
    ("not_relearnable", "PASS"): "the forget set is learned again as by retrained models",
    ("not_relearnable", "FAIL"): "the forget set is learned again at another speed than by retrained models",
    ("not_relearnable", "INCONCLUSIVE"): "this audit cannot tell whether the forget set is relearned too fast",
    ("efficient", "PASS"): "the method takes no more of retraining's time than allowed",
    ("efficient", "FAIL"): "the method takes more of retraining's time than allowed",
    ("efficient", "INCONCLUSIVE"): "too few runs to say what the method costs",
    ("sequence", "PASS"): "after every request, no leakage was found through the tested channels",
    ("sequence", "FAIL"): "the sequence of requests left something to be told apart, or a worse model",
    ("sequence", "INCONCLUSIVE"): "this audit cannot tell whether every request of the sequence was forgotten",
    ("indistinguishable", "PASS"): "the method's models answer the forget set much as retrained ones do",
    ("indistinguishable", "FAIL"): "the method's models answer the forget set unlike retrained ones",
    ("indistinguishable", "INCONCLUSIVE"): "these models cannot tell whether the method is like retraining",
}
DEFAULTS = {
    "PASS": "the claim holds at the stated confidence",
    "FAIL": "the claim is refuted",
    "INCONCLUSIVE": "too few examples to prove or refute the claim",
    "INVALID": "this audit cannot be interpreted",
}
GRAVITY = {"INVALID": 0, "FAIL": 1, "INCONCLUSIVE": 2, "PASS": 3}


def headline_of(evidence: Mapping[str, Any]) -> str:
    """What a verdict means for its claim, without numbers."""
    verdict = evidence["verdict"]
    return HEADLINES.get((evidence["claim"]["name"], verdict), DEFAULTS[verdict])


def sentence(entry: Mapping[str, Any]) -> str:
    """One claim in plain words: what was concluded, what was measured, what was allowed."""
    evidence = entry["evidence"]
    estimate, claim = evidence["estimate"], evidence["claim"]
    says = headline_of(evidence)
    worst = f" at worst in {entry['count']:,} requests" if entry["count"] > 1 else ""
    if counts(estimate):
        measured = f"{interval(estimate)} {claim['quantity']}; {allowed(claim)} is allowed"
    else:
        measured = (
            f"{claim['quantity']} {number(estimate['value'])}{worst}, from {number(estimate['low'])} to "
            f"{number(estimate['high'])} by one-sided {estimate['confidence']:.0%} bounds; {allowed(claim)} is allowed"
        )
    but = "" if entry["outcome"] in ("passed", "failed") else f" The test itself ended as {entry['outcome']}."
    return f"{says[:1].upper()}{says[1:]}: {measured}.{but}"


def allowed(claim: Mapping[str, Any]) -> str:
    """The claim's limits without its quantity: "at most 0.55"."""
    text = str(claim["text"])
    return text.removeprefix(claim["quantity"]).strip() or text


def conclusion(ledger: Mapping[str, Any], gate: Mapping[str, Any] | None) -> tuple[bool, str]:
    """Whether the whole run may be called passed, and in words.

    A gate must release, and every claim must be proven. Nothing that is missing or partial is a pass.
    """
    entries = ledger["entries"]
    missing = sum(1 for entry in entries if not is_proven(entry))
    unproven = f"{missing:,} of {len(entries):,} claims {'was' if missing == 1 else 'were'} not proven"
    if gate is not None and not gate["release"]:
        return False, "Blocked: the release gate is not satisfied"
    if gate is not None and missing:
        return False, f"The release gate is satisfied, but {unproven}"
    if gate is not None:
        return True, "Release: every required claim was proven"
    if not entries:
        return False, "Nothing was audited"
    if missing:
        return False, unproven[:1].upper() + unproven[1:]
    if ledger["partial"] or reconcile(ledger):
        return False, "Incomplete: what ran was proven, but not everything ran"
    return True, "Every claim was proven"


def is_proven(entry: Mapping[str, Any]) -> bool:
    """Whether a claim is PASS in a test that passed, and bears it out; other tests prove nothing."""
    evidence = entry.get("evidence", {})
    plainly = evidence.get("verdict") == "PASS" and entry["outcome"] == "passed"
    return bool(plainly and next(unproven(evidence), None) is None)


def gravest_first(entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Positions of the entries, those that need attention first, otherwise in their order."""
    rank = [(is_proven(entry), GRAVITY[entry["evidence"]["verdict"]]) for entry in entries]
    return sorted(range(len(entries)), key=rank.__getitem__)


def counts(estimate: Mapping[str, Any]) -> bool:
    """Whether an estimate counts requests, and so has no interval."""
    return estimate.get("method") == "count" and estimate["value"] is not None


def interval(estimate: Mapping[str, Any]) -> str:
    """`0.620 [0.580, 0.660]`, or `1 of 24` where requests are counted."""
    if counts(estimate):
        return f"{estimate['value']:.0f} of {estimate['n_forget']:,}"
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def sizes(estimate: Mapping[str, Any]) -> str:
    """How much an estimate rests on: examples and controls, examples compared in pairs, or requests."""
    if counts(estimate):
        return f"{estimate['n_forget']:,} requests"
    if estimate["method"].startswith("median of"):
        return f"{estimate['n_forget']:,} pairs of runs"
    if not estimate["n_controls"]:
        return f"{estimate['n_forget']:,} examples, paired"
    return f"{estimate['n_forget']:,} forget examples, {estimate['n_controls']:,} controls"


def number(value: float | None) -> str:
    """Three decimals; a value that is not finite is stored as None."""
    return "n/a" if value is None else f"{value:.3f}"
