"""Whether unlearning costs less than retraining."""
