"""Arrays in, estimates out: numpy and scipy only."""

from pytest_unlearn.statistics.accuracy.gap import NewcombeMeasure, accuracy_gap
from pytest_unlearn.statistics.accuracy.paired import PairedMeasure, mcnemar, paired_difference, tango
from pytest_unlearn.statistics.accuracy.proportions import (
    ShareMeasure,
    backdoor_test_errors,
    clopper_pearson,
    newcombe,
    wilson,
)
from pytest_unlearn.statistics.auc.auc import (
    AucMeasure,
    auc,
    auc_measure,
    delong_covariance,
    delong_variance,
    null_standard_error,
    placements,
    stratified_null_standard_error,
)
from pytest_unlearn.statistics.auc.certify import can_certify
from pytest_unlearn.statistics.auc.difference import auc_difference
from pytest_unlearn.statistics.auc.power import (
    binormal_auc_variance,
    certifiable_limit,
    minimum_forget,
    power_to_certify,
    required_forget,
)
from pytest_unlearn.statistics.auc.roc import tpr_at_fprs
from pytest_unlearn.statistics.epsilon.bounds import (
    EpsilonBound,
    auc_of_epsilon,
    delta_of_mu,
    epsilon_bound,
    epsilon_ceiling,
    epsilon_gaussian,
    epsilon_of_auc,
    epsilon_of_mu,
    epsilon_of_rates,
)
from pytest_unlearn.statistics.epsilon.forgetting_quality import (
    QualityRatio,
    bins_of,
    example_epsilons,
    forgetting_quality,
    published_score,
    quality_ratio,
)
from pytest_unlearn.statistics.epsilon.per_example import ExampleBounds, epsilon_examples, told_apart
from pytest_unlearn.statistics.folds import folds, out_of_fold, rank_within_folds
from pytest_unlearn.statistics.measure import ExtremeMeasure, Measure, holm, p_value
from pytest_unlearn.statistics.quantiles import normal_quantile
from pytest_unlearn.statistics.references.band import BandMeasure, band, models_apart
from pytest_unlearn.statistics.references.difference import DifferenceMeasure, Shift, among_references, shift
from pytest_unlearn.statistics.references.rank import EmpiricalNull, empirical_null
from pytest_unlearn.statistics.residual import normal_scores, residual, tie_share
from pytest_unlearn.statistics.runs import (
    MedianMeasure,
    ModelsMeasure,
    UnitMean,
    fewest_for_median,
    median,
    needed_for_median,
    over_models,
)

__all__ = [
    "AucMeasure",
    "BandMeasure",
    "DifferenceMeasure",
    "EmpiricalNull",
    "EpsilonBound",
    "ExampleBounds",
    "ExtremeMeasure",
    "Measure",
    "MedianMeasure",
    "ModelsMeasure",
    "NewcombeMeasure",
    "PairedMeasure",
    "QualityRatio",
    "ShareMeasure",
    "Shift",
    "UnitMean",
    "accuracy_gap",
    "among_references",
    "auc",
    "auc_difference",
    "auc_measure",
    "auc_of_epsilon",
    "backdoor_test_errors",
    "band",
    "binormal_auc_variance",
    "bins_of",
    "can_certify",
    "certifiable_limit",
    "clopper_pearson",
    "delong_covariance",
    "delong_variance",
    "delta_of_mu",
    "empirical_null",
    "epsilon_bound",
    "epsilon_ceiling",
    "epsilon_examples",
    "epsilon_gaussian",
    "epsilon_of_auc",
    "epsilon_of_mu",
    "epsilon_of_rates",
    "example_epsilons",
    "fewest_for_median",
    "folds",
    "forgetting_quality",
    "holm",
    "mcnemar",
    "median",
    "minimum_forget",
    "models_apart",
    "needed_for_median",
    "newcombe",
    "normal_quantile",
    "normal_scores",
    "null_standard_error",
    "out_of_fold",
    "over_models",
    "p_value",
    "paired_difference",
    "placements",
    "power_to_certify",
    "published_score",
    "quality_ratio",
    "rank_within_folds",
    "required_forget",
    "residual",
    "shift",
    "stratified_null_standard_error",
    "tango",
    "tie_share",
    "told_apart",
    "tpr_at_fprs",
    "wilson",
]
