"""Check whether a forget set of some size could certify a limit at all."""

from __future__ import annotations

from numpy.typing import ArrayLike

from pytest_unlearn.statistics.auc.auc import auc_measure
from pytest_unlearn.statistics.quantiles import normal_quantile


def can_certify(
    limit: float,
    confidence: float,
    n_forget: int,
    n_controls: int,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> bool:
    """Tell whether an observed AUC of exactly 0.5 would pass.

    PASS asks for it besides its bounds: the standard error of a handful of examples can be small by luck, that of
    exchangeable scores, (m + n + 1) / (12 m n) a stratum of m and n units, cannot. Arguments as in `auc_measure`.
    """
    design = auc_measure(
        range(n_forget),
        range(n_controls),
        forget_strata=forget_strata,
        control_strata=control_strata,
        forget_groups=forget_groups,
        control_groups=control_groups,
    )
    return 0.5 + normal_quantile(confidence) * design.null_error <= limit
