"""The clock of the application: the time of the database."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the current time of the database (not the start of the transaction), aware, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
