"""The shelf of tiles."""
