"""SQL that inserts, updates, ends or deletes master data rows and records each in the history."""

from typing import Any

from django.db import connection

from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.tables import MasterTable

# A row is identified by its key and `valid_from`.
SAME_KEY_AND_START = "t.key = f.key AND t.valid_from IS NOT DISTINCT FROM f.valid_from"
FRESH_ROWS = """
WITH fresh AS MATERIALIZED (
    SELECT s.n, r.* FROM ({source}) AS s, jsonb_populate_record(NULL::{table}, s.values) AS r
)
"""
INSERT_CHANGES = """
INSERT INTO visibility_masterchange
    ("table", row, version, action, at, user_id, origin, before, after)
SELECT %(code)s, done.id, done.version, {action}, %(now)s, %(user)s, %(origin)s, {before}, {after}
"""
# An open-ended row ends where a later open-ended row of the same key begins.
END_ROWS = """
{fresh}, old AS (
    SELECT t.*, (
        SELECT min(f.valid_from) FROM fresh f WHERE f.key = t.key AND f.valid_to IS NULL
            AND (t.valid_from IS NULL OR f.valid_from > t.valid_from)
    ) AS ends
    FROM {table} t
    WHERE t.key IN (SELECT key FROM fresh WHERE valid_from IS NOT NULL) AND t.valid_to IS NULL
        AND NOT EXISTS (SELECT 1 FROM fresh f WHERE {match})
), done AS (
    UPDATE {table} t SET valid_to = old.ends, version = t.version + 1, changed_at = %(now)s,
        changed_by_id = %(user)s
    FROM old WHERE t.id = old.id AND old.ends IS NOT NULL RETURNING t.*
)
{record_change} FROM done JOIN old ON old.id = done.id RETURNING id
"""
UPDATE_ROWS = """
{fresh}, old AS (
    SELECT t.*, f.n FROM {table} t JOIN fresh f ON {match}
    WHERE ROW({current}) IS DISTINCT FROM ROW({given})
), done AS (
    UPDATE {table} t SET ({stored}) = ROW({given}), version = t.version + 1,
        changed_at = %(now)s, changed_by_id = %(user)s
    FROM fresh f JOIN old ON old.n = f.n WHERE t.id = old.id RETURNING t.*
)
{record_change} FROM done JOIN old ON old.id = done.id RETURNING id
"""
INSERT_ROWS = """
{fresh}, done AS (
    INSERT INTO {table} ({stored}, version, changed_at, changed_by_id)
    SELECT {given}, 1, %(now)s, %(user)s FROM fresh f
    WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {match}) ORDER BY f.n RETURNING *
)
{record_change} FROM done RETURNING id
"""
DELETE_ROW = """
WITH done AS (DELETE FROM {table} WHERE id = %(id)s RETURNING *)
{record_change} FROM done RETURNING id
"""
CHANGE_VALUES = {
    END_ROWS: ("'ended'", "to_jsonb(old) - 'ends'", "to_jsonb(done)"),
    UPDATE_ROWS: ("'changed'", "to_jsonb(old) - 'n'", "to_jsonb(done)"),
    INSERT_ROWS: ("'added'", "NULL", "to_jsonb(done)"),
    DELETE_ROW: ("'removed'", "to_jsonb(done)", "NULL"),
}


def write_rows_and_return_history_ids(
    statement: str,
    table: MasterTable,
    source: str,
    parameters: dict[str, Any],
    *,
    context: ChangeContext,
    match: str = SAME_KEY_AND_START,
) -> list[int]:
    """Run one of the statements; return the ids of the history entries."""
    names = [f'"{name}"' for name in table.columns_written_from_values]
    action, before, after = CHANGE_VALUES[statement]
    sql = statement.format(
        fresh=FRESH_ROWS.format(source=source, table=table.db_table),
        record_change=INSERT_CHANGES.format(action=action, before=before, after=after),
        table=table.db_table,
        match=match,
        stored=", ".join(names),
        current=", ".join(f"t.{name}" for name in names),
        given=", ".join(f"f.{name}" for name in names),
    )
    common: dict[str, Any] = {
        "code": table.code,
        "now": context.now,
        "user": context.user.pk if context.user else None,
        "origin": context.origin,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, common | parameters)
        return [row[0] for row in cursor.fetchall()]
