"""Figures of an audit of documents: losses by model, and scores of both sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pytest_unlearn.attacks.text.low_fpr import tpr_at_low_fpr
from pytest_unlearn.attacks.text.signals import mean_log_probability
from pytest_unlearn.claims.common.evidence import rounded
from pytest_unlearn.claims.common.findings import AttackFinding
from pytest_unlearn.core.figures import Cell, Figure, Histograms, Table
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores

BINS = 24


def text_figures(
    shown: AttackFinding, target: TextAnswers, original: TextAnswers | None, references: Sequence[TextAnswers]
) -> tuple[Figure, ...]:
    """Draw what an audit of documents shows besides its numbers."""
    models = {"unlearned": target} | ({} if original is None else {"original": original})
    models |= {f"retrained {k}": one for k, one in enumerate(references)}
    return _losses(models), _histogram(shown)


def caught_at_low_fpr(
    models: Mapping[str, Sequence[AttackFinding]], confidence: float, *, grouped: bool
) -> tuple[Table, ...]:
    """Tabulate the share of the request caught while 1% of controls are.

    None where there are too few controls to speak of 1%, or where documents of one person are no independent evidence.
    A few documents that are known perfectly show here, which an AUC averages away.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, findings in models.items():
        for finding in findings:
            if finding.deciding and finding.attack.signed and not finding.problem and not grouped:
                caught = tpr_at_low_fpr(finding.scores.forget, finding.scores.controls)
                if caught is not None:
                    rows.append((f"{name}, {finding.name}", *rounded(caught.at(confidence))))
    if not rows:
        return ()
    return (
        Table(
            title="Caught while 1% of controls are accused",
            caption="The share of the request that scores above all but 1% of the controls, with exact bounds given "
            "that threshold. About 1% of a model that never saw the request; what matters is the difference to "
            "retrained models. It decides nothing.",
            columns=("model and attack", "share caught", "low", "high"),
            rows=tuple(rows),
        ),
    )


def _losses(models: Mapping[str, TextAnswers]) -> Table:
    return Table(
        title="Loss on the request and on the controls",
        caption="Nats a token, averaged over documents, and the share of tokens that are the model's first guess. A "
        "model that never saw the request loses as much on it as retrained ones do.",
        columns=("model", "loss on the request", "loss on controls", "guessed of the request", "guessed of controls"),
        rows=tuple(
            (name, *(_mean(-mean_log_probability(part)) for part in _sides(one)), *map(_hits, _sides(one)))
            for name, one in models.items()
        ),
    )


def _histogram(shown: AttackFinding) -> Histograms:
    forget, controls = shown.scores.forget, shown.scores.controls
    both = np.concatenate([forget, controls])
    edges = np.linspace(float(both.min()) - 1e-9, float(both.max()) + 1e-9, BINS + 1)
    shares = [tuple(np.round(np.histogram(part, edges)[0] / len(part), 4).tolist()) for part in (forget, controls)]
    return Histograms(
        title="Scores of the request and of the controls",
        caption=f"Each document once ({shown.name}; higher is more like training data). Under perfect unlearning the "
        "two distributions coincide.",
        x_label=shown.name,
        edges=tuple(np.round(edges, 4).tolist()),
        sets=("forget set", "controls"),
        panels={"unlearned": (shares[0], shares[1])},
    )


def _sides(answers: TextAnswers) -> tuple[TokenScores, TokenScores]:
    return answers.forget, answers.controls


def _hits(scores: TokenScores) -> float:
    return _mean(scores.hit.astype(np.float64))


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return round(float(values.mean()), 4)
