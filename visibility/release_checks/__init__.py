"""Checks before a release: what another reading of stored messages would change."""
