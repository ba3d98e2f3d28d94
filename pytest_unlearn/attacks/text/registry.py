"""List the attacks on documents by name: those that decide, and tripwires.

All are stated on the AUC scale, where 0.5 is the target, like those on classifiers. With references those decide that
take away how hard a document is: residuals of the mean log-probability, of min-k and of min-k++, and windows. A
temperature or any other monotone change of a signal hides nothing from a residual; windows see a few remembered tokens
among many.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pytest_unlearn.attacks import thresholds
from pytest_unlearn.attacks.attack import Access, Attack, Pairing, auc_of_scores
from pytest_unlearn.attacks.text.prefix import recall_residual
from pytest_unlearn.attacks.text.references import TextSignal, reference_gain, window_share
from pytest_unlearn.attacks.text.signals import mean_log_probability, min_k, min_k_plus_plus, zlib_ratio
from pytest_unlearn.attacks.text.twins import twin_difference, twin_windows
from pytest_unlearn.core.evidence import Scores
from pytest_unlearn.core.token_scores import TextAnswers

REFERENCES: tuple[Access, ...] = ("outputs", "references")
SHARED = "one evaluation of each reference, shared with all others"
_by_auc = partial(Attack, measure=auc_of_scores)
_against_references = partial(_by_auc, access=REFERENCES, cost=SHARED, least_references=1, calibrated=True)


def beside(score: Any, target: TextAnswers, references: Sequence[TextAnswers], pairing: Pairing) -> Scores:
    """Score by a function of a model's tokens and those of all references."""
    forget, controls = (
        score(getattr(target, side), [getattr(one, side) for one in references]) for side in ("forget", "controls")
    )
    return Scores(forget=forget, controls=controls, tie_share=pairing.tie_share(forget, controls))


def _residual(name: str, signal: TextSignal, source: str) -> Attack:
    return _against_references(
        name=f"{name} residual", score=partial(thresholds.reference_residual, signal), source=f"ours, after {source}"
    )


def _single(name: str, signal: TextSignal, source: str) -> Attack:
    return _by_auc(name=name, score=partial(thresholds.single_model, signal), source=source)


LOSS = _single("loss", mean_log_probability, "Yeom et al. 2018")
MIN_K = _single("min-k", min_k, "Shi et al. 2024")
MIN_K_PLUS_PLUS = _single("min-k++", min_k_plus_plus, "Zhang et al. 2024")
ZLIB = _single("zlib", zlib_ratio, "Carlini et al. 2021")
LOSS_RESIDUAL = _residual("loss", mean_log_probability, "Yeom et al. 2018")
MIN_K_RESIDUAL = _residual("min-k", min_k, "Shi et al. 2024")
MIN_K_PLUS_PLUS_RESIDUAL = _residual("min-k++", min_k_plus_plus, "Zhang et al. 2024")
LOSS_DEVIATION = _against_references(
    name="loss deviation",
    score=partial(thresholds.residual_deviation, mean_log_probability),
    signed=False,
    source="ours, after Carlini et al. 2022",
)
WINDOWS = _against_references(name="windows", score=partial(beside, window_share), source="Chen et al. 2026")
GAIN = _against_references(name="loss difference", score=partial(beside, reference_gain), source="Carlini et al. 2021")
RECALL = _against_references(
    name="ReCaLL residual",
    score=recall_residual,
    cost="a second evaluation of every model, after another text",
    source="ours, after Xie et al. 2024",
)


def text_attacks(references: bool) -> tuple[tuple[Attack, ...], tuple[Attack, ...]]:
    """Return the attacks that PASS depends on, and those that can only FAIL.

    With `references` they are those that take away how hard a document is.
    """
    if not references:
        return (LOSS, MIN_K_PLUS_PLUS), (MIN_K, ZLIB)
    deciding = (LOSS_RESIDUAL, MIN_K_RESIDUAL, MIN_K_PLUS_PLUS_RESIDUAL, WINDOWS, LOSS_DEVIATION)
    return deciding, (GAIN, LOSS, MIN_K, MIN_K_PLUS_PLUS, ZLIB)


def attacks_after_prefix(references: bool) -> tuple[tuple[Attack, ...], tuple[Attack, ...]]:
    """Return the same, and one that watches what another text before changes."""
    deciding, watching = text_attacks(references)
    return deciding, (*watching, RECALL) if references else watching


def _beside_twin(name: str, signal: TextSignal) -> tuple[Attack, Attack]:
    """Compare with the twin alone, which accuses nobody of knowing the world, and beyond what references prefer."""
    score, source = partial(twin_difference, signal), "ours, after Wilcoxon 1945"
    alone = _by_auc(name=f"{name} beside its twin", score=score, sides=("low",), calibrated=True, source=source)
    return alone, _against_references(name=f"{name} beside its twin, relative", score=score, source=source)


TWIN_LOSS, TWIN_LOSS_RELATIVE = _beside_twin("loss", mean_log_probability)
TWIN_MIN_K, TWIN_MIN_K_RELATIVE = _beside_twin("min-k", min_k)
TWIN_WINDOWS = _against_references(name="windows beside its twin", score=twin_windows, source="Chen et al. 2026")


def twin_attacks(references: bool) -> tuple[tuple[Attack, ...], tuple[Attack, ...]]:
    """Return the attacks that decide beside counterfactual twins; none watches."""
    return (TWIN_LOSS_RELATIVE, TWIN_MIN_K_RELATIVE, TWIN_WINDOWS) if references else (TWIN_LOSS, TWIN_MIN_K), ()
