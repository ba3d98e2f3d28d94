"""`files`: a verdict from nothing but files of outputs."""
