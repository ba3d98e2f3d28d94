"""Whether hidden layers still recognise the forget set."""
