"""Which orders a change of a meaning concerns, and marking them to be folded again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db import connection

from visibility.master_data.tables import Row, Table
from visibility.models.master import Watch

# So many orders at most are marked at once; more are fed to the fold behind live work.
AT_ONCE = 500
# Images of changed rows, as they were and as they are.
CHANGED = """
SELECT image FROM visibility_masterchange c, LATERAL (VALUES (c.before), (c.after)) AS v (image)
WHERE c.id = ANY(%(changes)s) AND image IS NOT NULL
"""
IMAGES = "SELECT image FROM jsonb_array_elements(%(images)s::jsonb) AS v (image)"
NAMED = """
    SELECT image, '{code}' AS kind, NULL AS source, image->>'key' AS word FROM images
"""
# The words that a row of a table can be the meaning of.
WORDS = {
    "mapping": "SELECT image, image->>'table' AS kind, nullif(image->>'source', '') AS source,"
    " image->>'word' AS word FROM images",
    "unit": "SELECT image, CASE WHEN image->>'item_key' = '' THEN 'unit' ELSE 'item' END AS kind,"
    " NULL AS source, CASE WHEN image->>'item_key' = '' THEN image->>'unit'"
    " ELSE image->>'item_key' END AS word FROM images",
    **{code: NAMED.format(code=code) for code in ("item", "location", "customer")},
}
# Two joins and not one with OR: each finds its index.
USES = """
WITH images AS MATERIALIZED ({images}), words AS MATERIALIZED ({words}), used AS (
    SELECT u.id, u.order_id, u.messages, u.first_at, u.last_at
    FROM words w JOIN visibility_worduse u ON u."table" = w.kind AND u.word = w.word
    WHERE {holds}
    UNION
    SELECT u.id, u.order_id, u.messages, u.first_at, u.last_at
    FROM words w JOIN visibility_worduse u ON u."table" = w.kind AND u.ours = w.word
    WHERE {holds}
)
"""
HOLDS = """
(w.source IS NULL OR u.source = w.source)
    AND (w.image->>'valid_from' IS NULL OR u.last_at >= (w.image->>'valid_from')::timestamptz)
    AND (w.image->>'valid_to' IS NULL OR u.first_at < (w.image->>'valid_to')::timestamptz)
"""
MARK = """
, orders AS (SELECT DISTINCT order_id FROM used), counted AS (SELECT count(*) AS n FROM orders),
now AS (
    INSERT INTO visibility_refold (object_id)
    SELECT order_id FROM orders, counted WHERE n <= %(at_once)s
), later AS (
    INSERT INTO visibility_reread (object_id)
    SELECT order_id FROM orders, counted WHERE n > %(at_once)s
)
SELECT n FROM counted
"""
COUNT = """
SELECT count(DISTINCT order_id), coalesce(sum(messages), 0), min(first_at), max(last_at) FROM used
"""
# A source's orders before its words were looked up.
SPOKEN_OF = """
INSERT INTO visibility_reread (object_id)
SELECT DISTINCT link.object_id FROM visibility_event event
JOIN visibility_source source ON source.id = event.source_id AND source.slug = %s
JOIN visibility_eventobject link
    ON link.event_id = event.id AND link.occurred_at = event.occurred_at
"""
ALL = """
INSERT INTO visibility_reread (object_id)
SELECT id FROM visibility_businessobject WHERE kind = 'order' AND merged_into_id IS NULL
"""
FEED = """
WITH fed AS (
    DELETE FROM visibility_reread WHERE id IN (
        SELECT id FROM visibility_reread ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING object_id
)
INSERT INTO visibility_refold (object_id) SELECT DISTINCT object_id FROM fed
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would read again. `whole`: first all orders told of by its source, once."""

    orders: int
    messages: int
    first_at: datetime | None
    last_at: datetime | None
    whole: bool


def mark(table: Table, changes: Sequence[int]) -> int:
    """Mark the orders that these kept changes concern, in the caller's transaction; how many."""
    if table.code not in WORDS:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _uses(table, CHANGED) + MARK,
            {"changes": list(changes), "at_once": AT_ONCE},
        )
        return int(cursor.fetchone()[0])


def effect(table: Table, rows: Sequence[Row], *, before: Sequence[Row] = ()) -> Effect:
    """What writing these rows (in place of those) would read again."""
    images = [dict(row.values) for row in (*rows, *before)]
    if table.code not in WORDS or not images:
        return Effect(0, 0, None, None, whole=False)
    pairs = {table.words(image) for image in images}
    known = set(Watch.objects.filter(read=True).values_list("table", "source"))
    whole = any(pair not in known and (pair[0], "") not in known for pair in pairs)
    with connection.cursor() as cursor:
        cursor.execute(
            _uses(table, IMAGES) + COUNT,
            {"images": orjson.dumps(images).decode()},
        )
        orders, messages, first, last = cursor.fetchone()
    return Effect(orders, int(messages), first, last, whole)


def _uses(table: Table, images: str) -> str:
    return USES.format(images=images, words=WORDS[table.code], holds=HOLDS)


def begin_watching() -> bool:
    """For one kind of words newly looked up, mark what was told with them before."""
    new = Watch.objects.select_for_update(skip_locked=True).filter(read=False).first()
    if new is None:
        return False
    with connection.cursor() as cursor:
        if new.source:
            cursor.execute(SPOKEN_OF, [new.source])
        else:
            cursor.execute(ALL)
    Watch.objects.filter(pk=new.pk).update(read=True)
    return True


def feed(*, most: int = AT_ONCE) -> int:
    """Hand some of the waiting orders to the fold, unless it has enough to do; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM visibility_refold "
            "WHERE touched_at <= clock_timestamp() LIMIT %s) r",
            [most],
        )
        if cursor.fetchone()[0] >= most:
            return 0
        cursor.execute(FEED, [most])
        return int(cursor.rowcount)
