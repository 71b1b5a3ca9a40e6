"""Empty the tables after tests that commit.

Django's `flush` truncates every table and creates all permissions again, which takes ten times as
long as deleting the few rows that a test leaves.
"""

import time

from django.db import connection
from django.db.backends.utils import CursorWrapper

# Migrations and `migrate` fill these; tests do not change them.
UNCHANGED_TABLES = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "visibility_audithead",
)
WAIT_SECONDS = 10.0
OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND backend_xid IS NOT NULL
"""
# The tables with these names and those that refer to them, or all. Triggers record the deletions in
# other tables, which are therefore emptied in the next round.
FUNCTION = """
CREATE OR REPLACE FUNCTION public.test_empty_tables(names text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    tables text[];
    name text;
    has_rows boolean;
    was_clean boolean := false;
BEGIN
    WITH RECURSIVE affected (oid) AS (
        SELECT oid FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT relispartition AND (names IS NULL OR relname = ANY (names))
        UNION
        SELECT conrelid FROM pg_constraint JOIN affected ON confrelid = affected.oid
        WHERE contype = 'f'
    )
    SELECT array_agg(oid::regclass::text) INTO tables FROM affected JOIN pg_class USING (oid)
    WHERE NOT relispartition AND relname <> ALL (%(unchanged)s);
    WHILE NOT was_clean LOOP
        was_clean := true;
        FOREACH name IN ARRAY tables LOOP
            EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO has_rows;
            IF has_rows THEN
                EXECUTE 'DELETE FROM ' || name;
                was_clean := false;
            END IF;
        END LOOP;
    END LOOP;
END $$;
"""
# A table that grew beyond this is truncated: the deleted rows would slow its next readers down.
LARGE_TABLES = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 262144
    AND relname <> ALL (%s)
"""


def define_function(cursor: CursorWrapper) -> None:
    """Define `test_empty_tables` in the test database."""
    cursor.execute(FUNCTION, {"unchanged": list(UNCHANGED_TABLES)})


def empty_tables() -> None:
    """Empty all tables, and seal the empty audit log."""
    from visibility.models import AuditHead, audit

    with connection.cursor() as cursor:
        _wait_for_open_transactions(cursor)
        cursor.execute(LARGE_TABLES, [list(UNCHANGED_TABLES)])
        (large,) = cursor.fetchone()
        if large:
            cursor.execute(f"TRUNCATE {large} CASCADE")
        cursor.execute("SELECT public.test_empty_tables()")
    seal = audit.head_seal(0, 0, "")
    AuditHead.objects.update(entries=0, last_entry_id=0, digest="", seal=seal)


def _wait_for_open_transactions(cursor: CursorWrapper) -> None:
    """Wait until nobody else works in the database: TRUNCATE did so, DELETE does not."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        cursor.execute(OPEN_TRANSACTIONS)
        if cursor.fetchone() == (0,):
            return
        time.sleep(0.02)
