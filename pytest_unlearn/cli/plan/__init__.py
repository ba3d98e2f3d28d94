"""`python -m pytest_unlearn plan`: what a suite will train, what it can certify, how long it takes."""
