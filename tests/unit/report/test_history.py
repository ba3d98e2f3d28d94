"""A FAIL of a model stands: the history holds it against later runs of the same model, and says what else it knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_unlearn.report import gate, history, history_file
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

ABOUT: dict[str, Any] = {"created": "2026-11-29T10:00:00+00:00", "tool": {"name": "pytest-unlearn", "version": "0.2.0"}}
MODEL, OTHER = "5eed" * 16, "0ace" * 16
RUN = "0123456789ab"


def provenance(model: str = MODEL, seed: int = 0, data: str | None = "f", **rest: Any) -> dict[str, Any]:
    return {
        "model": {"type": "torch.nn.Linear", "digest": model, "not identified": ""},
        "data": {"forget": {"n": 4, "digest": data}, "controls": {"n": 9, "digest": "c"}},
        "request": {"n": 4, "digest": "a-request", "defined in": "conftest.py"},
        "task": {"seed": seed, "split": "s", "references": []},
        **rest,
    }


def ledger(*verdicts: str, outcome: str = "", drawn: bool = False, **rest: Any) -> dict[str, Any]:
    book = Ledger()
    for k, verdict in enumerate(verdicts):
        found = evidence(verdict, 0.5 if verdict == "PASS" else 0.7, **{"provenance": provenance(), **rest}).to_json()
        found |= {"drawn": True} if drawn else {}
        book.add(f"test_it.py::test_{k}", outcome or ("passed" if verdict == "PASS" else "failed"), [found])
    return book.freeze()


def line(found: dict[str, Any], run: str = RUN, **about: Any) -> str:
    return json.dumps(history.record(found, {**ABOUT, **about}, run, "NOT DECIDED"))


def past(now: dict[str, Any], *earlier: str, **rest: Any) -> history.Past:
    records, broken = history.parse("\n".join(earlier))
    assert not broken
    return history.past(records, now, **rest)


FAILED = line(ledger("FAIL"))
BETTER = ledger("PASS", provenance=provenance(seed=7))
BETTER_LINE = line(BETTER, "c0de" * 3)


def test_a_pass_after_a_fail_of_the_same_model_blocks_and_names_the_run() -> None:
    found = past(BETTER, FAILED)
    assert "".join(found.reasons) == (
        "forgotten was FAIL of this very model on 2026-11-29 (run 0123456789ab, seed 0, test_it.py::test_0), under the "
        "same suite, and is PASS now: a FAIL is not taken away by running again. Release another model or, where that "
        "FAIL is explained, accept it by name (unlearn_accept_failed = 0123456789ab)"
    )
    assert not found.warnings
    decision = gate.decide({**BETTER, "history": found.to_json()}, ["forgotten"])
    assert not decision.release
    assert decision.reasons == found.reasons
    assert gate.decide({**BETTER, "history": past(BETTER).to_json()}, ["forgotten"]).release


def test_an_accepted_fail_is_a_warning_and_releases() -> None:
    found = past(BETTER, FAILED, accepted=[RUN])
    assert not found.reasons
    assert found.warnings[0].endswith("under the same suite; accepted by unlearn_accept_failed")
    decision = gate.decide({**BETTER, "history": found.to_json()}, ["forgotten"])
    assert decision.release
    assert found.warnings[0] in decision.notes


def test_accepting_one_run_accepts_no_other() -> None:
    found = past(BETTER, FAILED, line(ledger("FAIL"), "ba9876543210"), accepted=[RUN])
    assert "run ba9876543210" in found.reasons[0]
    assert "unlearn_accept_failed = ba9876543210)" in found.reasons[0]


def test_every_later_fail_is_counted() -> None:
    assert "and in 2 more runs" in past(BETTER, *(line(ledger("FAIL"), f"{k:012x}") for k in range(3))).reasons[0]


@pytest.mark.parametrize(
    "earlier",
    [
        ledger("FAIL", provenance=provenance(OTHER)),
        ledger("INCONCLUSIVE"),
        ledger("PASS"),
        ledger("FAIL", drawn=True),
        ledger("FAIL", name="utility", provenance=provenance(OTHER)),
    ],
    ids=["another model", "inconclusive", "pass", "drawn", "another model, another claim"],
)
def test_nothing_else_blocks(earlier: dict[str, Any]) -> None:
    assert not past(BETTER, line(earlier)).reasons


def test_a_claim_that_failed_and_is_not_asked_any_more_blocks() -> None:
    found = past(BETTER, line(ledger("FAIL", name="no_residual")))
    assert "no_residual was FAIL of this very model" in found.reasons[0]
    assert "and is not asked now" in found.reasons[0]


def test_a_fail_that_a_test_expected_counts_where_it_was_of_this_model() -> None:
    assert past(BETTER, line(ledger("FAIL", outcome="xfailed"))).reasons
    assert not past(BETTER, line(ledger("FAIL", outcome="xfailed", provenance=provenance(OTHER)))).reasons


@pytest.mark.parametrize(
    ("limit", "blocks"),
    [(0.55, True), (0.5, True), (0.6, False), (None, False)],
    ids=["same", "narrower", "wider", "none"],
)
def test_a_fail_at_a_narrower_limit_is_no_contradiction_but_is_named(limit: float | None, blocks: bool) -> None:
    now = ledger("PASS", highest=limit, lowest=0.0, provenance=provenance(seed=7))
    found = past(now, line(ledger("FAIL", highest=0.55, lowest=0.0)))
    assert bool(found.reasons) is blocks
    assert bool(found.warnings) is not blocks
    assert blocks or found.warnings[0].endswith("with other limits")


@pytest.mark.parametrize(("data", "says"), [("g", "with other data"), (None, "with data that have no digest")])
def test_a_fail_on_other_data_is_named_and_does_not_block(data: str | None, says: str) -> None:
    found = past(ledger("PASS", provenance=provenance(data=data)), FAILED)
    assert not found.reasons
    assert found.warnings[0].endswith(says)


def test_runs_that_settled_nothing_are_counted() -> None:
    found = past(BETTER, *(line(ledger("INCONCLUSIVE"), f"{k:012x}") for k in range(4)), line(ledger("PASS")))
    assert "".join(found.warnings) == (
        "forgotten of this model was INCONCLUSIVE 4 times before under the same suite: a confidence of 95% holds for "
        "one run, not for the best of several"
    )


def test_a_model_that_is_one_of_several_tried_is_called_so() -> None:
    now = ledger("PASS", provenance=provenance("beef" * 16))
    found = past(now, FAILED, line(ledger("PASS", provenance=provenance(OTHER))))
    assert not found.reasons
    assert found.notes == (
        "for this request 2 other models were judged before, 1 of them FAIL: this one was chosen among them",
    )
    assert not past(now, line(ledger("PASS", provenance=provenance(OTHER)))).notes


def test_a_model_without_a_state_is_known_by_its_answers() -> None:
    def hidden(answer: str) -> dict[str, Any]:
        model = {"type": "function", "digest": "", "not identified": "a function", "answers": {"q" * 64: answer}}
        return {**provenance(), "model": model}

    now = ledger("PASS", provenance=hidden(MODEL))
    assert past(now, line(ledger("FAIL", provenance=hidden(MODEL)))).reasons
    assert not past(now, line(ledger("FAIL", provenance=hidden(OTHER)))).reasons


def test_a_candidate_is_known_by_its_files_all_of_them() -> None:
    files = [{"name": "model.bin", "sha256": "f11e" * 16}, {"name": "LICENSE", "sha256": "11ce" * 16}]
    before = line(ledger("FAIL", provenance=provenance(OTHER)), release_files=files)
    renamed = [{**row, "name": f"v2/{row['name']}"} for row in files]
    assert past(BETTER, before, files=renamed).reasons
    assert not past(BETTER, before, files=files[1:]).reasons


def test_the_suite_is_its_claims_limits_and_data_whatever_seeds_and_model() -> None:
    suite = history.suite(ledger("FAIL")["entries"])
    assert suite == history.suite(ledger("PASS", provenance=provenance(OTHER, seed=3))["entries"])
    for other in (
        ledger("PASS", highest=0.6),
        ledger("PASS", provenance=provenance(data="g")),
        ledger("PASS", name="x"),
    ):
        assert suite != history.suite(other["entries"])


def test_no_example_and_no_index_is_remembered() -> None:
    text = line(ledger("FAIL"))
    assert "most_exposed" not in text
    assert "index" not in text
    assert len(text) < 1500


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from([*history.FIELDS, *history.ROW]), part),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.lists(st.text(max_size=30) | JUNK.map(json.dumps), max_size=5))
def test_whatever_lies_in_the_file_the_rest_is_read(lines: list[str]) -> None:
    text = "\n".join([FAILED, *lines, FAILED])
    records, _ = history.parse(text)
    assert [one["run"] for one in records].count(RUN) == 2
    assert history.past(records, BETTER).reasons


@given(st.sampled_from([*history.FIELDS, *history.ROW]), JUNK)
def test_a_record_with_a_part_of_another_kind_is_none_or_harmless(name: str, junk: Any) -> None:
    document = json.loads(FAILED)
    for part in (document, document["claims"][0]):
        if name in part:
            part[name] = junk
    records, broken = history.parse(json.dumps(document))
    history.past(records, BETTER, [{"name": "m", "sha256": MODEL}])
    assert len(records) + broken == 1


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "NaN", "Infinity", '"0.5"', "[]"])
def test_a_number_that_no_run_writes_is_refused(number: str) -> None:
    assert history.parse(FAILED.replace('"value": 0.7', f'"value": {number}')) == ([], 1)
    assert '"value": 0.7' in FAILED


@pytest.mark.parametrize("line", ["[" * 100_000, '{"version": 1', "\x00", '{"version": 1e999}', "NaN", "\ud800"])
def test_a_line_that_is_none_is_counted(line: str) -> None:
    records, broken = history.parse(f"{FAILED}\n{line}\n")
    assert (len(records), broken) == (1, 1)


def test_hostile_names_cannot_move_the_cursor_or_hide_the_rest() -> None:
    document = json.loads(FAILED)
    document["claims"][0]["test"] = "\x1b[2J" + "x" * 1_000_000
    found = past(BETTER, json.dumps(document)).reasons[0]
    assert "\x1b" not in found
    assert len(found) < 10_000


def test_a_last_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep/history.jsonl"
    path.parent.mkdir()
    path.write_text(FAILED + "\n" + FAILED[:40])
    with history_file.opened(path) as book:
        assert (len(book.records), book.broken) == (1, 1)
        book.append(json.loads(FAILED))
    with history_file.opened(path) as book:
        assert (len(book.records), book.broken) == (2, 1)
    assert path.read_text().startswith(FAILED)


@pytest.mark.parametrize("place", ["folder", "link", "fifo"])
def test_something_else_in_its_place_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "history.jsonl"
    {"folder": path.mkdir, "link": lambda: path.symlink_to(tmp_path / "x"), "fifo": lambda: os.mkfifo(path)}[place]()
    with pytest.raises(ValueError, match=r"history\.jsonl is a"), history_file.opened(path):
        pass


WRITER = """
import json, sys
from pathlib import Path
from pytest_unlearn.report import history_file
for k in range(40):
    with history_file.opened(Path(sys.argv[1])) as book:
        assert not book.broken
        book.append({**json.loads(sys.argv[2]), "run": f"{sys.argv[3]}-{k}"})
"""


@pytest.mark.slow
def test_runs_that_end_together_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    commands = [[sys.executable, "-c", WRITER, str(path), FAILED, str(k)] for k in range(4)]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait(120) for process in processes] == [0] * 4
    records, broken = history.parse(path.read_text())
    assert (len({one["run"] for one in records}), broken) == (160, 0)


KILLED = json.dumps(history.record({**ledger("PASS"), "entries": []}, {**ABOUT, "release_files": [
    {"name": "m", "sha256": "f11e" * 16}]}, "dead" * 3, "NOT FINISHED", ended=False, tests=["t"]))  # fmt: skip
FILES = [{"name": "m", "sha256": "f11e" * 16}]


def test_a_run_without_an_end_is_told_of_until_a_whole_run_of_the_model_has_ended() -> None:
    whole = line(ledger("PASS"), "c0de" * 3, release_files=FILES)
    partial = json.dumps({**json.loads(whole), "partial": True})
    (told,) = past(BETTER, KILLED, files=FILES).warnings
    assert "run deaddeaddead) has no end" in told
    assert past(BETTER, whole, KILLED, files=FILES).warnings == (told,)
    assert past(BETTER, KILLED, partial, files=FILES).warnings == (told,)
    assert not past(BETTER, KILLED, whole, files=FILES).warnings
    of_another = json.dumps({**json.loads(whole), "models": [OTHER], "files": []})
    assert past(BETTER, KILLED, of_another, files=FILES).warnings == (told,)


def test_a_whole_run_that_asked_less_or_skipped_everything_answers_nothing_of_one_without_an_end() -> None:
    (told,) = past(BETTER, KILLED, files=FILES).warnings
    skipped = line(ledger(), "c0de" * 3, release_files=FILES)
    other_claim = line(ledger("PASS", name="utility"), "c0de" * 3, release_files=FILES)
    assert past(BETTER, KILLED, skipped, files=FILES).warnings == (told,)
    assert past(BETTER, KILLED, other_claim, files=FILES).warnings == (told,)
    nameless = json.dumps({**json.loads(KILLED), "files": []})
    empty = json.dumps(history.record(ledger(), ABOUT, "c0de" * 3, "NOT DECIDED", tests=["t"]))
    assert past(BETTER, nameless, empty, tests=["t"]).notes


def test_a_verdict_on_another_model_does_not_hide_whose_files_a_run_without_an_end_was_to_judge() -> None:
    of_another = history.record(
        ledger("FAIL", provenance=provenance(OTHER)), ABOUT, "dead" * 3, "NOT FINISHED", ended=False, tests=["t"]
    )
    twice = [json.dumps(of_another)] * 2
    found = past(BETTER, KILLED, *twice, files=FILES)
    assert found.warnings == past(BETTER, KILLED, files=FILES).warnings
    assert len(found.warnings) == 1
    assert not found.reasons  # tests may have written the files anew: that FAIL is of the other model
    assert not past(BETTER, KILLED, *twice, files=[{"name": "m", "sha256": "0ff5" * 16}]).warnings
    forged = json.dumps({**of_another, history.BEGAN: 7})
    assert not past(BETTER, forged, files=FILES).warnings


def test_and_one_of_an_unknown_model_until_the_same_tests_have_all_run() -> None:
    nameless = json.dumps({**json.loads(KILLED), "files": []})
    found = history.record(ledger("PASS"), ABOUT, "c0de" * 3, "RELEASE", tests=["t"])
    assert past(BETTER, nameless, tests=["t"]).notes
    assert not past(BETTER, nameless, json.dumps(found), tests=["t"]).notes
    others = history.record(ledger("PASS"), ABOUT, "c0de" * 3, "RELEASE", tests=["t", "u"])
    assert past(BETTER, nameless, json.dumps(others), tests=["t"]).notes


def test_what_a_run_could_not_do_after_its_end_is_added_and_takes_nothing_away() -> None:
    failed = json.loads(FAILED)
    records, broken = history.parse("\n".join([FAILED, BETTER_LINE, json.dumps({**failed, "failed": ["log"]})]))
    assert not broken
    assert [(one["run"], history.failures(one)) for one in records] == [("c0de" * 3, ()), (RUN, ("log",))]
    instead = {**failed, "failed": ["log"], "claims": [], "decision": "RELEASE"}
    records, _ = history.parse("\n".join([FAILED, json.dumps(instead)]))
    assert len(records) == 2
    assert "was FAIL of this very model" in past(BETTER, FAILED, json.dumps(instead)).reasons[0]
