"""Methods with a proof: equal to retraining, or within a certified distance of it."""
