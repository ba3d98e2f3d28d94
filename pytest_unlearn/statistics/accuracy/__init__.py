"""Differences of accuracies and proportions, with their intervals."""
