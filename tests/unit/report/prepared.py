"""Eight runs that a release is decided on, and what a reader of each has to learn from the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.claims.common.verdict import NO_POSITIVE
from pytest_unlearn.report.gate import decide
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

ABOUT: dict[str, Any] = {
    "tool": {"name": "pytest-unlearn", "version": "0.2.0"},
    "created": "2026-11-29T11:35:00+00:00",
    "command": ["pytest", "--unlearn-gate"],
    "environment": {"python": "3.11.7", "platform": "Linux"},
    "release_files": [{"name": "model.safetensors", "sha256": "f11e" * 16}],
    "identity": {
        "project": "shop/recommender",
        "commit": "1a2b3c4d5e6f7a8b9c0d",
        "ci_url": "https://ci.example.org/runs/7",
        "request": "GDPR-2026-17",
        "approver": "A. Person",
    },
}
MODEL, OTHER = "5eed" * 16, "0dd0" * 16
REQUEST = {"n": 120, "digest": "4e4e" * 16, "of": 1437, "units": 30, "defined in": "tests/conftest.py"}


def about_model(digest: str = MODEL) -> dict[str, Any]:
    """Provenance of a claim about one model."""
    return {"model": {"type": "torch.nn.Linear", "digest": digest, "not identified": ""}, "request": REQUEST, "seed": 0}


def claim(verdict: str = "PASS", value: Any = 0.5, name: str = "forgotten", **rest: Any) -> dict[str, Any]:
    """One evidence about the model and the request."""
    limits: dict[str, Any] = {"highest": 0.55, "lowest": 0.45} if name != "utility" else {"highest": 0.05}
    fields = {"provenance": about_model(), **limits, **rest}
    found: dict[str, Any] = evidence(verdict, value, name, **fields).to_json()
    if name == "utility":
        found["claim"] |= {"quantity": "drop in accuracy", "text": "drop in accuracy at most 0.05"}
    return found


@dataclass(frozen=True)
class Prepared:
    """A run, and in answers the texts that must stand on its card: one a question."""

    ledger: Mapping[str, Any]
    about: Mapping[str, Any]
    may_go_out: str
    which_model: str
    whose_data: str
    why: str
    not_looked_at: str

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers to the five questions."""
        return self.may_go_out, self.which_model, self.whose_data, self.why, self.not_looked_at


def run(*claims: tuple[dict[str, Any], str], required: tuple[str, ...] | None = ("forgotten", "utility"),
        partial: str = "") -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """A ledger of claims, each with how its test ended, and the facts of its run."""
    book = Ledger()
    for k, (one, outcome) in enumerate(claims):
        book.add(f"tests/test_release.py::test_{k}", outcome, [one])
    if partial:
        book.narrow(partial)
    ledger = book.freeze()
    gate = None
    if required is not None:
        found = decide(ledger, required)
        gate = {"release": found.release, "reasons": list(found.reasons), "required": list(required),
                "notes": list(found.notes), "policy": "quick"}  # fmt: skip
    return ledger, {**ABOUT, "gate": gate}


PASSED, USEFUL = (claim(), "passed"), (claim("PASS", 0.01, "utility"), "passed")
OPEN = claim("INCONCLUSIVE", 0.53, reasons=(NO_POSITIVE,))
BROKEN = claim(
    "INVALID",
    reasons=(
        "the negative control fails: retrained 2 is told apart from the controls although it never saw the forget set",
    ),
)
UNTESTABLE = claim(
    "INCONCLUSIVE", 0.5, "features_forgotten", not_testable="the original's features do not show the forget set",
    required=False,
)  # fmt: skip


def _two_models() -> dict[str, Any]:
    return claim("PASS", 0.01, "utility", provenance=about_model(OTHER))


WHOSE = "GDPR-2026-17: 120 of 1,437 training examples, of 30 persons or groups"
FILE = "model.safetensors (SHA-256 f11ef11ef11e)"
NEVER = "filters in front of the model, caches, logs, backups"

RUNS: dict[str, Prepared] = {
    "a proven release": Prepared(
        *run(PASSED, USEFUL), "RELEASE", FILE, WHOSE, "every required claim was proven (forgotten, utility)", NEVER
    ),
    "a FAIL": Prepared(
        *run((claim("FAIL", 0.72, label="recognisable"), "failed"), USEFUL), "DO NOT RELEASE", FILE, WHOSE,
        "guesses membership at least 69 times in 100", NEVER,
    ),
    "only INCONCLUSIVE": Prepared(
        *run((OPEN, "failed"), required=("forgotten",)), "DO NOT RELEASE", FILE, WHOSE,
        NO_POSITIVE, NEVER,
    ),
    "INVALID": Prepared(
        *run((BROKEN, "failed"), USEFUL), "DO NOT RELEASE", FILE, WHOSE,
        "This audit says nothing about it: the negative control fails: retrained 2 is told apart from the controls "
        "although it never saw the forget set", NEVER,
    ),
    "no gate": Prepared(
        *run(PASSED, USEFUL, required=None), "NOT DECIDED", FILE, WHOSE, "no release gate ran", NEVER
    ),
    "not testable claims": Prepared(
        *run(PASSED, USEFUL, (UNTESTABLE, "passed")), "RELEASE", FILE, WHOSE, "every required claim was proven",
        "features_forgotten is not testable here: the original's features do not show the forget set",
    ),
    "two models": Prepared(
        *run(PASSED, (_two_models(), "passed")), "DO NOT RELEASE",
        "audited are 2 models, of which a release can be one", WHOSE, "claims are about 2 models", NEVER,
    ),
    "a partial run": Prepared(
        *run(PASSED, USEFUL, partial="2 tests were deselected"), "DO NOT RELEASE", FILE, WHOSE,
        "a partial run cannot satisfy the gate: 2 tests were deselected", "partial run: 2 tests were deselected",
    ),
}  # fmt: skip

NAMELESS = replace(RUNS["no gate"], about={**RUNS["no gate"].about, "identity": {}, "release_files": []})
