"""What a release requires by default, and what a policy asks, follows from what its claims are about."""

from __future__ import annotations

import pytest

from pytest_unlearn.core.claim_kinds import kind_of, required_by_default
from pytest_unlearn.plugin.requirements import Requirements
from pytest_unlearn.report.decision import card
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

TEXT = ("text_forgotten", "text_utility")


def book(*names: str) -> dict[str, object]:
    ledger = Ledger()
    for k, name in enumerate(names):
        ledger.add(f"t{k}", "passed", [evidence("PASS", 0.0 if "utility" in name else 0.5, name=name).to_json()])
    return ledger.freeze()


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ((), "examples"),
        (("forgotten",), "examples"),
        (TEXT, "text"),
        (("text_forgotten", "canaries_forgotten"), "text"),
        (("canaries_forgotten",), "examples"),
        (("text_forgotten", "utility"), "examples"),
        (("somebody's own",), "examples"),
    ],
)
def test_a_release_is_about_text_where_no_claim_is_about_anything_else(claims: tuple[str, ...], kind: str) -> None:
    assert kind_of(claims) == kind
    assert required_by_default(claims) == (TEXT if kind == "text" else ("forgotten",))


@pytest.mark.parametrize(
    ("names", "policy", "missing"),
    [
        (TEXT, None, ()),
        (("text_forgotten",), None, ("text_utility",)),
        (("text_utility",), None, ("text_forgotten",)),
        (TEXT, "quick", ()),
        (TEXT, "standard", ("not_extractable",)),
        ((*TEXT, "not_extractable"), "standard", ()),
        ((*TEXT, "utility"), None, ("forgotten",)),
    ],
)
def test_what_a_release_of_documents_lacks_blocks_it(
    names: tuple[str, ...], policy: str | None, missing: tuple[str, ...]
) -> None:
    reasons = Requirements(policy=policy).decide(book(*names)).reasons
    lacking = [one for one in reasons if "no evidence for" in one or "there is no evidence" in one]
    assert len(lacking) == len(missing)
    assert all(name in reason for name, reason in zip(missing, lacking, strict=True))


def test_the_card_of_a_release_of_documents_speaks_of_documents() -> None:
    about = {"created": "2026-11-30T00:00:00+00:00", "tool": {"name": "pytest-unlearn", "version": "0"}}
    told = {name: "; ".join(card(book(name), about).unseen) for name in ("text_forgotten", "forgotten")}
    assert "whether the model recites deleted documents" in told["text_forgotten"]
    assert "features of the inner layers" not in told["text_forgotten"]
    assert "features of the inner layers" in told["forgotten"]
    assert "recites" not in told["forgotten"]
    assert all("planted canaries" in one for one in told.values())
