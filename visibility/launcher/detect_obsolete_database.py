"""Recognize a database whose layout this version cannot use."""

from typing import Protocol

# Version 0.2 replaced all earlier migrations. Every older database has recorded this one.
FIRST_OBSOLETE_MIGRATION = "0001_first"
OBSOLETE_LAYOUT = (
    "This data was written by a version before 0.2, whose database layout is incompatible: to keep "
    "its messages, run the old version again and export them with its commands `facts` and "
    "`export`, or start over with an empty database, for an embedded one with "
    "`python3 manage.py up --fresh`."
)
HAS_MIGRATION_TABLE = "SELECT to_regclass('django_migrations') IS NOT NULL"
HAS_OBSOLETE_MIGRATION = """
SELECT EXISTS (SELECT 1 FROM django_migrations WHERE app = 'visibility' AND name = %s)
"""


class SqlCursor(Protocol):
    """The common interface of psycopg and Django cursors."""

    def execute(self, query: str, params: list[str], /) -> object: ...

    def fetchone(self) -> tuple[bool] | None: ...


def has_obsolete_layout(cursor: SqlCursor) -> bool:
    """Return whether a version before 0.2 created the database."""
    cursor.execute(HAS_MIGRATION_TABLE, [])
    if cursor.fetchone() != (True,):
        return False
    cursor.execute(HAS_OBSOLETE_MIGRATION, [FIRST_OBSOLETE_MIGRATION])
    return cursor.fetchone() == (True,)
