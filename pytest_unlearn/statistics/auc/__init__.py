"""The area under the ROC curve: estimates, intervals, strata, clusters, power."""
