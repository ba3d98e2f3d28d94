"""Adversarial deletion requests: describe them, search for the one a method fails on, make it small, confirm it."""
