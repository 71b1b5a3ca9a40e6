"""NetSuite."""
