"""Score documents by what a language model thinks of their tokens."""
