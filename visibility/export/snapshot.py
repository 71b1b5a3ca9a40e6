"""Which orders an export takes, and the picture of them it reads: every object and event once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q

from visibility.models import Order
from visibility.screens.orders.order_list import Filters, conditions

# Orders in a file that is made while a person waits; the command line has no such limit.
MOST = 100_000
# So many exports at once; any constant of our own names their turns.
AT_ONCE = 3
TURNS = 4_711_008
OBJECTS = """
CREATE TEMPORARY TABLE export_object ON COMMIT DROP AS
WITH RECURSIVE reach (id) AS (
    SELECT id FROM export_order
    UNION
    SELECT r.child_id FROM reach JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
SELECT o.id, o.kind FROM reach JOIN visibility_businessobject o ON o.id = reach.id
"""
# The same rules as the fold's: of several tellings of one fact the highest revision counts, the
# earliest of equal ones; what a counting event takes back is withdrawn.
EVENTS = """
CREATE TEMPORARY TABLE export_event ON COMMIT DROP AS
WITH named AS (
    SELECT DISTINCT link.event_id, link.occurred_at
    FROM export_object JOIN visibility_eventobject link ON link.object_id = export_object.id
), told AS (
    SELECT e.id, e.occurred_at, e.source_id, e.key, e.type, e.data -> 'corrects' AS corrects,
        (coalesce(e.data ->> 'revision', '') COLLATE "C", e.content_hash COLLATE "C") AS version
    FROM named JOIN visibility_event e ON e.id = named.event_id
        AND e.occurred_at = named.occurred_at
    WHERE NOT e.withdrawn AND e.occurred_at <= %s
), ranked AS (
    SELECT told.*, row_number() OVER best AS place, first_value(id) OVER best AS best_id,
        row_number() OVER (PARTITION BY source_id, key, version ORDER BY occurred_at, id) AS telling
    FROM told
    WINDOW best AS (PARTITION BY source_id, key ORDER BY version DESC, occurred_at, id)
), taken_back AS (
    SELECT DISTINCT ON (source_id, back.key) source_id, back.key, id AS by_id
    FROM ranked, jsonb_array_elements_text(corrects) AS back (key)
    WHERE place = 1 ORDER BY source_id, back.key, occurred_at, id
)
SELECT id, occurred_at, type, CASE WHEN place > 1 THEN best_id ELSE by_id END AS by_id,
    place = 1 AND by_id IS NOT NULL AS taken_back
FROM ranked LEFT JOIN taken_back USING (source_id, key)
WHERE telling = 1
"""
TABLES = ("export_event", "export_object", "export_order")


class TooMany(ValueError):
    """The selection has more orders than this export may have."""


class Busy(RuntimeError):
    """As many exports as may run are running."""


@dataclass(frozen=True)
class Selection:
    """Orders by what a list shows, by their ids, by the time of their latest event."""

    filters: Filters = field(default_factory=Filters)
    order_ids: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, now: datetime) -> Q:
        """As a condition on orders: all parts must hold."""
        found = conditions(self.filters, now)
        if self.order_ids is not None:
            found &= Q(object_id__in=self.order_ids)
        if self.since:
            found &= Q(last_event_at__gte=self.since)
        if self.until:
            found &= Q(last_event_at__lt=self.until)
        return found


@contextmanager
def picture(selection: Selection, *, now: datetime, most: int | None) -> Iterator[int]:
    """Hold the selected orders still; how many they are.

    One snapshot of the database for everything that is read inside, in temporary tables: `export_`
    `order`, `object` and `event`. Raises TooMany and Busy.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _take_turn()
        cursor.execute("CREATE TEMPORARY TABLE export_order (id bigint) ON COMMIT DROP")
        count = _insert_orders(selection, now=now, most=most)
        if most is not None and count > most:
            raise TooMany(f"more than {most} orders")
        cursor.execute(OBJECTS)
        # The chunks are joined with these: without an index each would read all of them.
        cursor.execute("CREATE UNIQUE INDEX ON export_object (id)")
        cursor.execute("ANALYZE export_object")
        cursor.execute(EVENTS, [now])
        cursor.execute("CREATE UNIQUE INDEX ON export_event (id)")
        cursor.execute("ANALYZE export_event")
        yield count
        for table in TABLES:
            cursor.execute(f"DROP TABLE {table}")


def _insert_orders(selection: Selection, *, now: datetime, most: int | None) -> int:
    """One more than may be where there are too many."""
    wanted = Order.objects.filter(selection.conditions(now)).values("object_id")
    limited = wanted[: most + 1] if most is not None else wanted
    try:
        statement, values = limited.query.sql_with_params()
    except EmptyResultSet:  # Django knows that nothing can match
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO export_order {statement}", values)
        return int(cursor.rowcount)


def _take_turn() -> None:
    """One of the places, until the transaction ends."""
    with connection.cursor() as cursor:
        for place in range(AT_ONCE):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [TURNS, place])
            if cursor.fetchone()[0]:
                return
    raise Busy(f"{AT_ONCE} exports are running")
