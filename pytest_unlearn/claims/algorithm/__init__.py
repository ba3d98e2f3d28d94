"""The claim that a method forgets, judged over many runs and requests."""
