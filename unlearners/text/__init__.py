"""Unlearn documents from causal language models."""
