"""Board tiles, one module for each."""
