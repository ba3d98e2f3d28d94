"""The claim that hidden layers do not recognise the forget set."""
