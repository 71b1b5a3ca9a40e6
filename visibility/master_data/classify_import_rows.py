"""Validate the rows of an import: added, changed, unchanged, or invalid with the reason."""

from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Max

from visibility.master_data.tables import TABLES, MasterTable
from visibility.models.imports import ImportRow, ImportState, MasterImport

FRESH_ROWS = """
WITH fresh AS (
    SELECT s.number AS n, r.* FROM visibility_importrow s,
        jsonb_populate_record(NULL::{table}, s.values) AS r
    WHERE s.master_import_id = %(of)s AND s.verdict = '' AND s.number BETWEEN %(first)s AND %(last)s
)
"""
# Of two rows in the file with the same key and overlapping validity, the later one is invalid.
FLAG_DUPLICATES = """
UPDATE visibility_importrow g SET verdict = 'invalid', reason = CASE WHEN f.is_duplicate
    THEN 'duplicates row ' || f.first
    ELSE 'overlaps row ' || f.first || ': set valid_to in that row' END
FROM (
    SELECT DISTINCT ON (later.number) later.number AS n, first.number AS first,
        first.values->>'valid_from' IS NOT DISTINCT FROM later.values->>'valid_from' AS is_duplicate
    FROM visibility_importrow later JOIN visibility_importrow first
        ON first.master_import_id = later.master_import_id AND first.key = later.key
        AND first.number < later.number
    WHERE later.master_import_id = %(of)s AND later.number BETWEEN %(first)s AND %(last)s
        AND later.verdict = '' AND first.verdict = ''
        AND tstzrange((first.values->>'valid_from')::timestamptz,
                (first.values->>'valid_to')::timestamptz)
            && tstzrange((later.values->>'valid_from')::timestamptz,
                (later.values->>'valid_to')::timestamptz)
    ORDER BY later.number, first.number
) AS f
WHERE g.master_import_id = %(of)s AND g.number = f.n
"""
# An existing row is valid at the same time and is not ended by this one. The earliest is named.
FLAG_OVERLAPS = """
{fresh}
UPDATE visibility_importrow g SET verdict = 'invalid', reason =
    'overlaps the existing row that is valid '
    || coalesce('from ' || to_char(e.valid_from AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'from the start')
    || ': set valid_to'
FROM (
    SELECT DISTINCT ON (f.n) f.n, t.valid_from
    FROM fresh f JOIN {table} t ON t.key = f.key
        AND t.valid_from IS DISTINCT FROM f.valid_from
        AND tstzrange(t.valid_from, t.valid_to) && tstzrange(f.valid_from, f.valid_to)
        AND NOT (t.valid_to IS NULL AND f.valid_to IS NULL AND f.valid_from IS NOT NULL
            AND (t.valid_from IS NULL OR t.valid_from < f.valid_from))
        AND NOT EXISTS (
            SELECT 1 FROM visibility_importrow o WHERE o.master_import_id = %(of)s AND o.key = t.key
                AND o.verdict <> 'invalid'
                AND (o.values->>'valid_from')::timestamptz IS NOT DISTINCT FROM t.valid_from
        )
    ORDER BY f.n, t.valid_from NULLS FIRST
) AS e
WHERE g.master_import_id = %(of)s AND g.number = e.n
"""
FLAG_UNKNOWN_SOURCES = """
UPDATE visibility_importrow SET verdict = 'invalid', reason = 'unknown source'
WHERE master_import_id = %(of)s AND number BETWEEN %(first)s AND %(last)s AND verdict = ''
    AND values->>'source' <> ''
    AND values->>'source' NOT IN (SELECT slug FROM visibility_source)
"""
FLAG_UNKNOWN_CALENDARS = """
UPDATE visibility_importrow SET verdict = 'invalid', reason = 'unknown calendar'
WHERE master_import_id = %(of)s AND number BETWEEN %(first)s AND %(last)s AND verdict = ''
    AND values->>'calendar' <> ''
    AND values->>'calendar' NOT IN (SELECT code FROM visibility_workcalendar)
"""
SET_VERDICTS = """
{fresh}
UPDATE visibility_importrow g SET verdict = CASE WHEN t.id IS NULL THEN 'added'
    WHEN ROW({current}) IS DISTINCT FROM ROW({given}) THEN 'changed' ELSE 'unchanged' END
FROM fresh f LEFT JOIN {table} t
    ON t.key = f.key AND t.valid_from IS NOT DISTINCT FROM f.valid_from
WHERE g.master_import_id = %(of)s AND g.number = f.n
"""
COUNT_VERDICTS = """
SELECT count(*) FILTER (WHERE verdict = 'added'), count(*) FILTER (WHERE verdict = 'changed'),
    count(*) FILTER (WHERE verdict = 'unchanged'), count(*) FILTER (WHERE verdict = 'invalid')
FROM visibility_importrow WHERE master_import_id = %(of)s
"""
TABLE_CHECKS = {"mapping": (FLAG_UNKNOWN_SOURCES,), "location": (FLAG_UNKNOWN_CALENDARS,)}


def write_import_row_verdicts_by_chunk(master_import: MasterImport, *, rows: int) -> Iterator[None]:
    """Write each row's verdict and the counts, `rows` rows at a time; yields after each chunk."""
    table = TABLES[master_import.table]
    with connection.cursor() as cursor:
        # Without fresh statistics the planner scans the whole file for each chunk.
        cursor.execute("ANALYZE visibility_importrow")
    last = (
        ImportRow.objects.filter(master_import=master_import).aggregate(last=Max("number"))["last"]
        or 0
    )
    # Finish each step for all rows first: a row is compared with rows anywhere in the file.
    for statement in (
        FLAG_DUPLICATES,
        *TABLE_CHECKS.get(table.code, ()),
        FLAG_OVERLAPS,
        SET_VERDICTS,
    ):
        for first in range(1, last + 1, rows):
            span = {"of": master_import.pk, "first": first, "last": first + rows - 1}
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_fill_sql_template(statement, table), span)
            yield
    with connection.cursor() as cursor:
        cursor.execute(COUNT_VERDICTS, {"of": master_import.pk})
        added, changed, unchanged, invalid = cursor.fetchone()
    MasterImport.objects.filter(pk=master_import.pk, state=ImportState.READING).update(
        added=added, changed=changed, unchanged=unchanged, invalid=invalid
    )


def _fill_sql_template(statement: str, table: MasterTable) -> str:
    names = [f'"{name}"' for name in table.columns_written_from_values]
    return statement.format(
        fresh=FRESH_ROWS.format(table=table.db_table),
        table=table.db_table,
        current=", ".join(f"t.{name}" for name in names),
        given=", ".join(f"f.{name}" for name in names),
    )
