"""Language models, by part: canaries that models saw and did not see, and what an audit of stored scores takes."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
from scipy import stats

from examples.text.documents import TOKENS, corpus
from examples.text.language_models import HEAVY, LIGHT
from pytest_unlearn import (
    CausalRecipe,
    SavedLogprobs,
    TextCanaries,
    TextSplit,
    UnlearningTask,
    audit_canaries_forgotten,
    audit_text_forgotten,
    plant_text_canaries,
)
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.models.text.recording import canary_views
from pytest_unlearn.models.text.scores import token_scores
from pytest_unlearn.statistics.verbatim.canary_ranks import ranks_among_rivals
from tools.judged.text import build

DRAWS = 5
UNSEEN, RIVALS = 1000, 19
CELLS = ["stored", "unseen", *(f"seen {draw}" for draw in range(DRAWS))]


def text_parts(cell: int) -> dict[str, Any]:
    """Language models, by part: 1,000 stored documents, canaries that a model never saw, and that originals saw."""
    what, _, draw = CELLS[cell].partition(" ")
    start = time.process_time()
    row = {"stored": _stored, "unseen": _unseen, "seen": _seen}[what](int(draw or 0))
    return {"what": CELLS[cell], **row, "seconds": round(time.process_time() - start, 1)}


def text_parts_rule(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Whether each part keeps to its target."""
    statements = []
    for row in rows:
        if row["what"] == "stored":
            took = row["audit"]
            statements.append((f"1,000 documents from stored log-probabilities take {took} s (at most 5)", took <= 5))
        elif row["what"] == "unseen":
            p = row["KS p-value"]
            statements.append((f"ranks of {UNSEEN:,} unseen canaries are uniform: p {p:.2g} (above .01)", p > 0.01))
        else:
            p, verdict = row["exact p-value"], row["verdict"]
            statements.append(
                (f"{row['what']}: the original has p {p:.2g} (below 1e-6), {verdict}", p < 1e-6 and verdict == "FAIL")
            )
    return statements


def _recipe(epochs: int) -> CausalRecipe:
    return CausalRecipe(build, corpus()[0], epochs, batch_size=20, learning_rate=3e-3)


def _stored(draw: int) -> dict[str, Any]:
    """400 documents of a request and 600 controls, as a server might have answered about them."""
    rng = np.random.default_rng(draw)
    ids = rng.integers(0, 1024, (1400, TOKENS)).tolist()
    split = TextSplit(ids[:800], forget=range(400), test=ids[800:])
    hard = rng.exponential(3.0, (1000, TOKENS - 1))
    models = [_answered(split, hard, rng, gain) for gain in (0.3, *[0.0] * 5)]
    task = UnlearningTask(split, original=models[0], references=models[1:5], cache_dir=tempfile.mkdtemp())
    start = time.perf_counter()
    found = audit_text_forgotten(models[5], task.forget, 0.6)
    return {"verdict": str(found.verdict), "audit": round(time.perf_counter() - start, 2)}


def _answered(split: TextSplit, hard: Any, rng: np.random.Generator, gain: float) -> SavedLogprobs:
    """A record of tokens that are as hard for all models, but for noise and what was remembered."""
    own = -np.maximum(hard + rng.normal(0, 0.5, hard.shape), 0.0)
    own[:400] = np.minimum(own[:400] + gain, 0.0)
    parts = {}
    for name, rows in (("forget", own[:400]), ("controls", own[400:])):
        count, tokens = rows.size, rows.shape[1]
        parts[name] = TokenScores(
            offsets=np.arange(0, count + 1, tokens), logprob=rows.ravel(), mean=np.full(count, -4.0),
            sd=np.full(count, 2.0), hit=rng.random(count) < 0.3, text_bytes=np.full(len(rows), 4 * tokens),
            compressed=np.full(len(rows), 3 * tokens),
        )  # fmt: skip
    asked = {"forget": split.train.given[:400], "controls": split.held_out.given}
    return SavedLogprobs(asked=asked, **parts)


def _unseen(draw: int) -> dict[str, Any]:
    """One model that saw no canary, each of 1,000 being a draw of its own."""
    recipe, documents = _recipe(LIGHT), corpus()[1][:300]
    canaries = plant_text_canaries(list(documents), count=UNSEEN, repetitions=1, rivals=RIVALS, seed=draw)
    ranks = _ranks(recipe(documents, seed=draw), canaries, recipe)
    spread = (ranks - np.random.default_rng(draw).random(len(ranks))) / (RIVALS + 1)
    return {"KS p-value": float(stats.kstest(spread, "uniform").pvalue), "mean rank": round(float(ranks.mean()), 2)}


def _ranks(model: Any, canaries: TextCanaries, recipe: CausalRecipe) -> Any:
    found = token_scores(model, recipe.encoder.encoded((canary_views(canaries)[0],)))
    table = np.add.reduceat(found.logprob, found.offsets[:-1]).reshape(-1, canaries.space)
    own = np.arange(len(table)), canaries.planted
    others = np.ones(table.shape, dtype=bool)
    others[own] = False
    return ranks_among_rivals(table[own], table[others].reshape(len(table), -1))


def _seen(draw: int) -> dict[str, Any]:
    """An original that read 20 canaries 16 times among 300 documents, 15 times over."""
    recipe, documents = _recipe(HEAVY), corpus()[1][:300]
    canaries = plant_text_canaries(list(documents), seed=draw)
    original = recipe(canaries.documents, seed=draw)
    found = audit_canaries_forgotten(
        original, canaries, original=original, references=[], tokenizer=recipe.tokenizer, require_controls=False
    )
    return {"verdict": str(found.verdict), "exact p-value": float(found.figures[0].rows[0][-1])}  # type: ignore[union-attr]
