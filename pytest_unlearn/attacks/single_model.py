"""Population attacks: one model's statistic on the forget set against the same statistic on the controls.

They see no difficulty of single examples, so a retrained model's AUC is not 0.5 but depends on the draw of the forget
set. Where references are at hand the references' scores are kept beside the model's, for a paired difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks.setting import Pairing, Signal
from pytest_unlearn.evidence import Answers, Scores


def single_model(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Is the statistic higher on the forget set than on the controls? Target: the references' value."""
    forget, controls = signal(target.forget), signal(target.controls)
    return Scores(
        forget=forget,
        controls=controls,
        reference_forget=np.array([signal(reference.forget) for reference in references]) if references else None,
        reference_controls=np.array([signal(reference.controls) for reference in references]) if references else None,
        tie_share=pairing.tie_share(forget, controls),
    )
