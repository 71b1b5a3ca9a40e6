"""What a file would do: rows added, changed, unchanged; and those that can't be taken, why."""

from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Max

from visibility.master_data.tables import TABLES, Table
from visibility.models.imports import ImportRow, ImportState, MasterImport

FRESH = """
WITH fresh AS (
    SELECT s.number AS n, r.* FROM visibility_importrow s,
        jsonb_populate_record(NULL::{table}, s.values) AS r
    WHERE s.of_id = %(of)s AND s.verdict = '' AND s.number BETWEEN %(first)s AND %(last)s
)
"""
# Two rows of the file, of one name and at the same time: the later one is told.
TWICE = """
UPDATE visibility_importrow g SET verdict = 'invalid', reason = CASE WHEN f.again
    THEN 'says again what row ' || f.first || ' says'
    ELSE 'holds at the same time as row ' || f.first || ': give that a valid_to' END
FROM (
    SELECT DISTINCT ON (later.number) later.number AS n, first.number AS first,
        first.values->>'valid_from' IS NOT DISTINCT FROM later.values->>'valid_from' AS again
    FROM visibility_importrow later JOIN visibility_importrow first
        ON first.of_id = later.of_id AND first.key = later.key AND first.number < later.number
    WHERE later.of_id = %(of)s AND later.number BETWEEN %(first)s AND %(last)s
        AND later.verdict = '' AND first.verdict = ''
        AND tstzrange((first.values->>'valid_from')::timestamptz,
                (first.values->>'valid_to')::timestamptz)
            && tstzrange((later.values->>'valid_from')::timestamptz,
                (later.values->>'valid_to')::timestamptz)
    ORDER BY later.number, first.number
) AS f
WHERE g.of_id = %(of)s AND g.number = f.n
"""
# A row that is there already holds at the same time, and will not be ended by this one.
OVERLAPS = """
{fresh}
UPDATE visibility_importrow g SET verdict = 'invalid', reason =
    'holds at the same time as what is valid from '
    || coalesce(to_char(t.valid_from AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'ever') || ': say valid_to'
FROM fresh f JOIN {table} t ON t.key = f.key
    AND t.valid_from IS DISTINCT FROM f.valid_from
    AND tstzrange(t.valid_from, t.valid_to) && tstzrange(f.valid_from, f.valid_to)
    AND NOT (t.valid_to IS NULL AND f.valid_to IS NULL AND f.valid_from IS NOT NULL
        AND (t.valid_from IS NULL OR t.valid_from < f.valid_from))
    AND NOT EXISTS (
        SELECT 1 FROM visibility_importrow o WHERE o.of_id = %(of)s AND o.key = t.key
            AND o.verdict <> 'invalid'
            AND (o.values->>'valid_from')::timestamptz IS NOT DISTINCT FROM t.valid_from
    )
WHERE g.of_id = %(of)s AND g.number = f.n
"""
UNKNOWN_SOURCE = """
UPDATE visibility_importrow SET verdict = 'invalid', reason = 'there is no source of this slug'
WHERE of_id = %(of)s AND number BETWEEN %(first)s AND %(last)s AND verdict = ''
    AND values->>'source' <> ''
    AND values->>'source' NOT IN (SELECT slug FROM visibility_source)
"""
UNKNOWN_CALENDAR = """
UPDATE visibility_importrow SET verdict = 'invalid', reason = 'there is no calendar of this code'
WHERE of_id = %(of)s AND number BETWEEN %(first)s AND %(last)s AND verdict = ''
    AND values->>'calendar' <> ''
    AND values->>'calendar' NOT IN (SELECT code FROM visibility_workcalendar)
"""
VERDICTS = """
{fresh}
UPDATE visibility_importrow g SET verdict = CASE WHEN t.id IS NULL THEN 'added'
    WHEN ROW({told}) IS DISTINCT FROM ROW({said}) THEN 'changed' ELSE 'unchanged' END
FROM fresh f LEFT JOIN {table} t
    ON t.key = f.key AND t.valid_from IS NOT DISTINCT FROM f.valid_from
WHERE g.of_id = %(of)s AND g.number = f.n
"""
COUNTS = """
SELECT count(*) FILTER (WHERE verdict = 'added'), count(*) FILTER (WHERE verdict = 'changed'),
    count(*) FILTER (WHERE verdict = 'unchanged'), count(*) FILTER (WHERE verdict = 'invalid')
FROM visibility_importrow WHERE of_id = %(of)s
"""
EXTRA = {"mapping": (UNKNOWN_SOURCE,), "location": (UNKNOWN_CALENDAR,)}


def judge(found: MasterImport, *, rows: int) -> Iterator[None]:
    """Write each row's verdict and the counts; `rows`: so many of them at a time."""
    table = TABLES[found.table]
    with connection.cursor() as cursor:
        # The planner has to know what was just copied, or it reads the whole file for each piece.
        cursor.execute("ANALYZE visibility_importrow")
    last = ImportRow.objects.filter(of=found).aggregate(last=Max("number"))["last"] or 0
    # All of one step before the next: a row is compared with rows anywhere in the file.
    for statement in (TWICE, *EXTRA.get(table.code, ()), OVERLAPS, VERDICTS):
        for first in range(1, last + 1, rows):
            span = {"of": found.pk, "first": first, "last": first + rows - 1}
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_for(statement, table), span)
            yield
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"of": found.pk})
        added, changed, unchanged, invalid = cursor.fetchone()
    MasterImport.objects.filter(pk=found.pk, state=ImportState.READING).update(
        added=added, changed=changed, unchanged=unchanged, invalid=invalid
    )


def _for(statement: str, table: Table) -> str:
    names = [f'"{name}"' for name in table.stored]
    return statement.format(
        fresh=FRESH.format(table=table.db_table),
        table=table.db_table,
        told=", ".join(f"t.{name}" for name in names),
        said=", ".join(f"f.{name}" for name in names),
    )
