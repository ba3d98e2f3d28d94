"""Bound differences of accuracies and of proportions."""
