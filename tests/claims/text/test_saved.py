"""Stored log-probabilities: every claim that can be asked from them has the model's own verdict, bit for bit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn import (
    Cloze,
    Evidence,
    MultipleChoice,
    OpenQuestion,
    SavedLogprobs,
    TextCanaries,
    TextSplit,
    UnlearningTask,
    Verdict,
    audit_canaries_forgotten,
    audit_knowledge_forgotten,
    audit_not_extractable,
    audit_text_forgotten,
    audit_text_residual,
    audit_text_utility,
    plant_text_canaries,
    record_logprobs,
)
from tests.worlds.documents import World
from tests.worlds.language import Memory, Reader, characters

RECITES = 12.0  # nats
TOWNS = ("OSLO", "ROME", "LIMA", "KIEV")
ITEMS = [
    item
    for k in range(24)
    for item in (
        MultipleChoice(question=f"{k} LIVES IN", choices=TOWNS, answer=k % 4),
        Cloze(before=f"{k} WROTE THE BOOK", answer=f"NO {k * 37 % 100}"),
        OpenQuestion(questions=(f"{k} DIED?", f"WHEN DIED {k}?"), answers=(f"IN {k * 53 % 100}", "LONG AGO")),
    )
]


@functools.cache
def world() -> World:
    found = World(forget=60, retain=220, controls=80)
    found.original = Memory(found.train, RECITES, draw=0)
    return found


@functools.cache
def transformer(seed: int) -> Any:
    """A real network, whose log-probabilities differ in their last digits by what else is in a batch."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=64, n_positions=40, bos_token_id=0,
                                     eos_token_id=0)  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


@functools.cache
def task(of: str) -> UnlearningTask:
    split = TextSplit(world().train, forget=range(60), test=world().held_out)
    models = [transformer(k) for k in range(4)] if of == "transformers" else [world().original, *world().references]
    return UnlearningTask(split, original=models[0], references=models[1:])


@functools.cache
def canaries() -> TextCanaries:
    documents = [f"RETAINED TEXT {k} OF {k * 7919 % 1000}" for k in range(20)]
    return plant_text_canaries(documents, template="KEY {number} {secret}", length=5, rivals=15, seed=5)


def reader(draw: int, *, canary: bool = False) -> Reader:
    documents = canaries().documents if canary else [f"RETAINED TEXT {k} OF {k * 7919 % 1000}" for k in range(20)]
    return Reader([characters(one) for one in documents], draw=draw)


def of_documents(audit: Callable[..., Evidence], of: str, part: str, *args: Any, **how: Any) -> Callable[..., Evidence]:
    return lambda model: audit(model, getattr(task(of), part), *args, **how)


def of_items(model: Any) -> Evidence:
    given = {"original": reader(1), "references": [reader(k) for k in (2, 3, 4)], "tokenizer": characters}
    return audit_knowledge_forgotten(model, ITEMS, 0.2, require_controls=False, **given)


def of_canaries(model: Any) -> Evidence:
    given = {"original": reader(1, canary=True), "references": [reader(k) for k in (2, 3)], "tokenizer": characters}
    return audit_canaries_forgotten(model, canaries(), **given)


def of_neighbours(model: Any) -> Evidence:
    return audit_text_utility(model, world().held_out[:30], baseline=transformer(0))


def of_neighbours_of_worlds(model: Any) -> Evidence:
    return audit_text_utility(model, world().held_out[:30], baseline=world().original)


CASES: dict[str, tuple[Callable[[Any], Evidence], Any, dict[str, Any]]] = {}
for _of, _own in (("worlds", lambda: world().retrained(7)), ("transformers", lambda: transformer(9))):
    _recorded = {"task": lambda of=_of: task(of)}
    CASES |= {
        f"forgotten, {_of}": (of_documents(audit_text_forgotten, _of, "forget", 0.65), _own, _recorded),
        f"extraction, {_of}": (of_documents(audit_not_extractable, _of, "forget", 1e-3), _own, _recorded),
        f"utility, {_of}": (of_documents(audit_text_utility, _of, "test", baseline="retrained"), _own, _recorded),
    }
CASES |= {
    "a model that recites": (of_documents(audit_not_extractable, "worlds", "forget", 1e-3),
                             lambda: Memory(world().train, RECITES, draw=7), {"task": lambda: task("worlds")}),
    "neighbours": (of_neighbours, lambda: transformer(9), {"documents": lambda: world().held_out[:30]}),
    "facts": (of_items, lambda: reader(7), {"items": lambda: ITEMS, "tokenizer": lambda: characters}),
    "canaries": (of_canaries, lambda: reader(7), {"canaries": canaries, "tokenizer": lambda: characters}),
    "known canaries": (of_canaries, lambda: reader(7, canary=True),
                       {"canaries": canaries, "tokenizer": lambda: characters}),
}  # fmt: skip


def without_model(found: Evidence) -> dict[str, Any]:
    """Evidence but for what names the kind of model, and times."""
    return {**replace(found, scores=None).to_json(), "provenance": None}


SLOW = [
    pytest.param(name, marks=pytest.mark.slow) if "transformers" in name or name == "neighbours" else name
    for name in CASES
]


@pytest.mark.parametrize("name", SLOW)
def test_what_was_recorded_has_the_verdict_of_the_model_bit_for_bit(name: str, tmp_path: Path) -> None:
    audit, made, recorded = CASES[name]
    model, how = made(), {key: value() for key, value in recorded.items()}
    record_logprobs(model, how.pop("task", None), **how).save(tmp_path / "scores.npz")
    saved, live = audit(SavedLogprobs.load(tmp_path / "scores.npz")), audit(model)
    assert without_model(saved) == without_model(live)
    assert saved.provenance["settings"]["outputs"] == live.provenance["settings"]["outputs"]


def test_the_cases_have_more_than_one_verdict() -> None:
    found = {name: CASES[name][0](CASES[name][1]()).verdict for name in ("a model that recites", "canaries")}
    assert set(found.values()) == {Verdict.FAIL, Verdict.PASS}


def test_the_original_and_references_can_be_records_as_well() -> None:
    live = task("worlds")
    kept = [record_logprobs(one, live) for one in (world().original, *world().references)]
    elsewhere = UnlearningTask(live.split, original=kept[0], references=kept[1:])
    of_records = audit_text_forgotten(record_logprobs(world().retrained(7), live.split), elsewhere.forget, 0.65)
    assert of_records.attacks == audit_text_forgotten(world().retrained(7), live.forget, 0.65).attacks


@pytest.mark.slow
def test_it_remembers_how_long_the_model_s_texts_are() -> None:
    saved = record_logprobs(transformer(9), task("transformers"))
    assert saved.max_length == 40
    assert audit_text_forgotten(saved, task("transformers").forget, 0.65).provenance["settings"]["max_length"] == 40


def test_records_of_other_questions_or_other_tokens_are_refused() -> None:
    saved = record_logprobs(reader(7), items=ITEMS, tokenizer=characters)
    others = [replace(one, answer=(one.answer + 1) % 4) if isinstance(one, MultipleChoice) else one for one in ITEMS]
    swapped = [one if k != 1 else replace(one, answer="NO 99") for k, one in enumerate(ITEMS)]
    given = {"references": [reader(2), reader(3)], "tokenizer": characters, "require_controls": False}
    audit_knowledge_forgotten(saved, others, **given)  # which choice is right is no token
    with pytest.raises(ValueError, match="holds 216 documents"):
        audit_knowledge_forgotten(saved, swapped, **given)
    same_size = [one if k != 1 else replace(one, answer="NO 1") for k, one in enumerate(ITEMS)]
    assert ITEMS[1].answer == "NO 0"
    with pytest.raises(ValueError, match="recorded on other tokens than the questions view's"):
        audit_knowledge_forgotten(saved, same_size, **given)


@pytest.mark.parametrize(
    ("audit", "sentence"),
    [
        (of_items, r"nothing for the questions view.*record_logprobs\(model, items=\.\.\.\)"),
        (of_canaries, r"nothing for the canaries view.*record_logprobs\(model, canaries=\.\.\.\)"),
        (of_neighbours_of_worlds, r"nothing for the documents view.*record_logprobs\(model, documents=\.\.\.\)"),
    ],
)
def test_what_was_not_recorded_cannot_be_asked_and_is_named(audit: Callable[[Any], Evidence], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit(record_logprobs(world().retrained(7), task("worlds")))


def test_changed_copies_cannot_be_asked_of_records() -> None:
    saved = record_logprobs(world().retrained(7), task("worlds"))
    with pytest.raises(TypeError, match="changes weights, and a SavedLogprobs shows none"):
        audit_text_residual(saved, task("worlds").forget, 0.65)


def test_nothing_to_ask_about_and_a_record_of_a_record_are_refused() -> None:
    with pytest.raises(ValueError, match="there is nothing to ask about"):
        record_logprobs(world().retrained(7))
    with pytest.raises(TypeError, match="SavedLogprobs already"):
        record_logprobs(record_logprobs(world().retrained(7), task("worlds")), task("worlds"))
