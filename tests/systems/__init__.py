"""Checks with real systems, which are installed when they are missing: `make test-systems`."""
