"""Many orders quickly: some are told to the product itself, the others are copies of their rows.

A template's numbers carry its token (`T000017`), and its times that number as microseconds; a copy
has another number in both. So a copy's rows are those the product would have written, whatever it
writes, and times differ by less than a second. Their messages are gone, as retention leaves it.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from tests.bench import course
from tests.bench.drain import put
from visibility.alerts.sweep import sweep
from visibility.db.clock import database_now
from visibility.kpi import aggregate
from visibility.pipeline.stages import advance

DAYS = 90
MOST = 1_000_000
OWN = "(SELECT link.object_id FROM visibility_eventobject link WHERE link.event_id = r.id LIMIT 1)"
ALERTS = "(SELECT alert.order_id FROM visibility_alert alert WHERE alert.id = r.alert_id)"
# Each table, and the object a row belongs to.
COPIED = {
    "visibility_businessobject": "r.id",
    "visibility_identifier": "r.object_id",
    "visibility_objectrelation": "r.parent_id",
    "visibility_event": OWN,
    "visibility_eventobject": "r.object_id",
    "visibility_order": "r.object_id",
    "visibility_orderline": "r.order_id",
    "visibility_shipment": "r.order_id",
    "visibility_milestone": "r.order_id",
    "visibility_slaclock": "r.order_id",
    "visibility_kpifact": "r.order_id",
    "visibility_alert": "r.order_id",
    "visibility_alertentry": ALERTS,
}
# Columns that name rows which are copied as well.
ROWS = frozenset(
    {"id", "object_id", "order_id", "parent_id", "child_id", "event_id", "message_id", "alert_id"}
)
TOKENS = """
CREATE TABLE bench_token AS
SELECT object_id, min(substring(value FROM 'T\\d{6}')) AS token FROM visibility_identifier
WHERE value ~ 'T\\d{6}' GROUP BY object_id
"""
COLUMNS = """
SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
COPY = """
INSERT INTO {table} ({columns})
SELECT {values} FROM (
    SELECT r.*, n.k, t.token AS was,
        'T' || lpad((substring(t.token, 2)::int + n.k * {templates})::text, 6, '0') AS now
    FROM {table} r JOIN bench_token t ON t.object_id = {owner}
    CROSS JOIN generate_series({first}, {last}) AS n (k)
) r
"""
TRIGRAMS = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename LIKE 'visibility\\_%%' AND indexdef LIKE '%%gin_trgm_ops%%'
"""


class Filled:
    """The templates of one database, and how many copies of them there are."""

    def __init__(self, templates: int) -> None:
        self.templates = templates
        self.copies = 0
        now = database_now()
        self._tell(now)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS bench_token")
            cursor.execute(TOKENS)
            cursor.execute("ANALYZE bench_token")
            self.span = 1 + max(_largest(table) for table in COPIED)
            # What the product makes from now on stands above every copy.
            above = self.span * (MOST // templates + 1)
            for table in COPIED:
                cursor.execute(_sequence(table), {"above": above})

    def _tell(self, now: datetime) -> None:
        """Orders of the last 90 days through the real pipeline, and their breaches judged."""
        begin = course.whole_second(now)
        told = []
        for place in range(self.templates):
            # More of the last days than of the first; nothing changes by itself for an hour.
            age = int(24 * DAYS * (place / self.templates) ** 2)
            at = begin - timedelta(hours=age) + timedelta(microseconds=place)
            told += course.order(f"T{place:06}", place, at, steps=_steps(place, at, now))
        put(told)
        advance()
        while sweep(now=database_now()):
            pass
        advance()

    def grow(self, orders: int) -> int:
        """Copy until there are so many; how many there are."""
        first, last = self.copies + 1, orders // self.templates - 1
        if last >= first:
            with transaction.atomic(), connection.cursor() as cursor:
                # The rows hang together as those they are copies of do.
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
                cursor.execute(TRIGRAMS)
                indexes = cursor.fetchall()
                for name, _ in indexes:
                    cursor.execute(f"DROP INDEX {name}")
                for table, owner in COPIED.items():
                    cursor.execute(self._statement(table, owner, first, last))
                for _, definition in indexes:
                    cursor.execute(definition)
                cursor.execute(
                    "INSERT INTO visibility_dirtycell (kpi, day) "
                    "SELECT DISTINCT kpi, day FROM visibility_kpifact"
                )
            self.copies = last
            while aggregate.recompute():
                pass
        return self.templates * (self.copies + 1)

    def _statement(self, table: str, owner: str, first: int, last: int) -> str:
        with connection.cursor() as cursor:
            cursor.execute(COLUMNS, [table])
            columns = cursor.fetchall()
        return COPY.format(
            table=table,
            columns=", ".join(f'"{name}"' for name, _ in columns),
            values=", ".join(self._value(name, kind) for name, kind in columns),
            templates=self.templates,
            owner=owner,
            first=first,
            last=last,
        )

    def _value(self, name: str, kind: str) -> str:
        """A copy's value of one column."""
        column = f'r."{name}"'
        if name in ROWS:
            return f"{column} + r.k * {self.span}"
        if kind == "timestamp with time zone":
            return f"{column} + r.k * {self.templates} * interval '1 microsecond'"
        if name == "content_hash":
            return f"encode(sha256(({column} || r.k)::bytea), 'hex')"
        if kind in {"text", "jsonb", "text[]", "character varying", "character varying[]"}:
            numbers = f"replace({column}::text, r.was, r.now)"
            times = f"replace({numbers}, '.' || substring(r.was, 2), '.' || substring(r.now, 2))"
            return f"({times})::{kind}"
        return column


def _steps(place: int, at: datetime, now: datetime) -> int:
    """What has happened by now; of the old ones one in 25 was released and never shipped."""
    happened = sum(at + after <= now for after in course.AFTER)
    return min(happened, 3) if place % 25 == 9 else happened


def _largest(table: str) -> int:
    name = "object_id" if table == "visibility_order" else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max({name}), 0) FROM {table}")  # noqa: S608  # our own names
        return int(cursor.fetchone()[0])


def _sequence(table: str) -> str:
    """Move the table's sequence on; partitions and the order's own key have none by that name."""
    if table == "visibility_event":
        return "SELECT setval('visibility_event_id', %(above)s)"
    if table == "visibility_order":
        return "SELECT %(above)s"
    return f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), %(above)s)"


def settle() -> None:
    """What autovacuum would have done by now."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
