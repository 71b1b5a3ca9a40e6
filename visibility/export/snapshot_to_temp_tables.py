"""Select the orders of an export, and snapshot their objects and events to temporary tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q

from connectors.sdk.events import SHARED_KINDS
from visibility.db.lock_keys import LockKey
from visibility.models import Order
from visibility.screens.lists.list_filters import AppliedFilters
from visibility.screens.orders.order_filters import order_condition

# Maximum orders of an export over HTTP; the command line has no limit.
MAX_ORDERS = 100_000
# Maximum number of concurrent exports, of event logs and lists together.
MAX_CONCURRENT = 3
# Objects that many orders refer to are exported as objects of the selected orders' events; their
# other events concern other orders.
CREATE_OBJECTS = """
CREATE TEMPORARY TABLE export_object ON COMMIT DROP AS
WITH RECURSIVE reach (id) AS (
    SELECT id FROM export_order
    UNION
    SELECT r.child_id FROM reach JOIN visibility_objectrelation r ON r.parent_id = reach.id
)
SELECT o.id, o.kind, false AS is_shared
FROM reach JOIN visibility_businessobject o ON o.id = reach.id
UNION
SELECT o.id, o.kind, true
FROM reach JOIN visibility_eventobjectlink own ON own.object_id = reach.id
JOIN visibility_eventobjectlink link ON link.event_id = own.event_id
JOIN visibility_businessobject o ON o.id = link.object_id
WHERE o.kind = ANY(%s)
"""
# The rules of `split_superseded_events` in SQL, because an export may have millions of events: the
# highest revision of an event wins, then the earliest. Events that a winning event corrects are
# superseded, also if it concerns other orders. A test compares both.
CREATE_EVENTS = """
CREATE TEMPORARY TABLE export_event ON COMMIT DROP AS
WITH named AS (
    SELECT DISTINCT link.event_id, link.occurred_at
    FROM export_object JOIN visibility_eventobjectlink link ON link.object_id = export_object.id
    WHERE NOT export_object.is_shared
), reported AS (
    SELECT e.id, e.occurred_at, e.source_id, e.key, e.type, e.data -> 'corrects' AS corrects,
        (coalesce(e.data ->> 'revision', '') COLLATE "C", e.content_hash COLLATE "C") AS version
    FROM named JOIN visibility_event e ON e.id = named.event_id
        AND e.occurred_at = named.occurred_at
    WHERE NOT e.superseded AND e.occurred_at <= %s
), ranked AS (
    SELECT reported.*, row_number() OVER best AS rank, first_value(id) OVER best AS best_id,
        first_value(occurred_at) OVER best AS best_at,
        row_number() OVER (PARTITION BY source_id, key, version ORDER BY occurred_at, id) AS copy
    FROM reported
    WINDOW best AS (PARTITION BY source_id, key ORDER BY version DESC, occurred_at, id)
), corrected AS (
    SELECT source_id, back.key, id AS by_id, occurred_at AS by_at
    FROM ranked, jsonb_array_elements_text(corrects) AS back (key)
    WHERE rank = 1
    UNION ALL
    SELECT c.source_id, c.key, c.event_id, c.occurred_at
    FROM ranked JOIN visibility_effective_event_correction c USING (source_id, key)
    WHERE rank = 1 AND c.occurred_at <= %s
), taken_back AS (
    SELECT DISTINCT ON (source_id, key) * FROM corrected
    ORDER BY source_id, key, by_at, by_id
)
SELECT id, occurred_at, type, CASE WHEN rank > 1 THEN best_id ELSE by_id END AS by_id,
    CASE WHEN rank > 1 THEN best_at ELSE by_at END AS by_at,
    rank = 1 AND by_id IS NOT NULL AS taken_back
FROM ranked LEFT JOIN taken_back USING (source_id, key)
WHERE copy = 1
"""
SNAPSHOT_TABLES = ("export_event", "export_object", "export_order")


class TooManyOrders(ValueError):
    """The selection has more orders than the limit."""


class TooManyExports(RuntimeError):
    """Too many exports are running."""


@dataclass(frozen=True)
class OrderSelection:
    """Orders selected by list filters, by ids, and by the time of their latest event."""

    filters: AppliedFilters = field(default_factory=AppliedFilters)
    order_ids: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def order_condition(self, now: datetime) -> Q:
        """The conjunction of all criteria as a filter on Order."""
        condition = order_condition(self.filters, now)
        if self.order_ids is not None:
            condition &= Q(object_id__in=self.order_ids)
        if self.since:
            condition &= Q(last_event_at__gte=self.since)
        if self.until:
            condition &= Q(last_event_at__lt=self.until)
        return condition


@contextmanager
def snapshot_in_temporary_tables(
    selection: OrderSelection, *, now: datetime, max_orders: int | None
) -> Iterator[int]:
    """Snapshot the selected orders; the value is their number.

    Everything read inside the block sees one state of the database. The snapshot lies in temporary
    tables `export_order`, `export_object` and `export_event`. Raises TooManyOrders, TooManyExports.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        acquire_export_slot()
        cursor.execute("CREATE TEMPORARY TABLE export_order (id bigint) ON COMMIT DROP")
        count = _insert_selected_order_ids(selection, now=now, max_orders=max_orders)
        if max_orders is not None and count > max_orders:
            raise TooManyOrders(f"more than {max_orders} orders")
        cursor.execute(CREATE_OBJECTS, [sorted(SHARED_KINDS)])
        # Each chunk joins these tables: without an index it would scan them completely.
        cursor.execute("CREATE UNIQUE INDEX ON export_object (id)")
        cursor.execute("ANALYZE export_object")
        cursor.execute(CREATE_EVENTS, [now, now])
        cursor.execute("CREATE UNIQUE INDEX ON export_event (id)")
        cursor.execute("ANALYZE export_event")
        yield count
        for table in SNAPSHOT_TABLES:
            cursor.execute(f"DROP TABLE {table}")


def _insert_selected_order_ids(
    selection: OrderSelection, *, now: datetime, max_orders: int | None
) -> int:
    """Insert up to `max_orders` + 1 orders; return the number inserted."""
    selected = Order.objects.filter(selection.order_condition(now)).values("object_id")
    limited = selected[: max_orders + 1] if max_orders is not None else selected
    try:
        statement, values = limited.query.sql_with_params()
    except EmptyResultSet:  # Django knows that nothing can match
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO export_order {statement}", values)
        return int(cursor.rowcount)


def acquire_export_slot() -> None:
    """Acquire one of the export slots until the transaction ends. Raises TooManyExports."""
    with connection.cursor() as cursor:
        for slot in range(MAX_CONCURRENT):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LockKey.EXPORT_SLOT, slot])
            if cursor.fetchone()[0]:
                return
    raise TooManyExports(
        f"{MAX_CONCURRENT} exports are already running. Try again in a few minutes."
    )
