"""Recognize a database that somebody uses, which a restore must not overwrite."""

from visibility.launcher.detect_obsolete_database import SqlCursor

ROWS_OF_USE = ("auth_user", "visibility_source", "visibility_inbound_message")


def is_database_in_use(cursor: SqlCursor) -> bool:
    """Whether the database has an account, a source or a message."""
    for table in ROWS_OF_USE:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if cursor.fetchone() != (True,):
            continue
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})", [])  # noqa: S608  # only own text
        if cursor.fetchone() == (True,):
            return True
    return False
