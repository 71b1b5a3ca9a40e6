"""Django's PostgreSQL backend, which applies the scope of the current context."""
