"""The claim that the forget set is relearned no faster than by references."""
