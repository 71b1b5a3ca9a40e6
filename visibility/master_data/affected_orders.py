"""Find the orders affected by a master data change and enqueue them for refolding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db import connection

from visibility.master_data.tables import MasterRowToWrite, MasterTable
from visibility.models.master import Versioned, WatchedVocabulary

# Up to this many orders are enqueued directly; more become a backfill behind live work.
DIRECT_LIMIT = 500
# The changed rows before and after the change.
CHANGED_IMAGES = """
SELECT image FROM visibility_masterchange c, LATERAL (VALUES (c.before), (c.after)) AS v (image)
WHERE c.id = ANY(%(changes)s) AND image IS NOT NULL
"""
GIVEN_IMAGES = "SELECT image FROM jsonb_array_elements(%(images)s::jsonb) AS v (image)"
TERM_BY_KEY = """
    SELECT image, '{code}' AS kind, NULL AS source, image->>'key' AS term FROM images
"""
# Columns that are derived from the entered ones.
DERIVED_COLUMNS = {"mapping": ("term",), "unit": ("item_key",), "customer": ("parent_key",)}
# The terms that each row of a table can translate.
TERMS = {
    "mapping": "SELECT image, image->>'kind' AS kind, nullif(image->>'source', '') AS source,"
    " image->>'term' AS term FROM images",
    "unit": "SELECT image, CASE WHEN image->>'item_key' = '' THEN 'unit' ELSE 'item' END AS kind,"
    " NULL AS source, CASE WHEN image->>'item_key' = '' THEN image->>'unit'"
    " ELSE image->>'item_key' END AS term FROM images",
    **{code: TERM_BY_KEY.format(code=code) for code in ("item", "location", "customer")},
}
# Two joins with UNION instead of one with OR, so that each can use its index.
AFFECTED_USAGE = """
WITH images AS MATERIALIZED ({images}), terms AS MATERIALIZED ({terms}), used AS (
    SELECT u.id, u.order_id, u.messages, u.first_at, u.last_at
    FROM terms w JOIN visibility_termusage u ON u.kind = w.kind AND u.term = w.term
    WHERE {holds}
    UNION
    SELECT u.id, u.order_id, u.messages, u.first_at, u.last_at
    FROM terms w JOIN visibility_termusage u ON u.kind = w.kind AND u.canonical = w.term
    WHERE {holds}
)
"""
VALIDITY_CONDITION = """
(w.source IS NULL OR u.source = w.source)
    AND (w.image->>'valid_from' IS NULL OR u.last_at >= (w.image->>'valid_from')::timestamptz)
    AND (w.image->>'valid_to' IS NULL OR u.first_at < (w.image->>'valid_to')::timestamptz)
"""
ENQUEUE_AFFECTED = """
, orders AS (SELECT DISTINCT order_id FROM used), counted AS (SELECT count(*) AS n FROM orders),
now AS (
    INSERT INTO visibility_refoldrequest (object_id)
    SELECT order_id FROM orders, counted WHERE n <= %(at_once)s
), later AS (
    INSERT INTO visibility_backfillrequest (object_id)
    SELECT order_id FROM orders, counted WHERE n > %(at_once)s
)
SELECT n FROM counted
"""
COUNT_AFFECTED = """
SELECT count(DISTINCT order_id), coalesce(sum(messages), 0), min(first_at), max(last_at) FROM used
"""
# All orders with events of a source.
BACKFILL_SOURCE = """
INSERT INTO visibility_backfillrequest (object_id)
SELECT DISTINCT link.object_id FROM visibility_event event
JOIN visibility_source source ON source.id = event.source_id AND source.slug = %s
JOIN visibility_eventobjectlink link
    ON link.event_id = event.id AND link.occurred_at = event.occurred_at
"""
BACKFILL_ALL = """
INSERT INTO visibility_backfillrequest (object_id)
SELECT id FROM visibility_businessobject WHERE kind = 'order' AND merged_into_id IS NULL
"""
MOVE_TO_REFOLD = """
WITH fed AS (
    DELETE FROM visibility_backfillrequest WHERE id IN (
        SELECT id FROM visibility_backfillrequest ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING object_id
)
INSERT INTO visibility_refoldrequest (object_id) SELECT DISTINCT object_id FROM fed
"""


@dataclass(frozen=True, slots=True)
class PredictedReprocessing:
    """What a change would reprocess. `whole`: also all earlier orders of the source, once."""

    orders: int
    messages: int
    first_at: datetime | None
    last_at: datetime | None
    includes_backfill: bool


def enqueue_affected_orders(table: MasterTable, changes: Sequence[int]) -> int:
    """Enqueue the orders affected by these changes, in the caller's transaction; the count."""
    if table.code not in TERMS:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _affected_usage_sql(table, CHANGED_IMAGES) + ENQUEUE_AFFECTED,
            {"changes": list(changes), "at_once": DIRECT_LIMIT},
        )
        return int(cursor.fetchone()[0])


def predict_affected_orders_and_messages(
    table: MasterTable, rows: Sequence[MasterRowToWrite], *, before: Sequence[MasterRowToWrite] = ()
) -> PredictedReprocessing:
    """What writing `rows` (in place of `before`) would reprocess."""
    images = [dict(row.values) for row in (*rows, *before)]
    if table.code not in TERMS or not images:
        return PredictedReprocessing(0, 0, None, None, includes_backfill=False)
    pairs = {table.vocabulary_kind_and_source(image) for image in images}
    backfilled = set(
        WatchedVocabulary.objects.filter(backfilled=True).values_list("kind", "source")
    )
    includes_backfill = any(
        pair not in backfilled and (pair[0], "") not in backfilled for pair in pairs
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _affected_usage_sql(table, GIVEN_IMAGES) + COUNT_AFFECTED,
            {"images": orjson.dumps(images).decode()},
        )
        orders, messages, first, last = cursor.fetchone()
    return PredictedReprocessing(orders, int(messages), first, last, includes_backfill)


def stored_row(table: MasterTable, row: Versioned) -> MasterRowToWrite:
    """A stored row as it is, also if an older release accepted what is refused today."""
    names = {"key", *(c.name for c in table.columns), *DERIVED_COLUMNS.get(table.code, ())}
    values = {name: getattr(row, name) for name in names}
    return MasterRowToWrite(
        {name: v.isoformat() if isinstance(v, datetime) else v for name, v in values.items()}
    )


def _affected_usage_sql(table: MasterTable, images: str) -> str:
    return AFFECTED_USAGE.format(images=images, terms=TERMS[table.code], holds=VALIDITY_CONDITION)


def enqueue_backfill_of_newly_watched_vocabulary() -> bool:
    """Enqueue the earlier orders of one newly watched vocabulary; False if there is none."""
    vocabulary = (
        WatchedVocabulary.objects.select_for_update(skip_locked=True)
        .filter(backfilled=False)
        .first()
    )
    if vocabulary is None:
        return False
    with connection.cursor() as cursor:
        if vocabulary.source:
            cursor.execute(BACKFILL_SOURCE, [vocabulary.source])
        else:
            cursor.execute(BACKFILL_ALL)
    WatchedVocabulary.objects.filter(pk=vocabulary.pk).update(backfilled=True)
    return True


def move_backfill_to_refold_queue(*, limit: int = DIRECT_LIMIT) -> int:
    """Move up to `most` backfill requests to the refold queue unless it is busy; the count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM visibility_refoldrequest "
            "WHERE due_at <= clock_timestamp() LIMIT %s) r",
            [limit],
        )
        if cursor.fetchone()[0] >= limit:
            return 0
        cursor.execute(MOVE_TO_REFOLD, [limit])
        return int(cursor.rowcount)
