"""Membership-inference attacks: outputs of models -> scores, each declared with the statistic that judges it."""
