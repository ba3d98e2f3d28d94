"""Estimate the area under the ROC curve: intervals, strata, clusters, power."""
