"""Planting of canaries: the training set, the request, the auditor's secrets."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from pytest_unlearn.claims.canaries.kinds.backdoor import BackdoorPlan, plant_backdoor
from pytest_unlearn.claims.canaries.kinds.gaussian import GaussianPlan, plant_gaussian
from pytest_unlearn.claims.canaries.kinds.label_pairs import PairsPlan, plant_confusion, plant_mislabelled
from pytest_unlearn.claims.canaries.planted import TrainingChange, planted_train
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.dataset import Examples

Kind = Literal["gaussian", "mislabelled", "confusion", "backdoor"]
KINDS = get_args(Kind)
COUNTS = {"gaussian": 400, "mislabelled": 300, "confusion": 120, "backdoor": 200}
OPTIONS = {"scale": "gaussian", "classes": "confusion", "triggers": "backdoor"}
TRIGGERS = 20
PROBES = 200  # retained examples whose answers show that a model's rows and columns are in order


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Canaries:
    """The planted canaries; keep them and the seed from trainer and unlearner.

    `train` is what to train on; `indices` are the canaries' positions in it, the request to hand to
    `Split(train, forget=...)`. `classes` are all labels of the training set. `plan` holds what the audit asks models
    about, `probes` some retained inputs with their labels; `train_digest` tells whether a task was built on `train`.
    """

    kind: Kind
    train: Any
    indices: IntArray
    classes: IntArray
    plan: GaussianPlan | PairsPlan | BackdoorPlan
    probes: tuple[Any, IntArray]
    train_digest: str

    def __repr__(self) -> str:
        return f"<Canaries: {len(self)} {self.kind}>"

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def held_out(self) -> tuple[Any, IntArray] | None:
        """The never-trained twins with their labels, for kinds that have twins.

        Best controls for `Split(canaries.train, forget=canaries.indices, test=test, controls=canaries.held_out)`.
        """
        return (self.plan.held_out, self.plan.labels) if isinstance(self.plan, PairsPlan) else None


def plant_canaries(
    train: Any,
    kind: Kind = "gaussian",
    *,
    count: int | None = None,
    seed: int,
    scale: float | None = None,
    classes: Sequence[int] | None = None,
    triggers: int | None = None,
) -> Canaries:
    """Plant canaries in training data, to show later whether they were forgotten.

    Call it before training. All randomness comes from `seed`, which must not be one that models are trained with and
    should be kept from whoever trains and unlearns.

    Args:
        train: a map-style dataset of `(x, y)` or a pair of arrays `(X, y)`, as for `Split`.
        kind: "gaussian": inputs moved by noise, which replace the clean ones; needs a differentiable model.
            "mislabelled": wrong labels drawn at random. "confusion": two classes' labels swapped. "backdoor": inputs
            with a secret trigger, labelled with a class drawn for it.
        count: how many rows become canaries; 400 "gaussian", 300 "mislabelled", 120 "confusion", 200 "backdoor".
            "mislabelled" and "confusion" leave as many others, their twins, out of training.
        seed: of every draw, from 0.
        scale: "gaussian": the noise's standard deviation, above 0, in units of the inputs; 1.5 times their own spread.
        classes: "confusion": the two labels to swap; the two most frequent by default.
        triggers: "backdoor": how many triggers, 20 by default; `count` rows share them.

    Returns:
        Canaries. Train on `.train` and request the deletion of `.indices`: perfect unlearning leaves no trace, and what
        is then measured is distributed exactly as chance has it.

    Raises:
        ValueError: an unknown kind, an option of another kind, inputs that are no numbers, or too few examples.

    Source: "gaussian" Pawelczyk et al. 2024, "Machine unlearning fails to remove data poisoning attacks"; the coin
        flips of "mislabelled" Steinke et al. 2023, "Privacy auditing with one (1) training run"; "confusion" Goel et
        al. 2022, "Towards adversarial evaluations for inexact machine unlearning"; "backdoor" Sommer et al. 2022,
        "Athena: Probabilistic verification of machine unlearning".
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    for name, value in (("scale", scale), ("classes", classes), ("triggers", triggers)):
        if value is not None and OPTIONS[name] != kind:
            raise ValueError(f'{name}= is for kind="{OPTIONS[name]}", not for kind="{kind}": leave it out.')
    count = COUNTS[kind] if count is None else count
    for name, number, least in (("count", count, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least:
            raise ValueError(f"{name} must be a whole number from {least}, not {number!r}.")
    examples = train if isinstance(train, Examples) else Examples(train, "train")
    # A stream of its own: default_rng(seed) may well be what the training draws from.
    rng = np.random.default_rng([int(seed), zlib.crc32(f"canaries {kind}".encode())])
    candidates = _distinct(examples)
    if kind == "gaussian":
        change = plant_gaussian(examples, candidates, count, rng, scale=scale)
    elif kind == "mislabelled":
        change = plant_mislabelled(examples, candidates, count, rng)
    elif kind == "confusion":
        change = plant_confusion(examples, candidates, count, rng, classes=classes)
    else:
        change = plant_backdoor(examples, candidates, count, rng, triggers=TRIGGERS if triggers is None else triggers)
    probes = np.sort(rng.permutation(_rest(examples, change))[:PROBES])
    planted, indices = planted_train(train, examples, change)
    return Canaries(
        kind=kind,
        train=planted,
        indices=indices,
        classes=np.unique(examples.labels),
        plan=change.plan,
        probes=(examples.inputs(probes), examples.labels[probes]),
        train_digest=_digest(examples, change),
    )


def digest_of(examples: Examples) -> str:
    """Digest exact inputs and labels, in order."""
    return hashlib.sha256(examples.digests().tobytes()).hexdigest()


def _digest(examples: Examples, change: TrainingChange) -> str:
    """Digest what will be trained on, without reading all of it again."""
    inputs = examples.inputs(change.rows) if change.inputs is None else change.inputs
    digests = examples.digests()
    digests[change.rows] = Examples((inputs, change.labels), "canaries").digests()
    if change.left_out is not None:
        digests = np.delete(digests, change.left_out)
    return hashlib.sha256(digests.tobytes()).hexdigest()


def _distinct(examples: Examples) -> IntArray:
    """List examples without an exact copy, which retain would keep in memory."""
    contents = examples.contents.tolist()
    seen = Counter(contents)
    return np.array([i for i, content in enumerate(contents) if seen[content] == 1], dtype=np.int64)


def _rest(examples: Examples, change: TrainingChange) -> IntArray:
    kept = np.ones(len(examples), dtype=bool)
    kept[change.rows] = False
    if change.left_out is not None:
        kept[change.left_out] = False
    if not kept.any():
        raise ValueError(f"canaries use up all {len(examples)} training examples: nothing is retained. Plant fewer.")
    return np.flatnonzero(kept).astype(np.int64)
