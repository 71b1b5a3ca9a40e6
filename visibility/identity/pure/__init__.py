"""Entity resolution without a database."""
