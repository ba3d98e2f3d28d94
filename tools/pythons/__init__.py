"""The package on every Python it is promised for, without torch: `make test-pythons`."""
