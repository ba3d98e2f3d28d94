"""The claim that unlearning costs less than retraining."""
