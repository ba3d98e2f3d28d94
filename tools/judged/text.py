"""Language models by `standard`: tiny GPT-2s trained on docstrings, heavily or lightly, and what pretends to unlearn.

A world is one draw of documents with its own tokenizer, an original and six models retrained without the request. Each
of five of these is judged by the other four, so that a draw gives five honest models for six trainings; the sixth is
what an adapter toggle shows. All models of a draw are compared with the same documents. Decoys are of heavy originals.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from examples.text.documents import TOKENS, VOCABULARY, corpus
from examples.text.language_models import HEAVY, LIGHT
from examples.text.methods import FineTune, GradientAscent
from pytest_unlearn import (
    CausalRecipe,
    Evidence,
    TextSplit,
    UnlearningTask,
    Verdict,
    audit_release,
    audit_text_residual,
)
from pytest_unlearn.claims.text.residual import GENTLY
from pytest_unlearn.cli.plan.power import design
from pytest_unlearn.models.text.changes import TrainedFurther
from pytest_unlearn.training.causal import Descent
from unlearners.text.decoys import (
    AdapterToggle,
    Collapse,
    RefusalWrapper,
    SystemPrompt,
    TextLogitMask,
    TextOutputFilter,
)
from unlearners.text.grad_diff import GradDiff
from unlearners.text.npo import NPO

DRAWS = 20
FORGET, RETAIN, CONTROLS = 120, 200, 240
CONFIDENCE, MAX_DROP = 0.95, 0.1
JUDGED, BESIDE = 5, 4  # retrained models that are judged, each by so many others
ROOM = 64  # tokens that prompts and other texts may take before a document
UNTUNED = {"lr": 5e-4, "epochs": 6, "batch_size": 20}  # as for the pilot, on no grounds
HONEST, REVIVED, ORIGINAL = "retrained", "gradient ascent, one benign epoch", "original"
BENIGN = "one benign epoch"
LEAKS = ("fine-tune", "GradDiff", "NPO")
DECOYS = ("refusal", "output filter", "logit mask", "system prompt", "adapter toggle", "logits / 20", "gradient ascent")


@dataclass(frozen=True)
class World:
    """How long models are trained, and with which draw of documents."""

    name: str
    epochs: int
    draw: int


CELLS = [World(name, epochs, draw) for draw in range(DRAWS) for name, epochs in (("heavy", HEAVY), ("light", LIGHT))]


def build() -> Any:
    """Make an untrained model of 177,000 parameters."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"vocab_size": VOCABULARY, "n_positions": TOKENS + ROOM, "n_embd": 64, "n_layer": 2, "n_head": 4}
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(**sizes, **dropout, bos_token_id=0, eos_token_id=0))


class Models:
    """The models of a world, and the tasks in which each retrained one is judged by others."""

    def __init__(self, world: World, folder: str) -> None:
        self.folder = folder
        tokenizer, documents = corpus(world.draw)
        trained = FORGET + RETAIN
        self.recipe = CausalRecipe(build, tokenizer, world.epochs, batch_size=20, learning_rate=3e-3)
        self.split = TextSplit(documents[:trained], forget=range(FORGET), test=documents[trained : trained + CONTROLS])
        self.prompt = tuple(self.recipe.encoder.tokenizer.encode(documents[trained + CONTROLS]).ids[:8])
        whole = UnlearningTask(self.split, self.recipe, references=0, cache_dir=folder)
        first = 10_000 * world.draw
        self.original = self.recipe(whole.split.train.given, seed=first)
        self.retrained = [self.recipe(whole.retain, seed=first + 1000 + k) for k in range(JUDGED + 1)]
        self._known: dict[int, Any] = {}

    def beside(self, *numbers: int) -> UnlearningTask:
        """A task whose references are these; what models have answered is known to all such tasks."""
        references = [self.retrained[k] for k in numbers]
        task = UnlearningTask(
            self.split, self.recipe, original=self.original, references=references, cache_dir=self.folder
        )
        self._known = {**task.models.kept, **self._known}
        task.models.kept.update(self._known)
        return task

    @functools.cached_property
    def task(self) -> UnlearningTask:
        """The task of all models that saw the request."""
        return self.beside(*range(BESIDE))

    def unlearned(self) -> dict[str, Callable[..., Any]]:
        """What makes a model of the original, untuned methods and decoys, by name."""
        own = {"tokenizer": self.recipe.tokenizer}
        return {
            "fine-tune": FineTune(self.recipe),
            "GradDiff": GradDiff(**own, **UNTUNED, forget_weight=0.5),
            "NPO": NPO(**own, **UNTUNED),
            "refusal": RefusalWrapper(**own, refusal=self.prompt),
            "output filter": TextOutputFilter(**own),
            "logit mask": TextLogitMask(**own),
            "system prompt": SystemPrompt(**own, prompt=self.prompt),
            "adapter toggle": AdapterToggle(**own, base=self.retrained[JUDGED]),
            "logits / 20": Collapse(**own),
            "gradient ascent": GradientAscent(self.recipe),
        }


def text(cell: int) -> dict[str, Any]:
    """Language models by `standard` at what `plan` advises: honest ones are released, what remembers is not."""
    with tempfile.TemporaryDirectory() as folder:
        return _draw(CELLS[cell], folder)


def _draw(world: World, folder: str) -> dict[str, Any]:
    start = time.process_time()
    models = Models(world, folder)
    trained = time.process_time() - start
    limit = -(-design(models.task).request.likely_limit(CONFIDENCE) // 0.01) / 100
    row: dict[str, Any] = {"world": world.name, "draw": world.draw, "limit": limit, "max_drop": MAX_DROP}
    row[ORIGINAL] = judged(models.original, models.task, limit)
    row[HONEST], treated_alike = [], []
    for k in range(JUDGED):
        task = models.beside(*(other for other in range(JUDGED) if other != k))
        row[HONEST].append(judged(models.retrained[k], task, limit))
        treated_alike.append(benign(models, models.retrained[k], task, limit))
    for name, method in models.unlearned().items():
        if world.name == "light" and name in DECOYS:
            continue
        made = method(models.original, models.task.retain, models.task.forget, seed=world.draw)
        row[name] = judged(made, models.task, limit)
        if name == "gradient ascent":
            row[REVIVED] = benign(models, made, models.task, limit)
    row[f"{HONEST}, one benign epoch"] = treated_alike
    row["seconds"] = f"{time.process_time() - start:.0f} of one core, {trained:.0f} of them of training"
    return row


def judged(model: Any, task: UnlearningTask, limit: float) -> str:
    """`released: text_forgotten PASS, ...; least limits .61, .63; drop .012 [-.010, .034]`.

    Where a claim of `quick` is FAIL or INVALID nothing else is asked: what it would come to changes nothing.
    """
    found = audit_release(model, task, "quick", max_mia_auc=limit, max_drop=MAX_DROP)
    if not any(one.verdict in (Verdict.FAIL, Verdict.INVALID) for one in found.values()):
        found = audit_release(model, task, "standard", max_mia_auc=limit, max_drop=MAX_DROP)
    words = [f"{name} {'NOT TESTABLE' if one.not_testable and not one.required else one.verdict}"
             for name, one in found.items()]  # fmt: skip
    least = ", ".join(
        f"{least_limit(found[name]):.3f}" for name in ("text_forgotten", "text_residual") if name in found
    )
    drop = found["text_utility"].estimate
    released = "released" if all(one.proven for one in found.values()) else "withheld"
    return (
        f"{released}: {', '.join(words)}; least limits {least}; drop {drop.value:.3f} [{drop.low:.3f}, {drop.high:.3f}]"
    )


def least_limit(found: Evidence) -> float:
    """The least limit that all deciding attacks are within, whatever else withholds a PASS."""
    bounds = [(found.attacks[name], name.endswith("deviation")) for name in found.deciding]
    return max((max(one.high, 1 - (one.value if one_sided else one.low)) for one, one_sided in bounds), default=1.0)


def benign(models: Models, model: Any, task: UnlearningTask, limit: float) -> str:
    """The verdict on copies after one epoch on retained documents alone."""
    recipe = models.recipe
    steps = Descent(epochs=1, batch_size=recipe.batch_size, learning_rate=GENTLY * recipe.learning_rate)
    change = TrainedFurther(recipe.encoder.encoded((task.retain,)), steps)
    found = audit_text_residual(model, task.forget, limit, changes={BENIGN: change})
    shown = ", ".join(f"{name.partition(': ')[2]} {found.attacks[name].value:.3f}" for name in found.deciding)
    return f"{found.verdict}: {shown}"


def text_rule(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """The targets, over as many draws as are measured; shares where fewer are than they speak of."""
    statements = []
    for name, least in (("heavy", 1.0), ("light", 0.9)):
        mine = [row for row in rows if row["world"] == name]
        if mine:
            statements += _of_leaks(name, mine, least) + _of_honest(name, mine)
    honest = [line for row in rows for line in row[HONEST]]
    wronged = sum(_caught(line) for line in honest)
    statements.append(
        (
            f"retrained FAIL or INVALID {wronged} of {len(honest)} (at most 1 of 200)",
            wronged <= max(1, len(honest) // 200),
        )
    )
    alike = [line for row in rows for line in row[f"{HONEST}, {BENIGN}"]]
    wronged = sum(_caught(line) for line in alike)
    statements.append(
        (f"retrained, {BENIGN}: FAIL or INVALID {wronged} of {len(alike)} (at most 1 of 100)",
         wronged <= max(1, len(alike) // 100))
    )  # fmt: skip
    slowest = max(int(row["seconds"].split()[0]) for row in rows)
    statements.append((f"the dearest draw takes {slowest} s of one core (at most 240)", slowest <= 240))
    return statements


def _of_leaks(name: str, rows: list[dict[str, Any]], least: float) -> list[tuple[str, bool]]:
    """The original and untuned methods are caught, no leak and no decoy is ever released."""
    n, statements = len(rows), []
    shares = {ORIGINAL: least, **dict.fromkeys(LEAKS, 0.95 if name == "heavy" else 0.0)}
    for kind, share in shares.items():
        failed = sum("FAIL" in row[kind] for row in rows)
        asked = f" (at least {share:.0%})" if share else ""
        statements.append((f"{name}: {kind} FAIL {failed} of {n}{asked}", failed >= share * n))
    for kind in (ORIGINAL, *LEAKS, *(DECOYS if name == "heavy" else ())):
        released = sum(row[kind].startswith("released") for row in rows)
        statements.append((f"{name}: {kind} released {released} of {n} (never)", released == 0))
    if name == "heavy":
        failed = sum(row[REVIVED].startswith("FAIL") for row in rows)
        statements.append((f"{name}: {REVIVED} FAIL {failed} of {n} (all)", failed == n))
    return statements


def _of_honest(name: str, rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    lines = [line for row in rows for line in row[HONEST]]
    released = sum(line.startswith("released") for line in lines)
    return [(f"{name}: retrained released {released} of {len(lines)} (at least 90%)", released >= 0.9 * len(lines))]


def _caught(line: str) -> bool:
    return "FAIL" in line or "INVALID" in line
