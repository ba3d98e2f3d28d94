"""Arrays in, estimates out: numpy and scipy only."""

from pytest_unlearn.statistics.accuracy_gap import NewcombeMeasure, accuracy_gap
from pytest_unlearn.statistics.among_references import Shift, among_references, shift
from pytest_unlearn.statistics.auc import (
    AucMeasure,
    auc,
    auc_measure,
    delong_covariance,
    delong_variance,
    null_standard_error,
    placements,
    stratified_null_standard_error,
)
from pytest_unlearn.statistics.auc_difference import auc_difference
from pytest_unlearn.statistics.band import BandMeasure, band
from pytest_unlearn.statistics.certify import can_certify
from pytest_unlearn.statistics.difference import DifferenceMeasure
from pytest_unlearn.statistics.empirical_null import EmpiricalNull, empirical_null
from pytest_unlearn.statistics.epsilon import (
    EpsilonBound,
    auc_of_epsilon,
    epsilon_bound,
    epsilon_ceiling,
    epsilon_of_auc,
    epsilon_of_rates,
)
from pytest_unlearn.statistics.epsilon_examples import ExampleBounds, epsilon_examples, told_apart
from pytest_unlearn.statistics.epsilon_gaussian import delta_of_mu, epsilon_gaussian, epsilon_of_mu
from pytest_unlearn.statistics.epsilon_hull import epsilon_hull, epsilon_thresholds
from pytest_unlearn.statistics.epsilon_one_run import epsilon_one_run, one_run_p_value
from pytest_unlearn.statistics.extremes import ExtremeMeasure
from pytest_unlearn.statistics.folds import folds, out_of_fold, rank_within_folds
from pytest_unlearn.statistics.forgetting_quality import (
    bins_of,
    example_epsilons,
    forgetting_quality,
    published_score,
)
from pytest_unlearn.statistics.intervals import normal_quantile
from pytest_unlearn.statistics.measure import Measure, p_value
from pytest_unlearn.statistics.median import MedianMeasure, fewest_for_median, median, needed_for_median
from pytest_unlearn.statistics.multiplicity import holm
from pytest_unlearn.statistics.over_models import ModelsMeasure, over_models
from pytest_unlearn.statistics.paired import PairedMeasure, mcnemar, paired_difference, tango
from pytest_unlearn.statistics.power import (
    binormal_auc_variance,
    certifiable_limit,
    minimum_forget,
    power_to_certify,
    required_forget,
)
from pytest_unlearn.statistics.proportions import clopper_pearson, newcombe, wilson
from pytest_unlearn.statistics.quality_ratio import QualityRatio, quality_ratio
from pytest_unlearn.statistics.residual import normal_scores, residual, tie_share
from pytest_unlearn.statistics.roc import tpr_at_fprs
from pytest_unlearn.statistics.shares import ShareMeasure, backdoor_test_errors
from pytest_unlearn.statistics.single_models import models_apart
from pytest_unlearn.statistics.tpr import tpr_at_fpr
from pytest_unlearn.statistics.unit_mean import UnitMean

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
    "epsilon_hull",
    "epsilon_of_auc",
    "epsilon_of_mu",
    "epsilon_of_rates",
    "epsilon_one_run",
    "epsilon_thresholds",
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
    "one_run_p_value",
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
    "tpr_at_fpr",
    "tpr_at_fprs",
    "wilson",
]
