"""Checks with servers that the suite does not bring along: `make test-systems`."""
