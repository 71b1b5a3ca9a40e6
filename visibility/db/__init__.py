"""SQL helpers: bulk statements, lock keys, planner settings, clock, change feed."""
