"""Training data, deletion requests and the views of them that audits read."""
