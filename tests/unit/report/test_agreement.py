"""Whatever ran, terminal, page, Markdown, failure texts and attestation tell the same of it, and nobody too much."""

from __future__ import annotations

import html as markup
import json
import re
from typing import Any

from hypothesis import given, settings

from pytest_unlearn.core.numbers import beyond
from pytest_unlearn.core.wording import explain
from pytest_unlearn.report import attestation, decision, html, markdown, plain, terminal, wording
from tests.unit.report.outlets.ledgers import Run, runs

MANY = settings(max_examples=40, deadline=None)


def text_of(page: str) -> str:
    """The words of HTML or of Markdown, in one line."""
    page = re.sub(r"<(style|script|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    plain_text = markup.unescape(re.sub(r"</?[a-z][^>]*>", "", page))
    return "".join(plain_text.replace("\\", "").split())


def outputs(run: Run) -> dict[str, str]:
    """What is shown of a run, without spaces: lines are broken where there is room."""
    ledger, about = run
    lines = [line for line, _ in terminal.lines(ledger, 80, about)]
    return {
        "terminal": "".join("".join(lines).replace("\\", "").split()),
        "markdown": text_of(markdown.render(ledger, about).replace("&lt;", "<")),
        "page": text_of(html.render(ledger, about)),
    }


def squeezed(text: str) -> str:
    """A text as `outputs` has it."""
    return text_of(markup.escape(text))


@MANY
@given(runs())
def test_every_output_says_the_same_sentences_numbers_verdicts_and_reasons(run: Run) -> None:
    card, texts = decision.card(*run), outputs(run)
    for where, text in texts.items():
        # A test's name that looks like a tag is one to whoever strips tags; what is said of it is not.
        for said in (card.word, *(part for label, part in card.facts if label != "model")):
            assert squeezed(said) in text, (where, said)
        for line in card.claims:
            if where != "terminal" or line.verdict != "PASS" or len(card.claims) <= terminal.ALL_TOLD:
                assert squeezed(line.says) in text, (where, line.says)
            brief = line.numbers.split(" vs ")[0]
            assert squeezed(brief) in text, (where, brief)
            assert text.count(squeezed(line.verdict)) >= sum(one.verdict == line.verdict for one in card.claims)
            if line.verdict != "FAIL" or where != "terminal":  # whose number says why
                assert squeezed(line.reason).lower() in text.lower(), (where, line.reason)
        assert squeezed(card.scope) in text


@MANY
@given(runs())
def test_claims_are_counted_as_what_they_are_shown_as(run: Run) -> None:
    ledger, _ = run
    card, counts = decision.card(*run), run[0]["counts"]
    words = {"PASS": "passed", "FAIL": "failed", "INCONCLUSIVE": "inconclusive", "INVALID": "invalid",
             wording.NOT_TESTABLE: "not_testable"}  # fmt: skip
    shown = [words[line.verdict] for line in card.claims]
    assert {name: shown.count(name) for name in words.values()} == {"not_testable": 0} | {
        name: counts.get(name, 0) for name in words.values()
    }
    texts = outputs(run)
    for where in ("terminal", "markdown"):
        assert squeezed(terminal.headline(ledger)) in texts[where]
    for name, count in counts.items():
        assert f"{count}{name.replace('_', '')}" in texts["page"]


@MANY
@given(runs())
def test_the_decision_is_the_gate_s_and_the_attestation_never_says_more(run: Run) -> None:
    ledger, about = run
    card = decision.card(ledger, about)
    predicate = json.loads(attestation.render(ledger, about))["predicate"]
    assert (card.word == decision.RELEASE) == bool(about["gate"] and about["gate"]["release"])
    if card.word == decision.DO_NOT:
        assert predicate["result"] == "FAILED"
        assert squeezed(about["gate"]["reasons"][0]) in outputs(run)["markdown"]
    if predicate["result"] == "PASSED":
        assert {line.verdict for line in card.claims} == {"PASS"}
    refuted = {line.nodeid for line in card.claims if line.verdict not in ("PASS", wording.NOT_TESTABLE)}
    assert refuted <= set(predicate["failedTests"])


@MANY
@given(runs())
def test_the_text_of_a_failing_test_has_the_card_s_numbers(run: Run) -> None:
    ledger, _ = run
    for line in decision.card(*run).claims:
        evidence: dict[str, Any] = ledger["entries"][line.position]["evidence"]
        assert wording.seen(evidence) in explain(evidence)
        assert line.numbers.startswith(wording.seen(evidence))
        short = wording.brief(evidence)
        assert short.startswith(f"{line.verdict} {line.name}")
        if line.verdict == "INVALID":
            assert line.reason in short


@MANY
@given(runs())
def test_no_pass_is_told_with_a_number_beyond_its_limit(run: Run) -> None:
    for line in decision.card(*run).claims:
        evidence = run[0]["entries"][line.position]["evidence"]
        if line.verdict == "PASS" and "at most" in line.says:
            told, allowed = (float(part) for part in re.findall(r"at most ([-\d.]+)", line.says)[-2:])
            assert told <= allowed
        if plain.first_reason(evidence):
            assert line.verdict != "PASS"
        assert not (line.verdict == "PASS" and any(beyond(evidence["estimate"]["value"], (None, None))))
