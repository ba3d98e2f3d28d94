"""Language models: what they think of each token of some documents."""
