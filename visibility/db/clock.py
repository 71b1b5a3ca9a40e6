"""The one clock: the database's."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The database's time, aware UTC, now (not when the transaction began)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    found: datetime = row[0]
    return found
