"""Adversarial deletion requests: described, drawn, tried, made small and confirmed."""
