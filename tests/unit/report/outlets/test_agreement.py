"""Whatever ran, every format tells of the same claims and the same decision, and is valid by its own validator."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
import yaml
from huggingface_hub import ModelCard
from hypothesis import given, settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_unlearn.report import annex, attestation, html, markdown, terminal, wording
from pytest_unlearn.report.decision import card, decision_of
from pytest_unlearn.report.outlets import badge, github, junit, metrics, model_card
from pytest_unlearn.report.outlets.standing import keys
from tests.unit.report.outlets.ledgers import Run, runs

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "junit.xsd")
MANY = settings(max_examples=40, deadline=None)
FORBIDDEN = re.compile(r"\b(erased|anonym\w+|complian\w+)\b", re.IGNORECASE)


@MANY
@given(runs())
def test_junit_is_green_exactly_where_everything_was_proven(run: Run) -> None:
    ledger, about = run
    text = junit.render(ledger, about)
    SCHEMA.validate(text)
    suite = ElementTree.fromstring(text.encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    claims = [case for case in cases if case.get("classname") != "unlearn"]
    passed = [case for case in claims if not len(case)]
    assert len(claims) == len(ledger["entries"]) + len(ledger["without_evidence"])
    assert len(passed) == sum(map(wording.is_proven, ledger["entries"]))
    untestable = [case for case in claims if case.find("skipped[@type='NOT TESTABLE']") is not None]
    bad = [case for case in cases if len(case) and case not in untestable]
    assert (not bad) is wording.conclusion(ledger, about["gate"])[0]
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)  # GitLab's key
    assert all((problem.text or "").strip() for case in cases for problem in case)  # GitLab shows the text alone
    found = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert found["unlearn.decision"] == decision_of(about["gate"])
    for key, entry in zip(keys(ledger["entries"]), ledger["entries"], strict=True):
        assert found[f"unlearn.{key}.verdict"] == wording.word(entry["evidence"])


@MANY
@given(runs())
def test_metrics_are_valid_and_count_what_the_ledger_has(run: Run) -> None:
    ledger, about = run
    text = metrics.open_metrics(ledger, about)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    flat = json.loads(metrics.flat_json(ledger, about))
    proven = sum(map(wording.is_proven, ledger["entries"]))
    for name, value in {"claims": len(ledger["entries"]), "claims_proven": proven}.items():
        assert families[f"unlearn_{name}"].samples[0].value == flat[name] == value
    assert ("released" in flat) is ("unlearn_released" in families) is (about["gate"] is not None)
    if about["gate"] is not None:
        assert flat["released"] == families["unlearn_released"].samples[0].value == about["gate"]["release"]
    samples = [
        sample for name, family in families.items() if name == "unlearn_claim_severity" for sample in family.samples
    ]
    assert {sample.labels["key"] for sample in samples} == set(keys(ledger["entries"]))
    assert len(samples) == len(ledger["entries"])
    assert not re.search(r"[0-9a-f]{12}|2026", text)  # or GitLab would find every metric new in every run


@MANY
@given(runs())
def test_badge_card_annex_and_attestation_say_the_same(run: Run) -> None:
    ledger, about = run
    decision, fine = decision_of(about["gate"]), wording.conclusion(ledger, about["gate"])[0]
    shown = json.loads(badge.render(ledger, about))
    assert shown["message"].startswith(decision.lower())
    assert (shown["color"] == "brightgreen") is (decision == "RELEASE")
    statement = attestation.statement(ledger, about, "0" * 64)
    assert (statement["predicate"]["result"] != "FAILED") is fine
    card, table = model_card.render(ledger, about), annex.render(ledger, about)
    assert f"**{decision}.**" in card
    assert "f11e" * 16 in card
    assert about["created"][:10] in card
    for text in (card, table):
        assert not FORBIDDEN.search(text)
    assert "no leakage was found through the tested channels" in card
    for key, entry in zip(keys(ledger["entries"]), ledger["entries"], strict=True):
        word = wording.word(entry["evidence"])
        row = next(line for line in card.splitlines() if line.startswith(f"| {model_card.escape(key)} | "))
        assert row.split(" | ")[1].startswith(word)
        assert (row.split(" | ")[1] == "PASS") is wording.is_proven(entry)
        shown_in_annex = [one for one in annex.classes() if entry["evidence"]["claim"]["name"] in one.claims]
        assert (f"{entry['evidence']['claim']['name']} {word}" in table) or not shown_in_annex or "more" in table


@pytest.mark.slow
@MANY
@given(runs())
def test_the_card_is_what_the_hub_reads(run: Run) -> None:
    ledger, about = run
    text = model_card.render(ledger, about)
    card = ModelCard(text)
    assert card.data.tags == ["machine-unlearning"]
    values = [entry["evidence"]["estimate"]["value"] for entry in ledger["entries"]]
    measured = [value for value in values if value is not None]
    assert [one.metric_value for one in card.data.eval_results or ()] == [round(value, 6) for value in measured]
    assert all(one.dataset_type == "private" for one in card.data.eval_results or ())
    assert yaml.safe_load(text.split("---")[1]) == model_card.metadata(ledger, about)
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()
    new = model_card.section(ledger, about)
    assert model_card.put(model_card.put("# My model\n", new), new).count(model_card.BEGIN) == 1


def letters(text: str) -> str:
    """What is left of a text wherever lines are broken and signs are escaped."""
    return re.sub(r"[^A-Za-z0-9]", "", unescape(text))


@pytest.mark.slow
@MANY
@given(runs())
def test_the_sentence_of_a_claim_and_the_decision_are_the_same_everywhere(run: Run) -> None:
    ledger, about = run
    told = card(ledger, about)
    outputs = {
        "terminal": "".join(line for line, _ in terminal.lines(ledger, 80, about)),
        "page": re.sub(r"<[^<>]*>", "", html.render(ledger, about)),  # a word of the glossary is a link
        "markdown": markdown.render(ledger, about),
        "junit": junit.render(ledger, about),
    }
    outputs = {name: letters(text) for name, text in outputs.items()}
    assert told.word == decision_of(about["gate"])
    assert all(letters(told.word) in text for text in outputs.values())
    for line in told.claims:
        says = letters(line.says)
        proven = wording.is_proven(ledger["entries"][line.position])
        brief = line.verdict == "PASS" and len(told.claims) > terminal.ALL_TOLD
        left_out = {name for name, silent in (("junit", proven), ("terminal", brief)) if silent}
        assert all(says in text for name, text in outputs.items() if name not in left_out), line
    for reason in told.reasons:
        assert all(letters(reason) in text for name, text in outputs.items() if name != "terminal"), reason


def read(command: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does."""
    match = re.fullmatch(r"::(\w+) ([^\n\r]*?)::([^\n\r]*)", command)
    assert match is not None
    level, given_properties, message = match.groups()
    pairs = dict(part.split("=", 1) for part in given_properties.split(","))
    codes = {"%0A": "\n", "%0D": "\r", "%3A": ":", "%2C": ",", "%25": "%"}
    decoded = {k: re.sub("%0A|%0D|%3A|%2C|%25", lambda m: codes[m[0]], v) for k, v in pairs.items()}
    return level, decoded, re.sub("%0A|%0D|%25", lambda m: codes[m[0]], message)


@MANY
@given(runs())
def test_github_is_told_of_each_claim_that_is_refuted_undecided_or_invalid(run: Run) -> None:
    ledger, about = run
    places = {entry["nodeid"]: ("tests/a,b:c.py", 7) for entry in ledger["entries"]}
    commands = [read(one) for one in github.commands(ledger, about, places)]
    blocked = about["gate"] is not None and not about["gate"]["release"]
    told = [properties["title"] for _, properties, _ in commands]
    assert (told[:1] == ["Release gate: do not release"]) is blocked
    expected = sorted(
        f"{entry['evidence']['claim']['name']}: {entry['evidence']['verdict']}"
        for entry in ledger["entries"]
        if entry["evidence"]["verdict"] != "PASS" and not wording.is_accepted(entry)
    )
    assert sorted(told[blocked:]) == expected
    for level, properties, message in commands[blocked:]:
        assert level in ("error", "warning")
        assert (properties["file"], properties["line"]) == ("tests/a,b:c.py", "7")
        assert message


@pytest.mark.slow
@MANY
@given(runs())
def test_every_outlet_has_each_claim_s_verdict_interval_limit_and_first_reason_and_the_run_s_counts(run: Run) -> None:
    ledger, about = run
    told = card(ledger, about)
    table, statement = annex.render(ledger, about), attestation.statement(ledger, about, "0" * 64)["predicate"]
    flat, xml = json.loads(metrics.flat_json(ledger, about)), junit.render(ledger, about)
    texts = {
        "terminal": letters("".join(line for line, _ in terminal.lines(ledger, 80, about))),
        "page": letters(re.sub(r"<[^<>]*>", "", html.render(ledger, about))),
        "markdown": letters(markdown.render(ledger, about)),
    }
    (suite,) = ElementTree.fromstring(xml.encode()).iter("testsuite")
    found = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    counted = {line.verdict: sum(one.verdict == line.verdict for one in told.claims) for line in told.claims}
    for verdict, count in counted.items():
        assert sum(value == verdict for name, value in found.items() if name.endswith(".verdict")) == count
    assert flat["claims"] == len(told.claims) == ledger["counts"]["claims"]
    names = keys(ledger["entries"])
    for line in told.claims:
        entry = ledger["entries"][line.position]
        evidence, key = entry["evidence"], names[line.position]
        seen, allowed = wording.seen(evidence), wording.allowed(evidence["claim"])
        decided = wording.decisive(evidence)
        for end in ("value", "low", "high"):
            assert found.get(f"unlearn.{key}.{end}") == (None if decided[end] is None else f"{decided[end]:g}")
        for where, text in texts.items():
            assert letters(seen) in text, (where, seen)
            assert letters(allowed) in text, (where, allowed)
        for where in ("page", "markdown"):
            assert letters(line.reason) in texts[where], (where, line.reason)
        row = next(
            one
            for one in model_card.section(ledger, about).splitlines()
            if one.startswith(f"| {model_card.escape(key)} |")
        )
        assert letters(wording.interval(decided)) in letters(row)
        failed = line.nodeid in statement["failedTests"]
        warned = any(one.startswith(f"{line.nodeid}: ") for one in statement["warnedTests"])
        passed = line.nodeid in statement["passedTests"]
        assert failed or passed
        assert not (failed and passed)
        if line.verdict in ("FAIL", "INVALID"):
            assert failed or wording.is_accepted(entry)
        if line.verdict == wording.NOT_TESTABLE:
            assert warned or failed
    if told.word == "DO NOT RELEASE":
        assert statement["result"] == "FAILED"
        assert letters(told.reasons[0]) in letters(xml)
        assert all(letters(told.reasons[0]) in text for text in texts.values())
    assert ("not declared" in table) is (len(about.get("declared", {})) < 7)
