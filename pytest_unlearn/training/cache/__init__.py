"""Trained models on disk, by key; nothing is ever unpickled."""
