"""The claim that every one of a sequence of deletion requests is forgotten."""
