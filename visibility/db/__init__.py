"""SQL helpers: bulk statements, the database clock, the change feed."""
