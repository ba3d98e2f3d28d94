"""The decision card: five questions and their answers, the same in every output."""

from __future__ import annotations

import html as markup
import json
import re
from typing import Any

import jsonschema
import numpy as np
import pytest

from pytest_unlearn import SavedOutputs, Split, UnlearningTask, audit_forgotten, audit_utility
from pytest_unlearn.report import attestation, decision, html, markdown, terminal
from pytest_unlearn.report import json as as_json
from tests.unit.report.prepared import NAMELESS, RUNS, Prepared
from tests.unit.report.test_renderers import SCHEMA

EVERY_RUN = pytest.mark.parametrize("prepared", RUNS.values(), ids=list(RUNS))
NEVER_SAID = re.compile(r"\b(erased|anonym\w*|compliant)\b", re.IGNORECASE)


def plain(text: str) -> str:
    """A text as a reader sees it: without markup, line breaks and the words' first capitals."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    text = markup.unescape(markup.unescape(re.sub(r"<[^>]+>", "", text))).replace("\\|", "|").replace("**", "")
    return " ".join(text.split()).lower()


def outputs(prepared: Prepared) -> dict[str, str]:
    """What the run says, by output."""
    ledger, about = prepared.ledger, prepared.about
    return {
        "terminal": "\n".join(line for line, _ in terminal.lines(ledger, 80, about)),
        "markdown": markdown.render(ledger, about),
        "page": html.render(ledger, about),
    }


@EVERY_RUN
def test_five_questions_are_answered_on_the_card_of_every_output(prepared: Prepared) -> None:
    for where, text in outputs(prepared).items():
        shown = plain(text)
        for answer in prepared.answers:
            assert answer.lower() in shown, (where, answer)


@EVERY_RUN
def test_the_decision_stands_before_everything_else(prepared: Prepared) -> None:
    texts = outputs(prepared)
    assert texts["terminal"].startswith(f"{prepared.may_go_out}: ")
    assert texts["markdown"].startswith(f"# Unlearning audit: {prepared.may_go_out}\n")
    assert f"<title>Unlearning audit: {prepared.may_go_out}. " in texts["page"]


@EVERY_RUN
def test_commit_ci_run_and_approver_are_named(prepared: Prepared) -> None:
    for text in outputs(prepared).values():
        for part in ("shop/recommender", "1a2b3c4d5e6f", "https://ci.example.org/runs/7", "A. Person", "2026-11-29"):
            assert part in text.replace("\n           ", "")


def test_what_nobody_named_is_said_to_be_missing() -> None:
    for text in outputs(NAMELESS).values():
        shown = plain(text)
        for name in ("unlearn_commit", "unlearn_request", "unlearn_approver", "unlearn_release_files"):
            assert name in shown


@EVERY_RUN
def test_nothing_is_called_erased_anonymous_or_compliant(prepared: Prepared) -> None:
    texts = [*outputs(prepared).values(), as_json.render(prepared.ledger, prepared.about),
             attestation.render(prepared.ledger, prepared.about)]  # fmt: skip
    assert all(len(text) > 500 for text in texts)
    assert not [found.group() for text in texts for found in NEVER_SAID.finditer(text)]


@EVERY_RUN
def test_the_scope_of_pass_stands_beside_the_decision(prepared: Prepared) -> None:
    card = decision.card(prepared.ledger, prepared.about)
    texts = outputs(prepared)
    for where, after in {"terminal": " planned, ", "markdown": "## Claims", "page": "</header>"}.items():
        assert plain(card.scope) in plain(texts[where][: texts[where].rindex(after)]), where


@EVERY_RUN
def test_the_report_follows_its_schema_and_keeps_the_identity(prepared: Prepared) -> None:
    document = json.loads(as_json.render(prepared.ledger, prepared.about))
    jsonschema.validate(document, SCHEMA)
    assert document["identity"]["request"] == "GDPR-2026-17"


def test_a_card_says_that_nobody_compared_the_files_with_the_model() -> None:
    for prepared, said in ((RUNS["a proven release"], 1), (NAMELESS, 0)):
        for text in outputs(prepared).values():
            assert plain(text).count("(not compared with the files)") == said


def test_an_address_that_is_none_becomes_no_link() -> None:
    prepared = RUNS["a proven release"]
    for address, linked in (("https://ci.example.org/1", True), ("javascript:alert(1)", False)):
        about: dict[str, Any] = {**prepared.about, "identity": {"ci_url": address}}
        assert (f'<a href="{address}"' in html.render(prepared.ledger, about)) == linked


def test_a_card_of_nothing_decides_nothing() -> None:
    prepared = RUNS["no gate"]
    empty: dict[str, Any] = {**prepared.ledger, "entries": []}
    card = decision.card(empty, {**prepared.about, "identity": {}})
    assert card.word == "NOT DECIDED"
    assert "Nothing was audited" in card.because
    assert dict(card.facts)["request"] == "no id (UNLEARN_REQUEST): the claims name no request"


def test_rows_that_may_be_of_one_person_are_told_of_once() -> None:
    """A table whose groups nobody gave makes intervals doubtful; a warning alone would not reach the reader."""
    people = np.repeat(np.arange(40), 5)
    table = pytest.importorskip("pandas").DataFrame({"customer_id": people, "age": np.arange(200.0), "y": people % 2})
    with pytest.warns(UserWarning, match="customer_id"):
        split = Split((table, "y"), forget=table.customer_id < 8, test=(table.assign(age=-1.0 - table.age), "y"))
    rng = np.random.default_rng(0)
    original, first, second, model = (SavedOutputs(train=rng.normal(size=(200, 2)), test=rng.normal(size=(200, 2)))
                                      for _ in range(4))  # fmt: skip
    task = UnlearningTask(split, original=original, references=[first, second])
    prepared = RUNS["no gate"]
    entries = [
        {**prepared.ledger["entries"][0], "evidence": audit(model, view).to_json()}
        for audit, view in ((audit_forgotten, task.forget), (audit_utility, task.test))
    ]
    card = decision.card({**prepared.ledger, "entries": entries}, prepared.about)
    told = [line for line in card.unseen if line.startswith("whose rows are whose: ")]
    assert len(told) == 1
    assert 'pass groups="customer_id"' in told[0]
