"""Release the database connection of this thread before it waits for something else."""

from django.db import close_old_connections, connection


def close_connection_outside_transaction() -> None:
    """Close an idle connection; within a transaction, do nothing."""
    if not connection.in_atomic_block:
        close_old_connections()
