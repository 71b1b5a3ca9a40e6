"""Create many orders quickly: the product processes some templates, SQL copies their rows.

The identifiers of a template contain its token (`T000017`), and its timestamps have the same
number of microseconds. A copy has another number in both. The rows of a copy are therefore exactly
what the product would have written. Copies have no messages, as after retention.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from tests.bench import workload
from tests.bench.backlog import store_workload
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.kpi import facts_and_cells
from visibility.pipeline.job_functions import process_messages_and_refold

DAYS = 90
MAX_ORDERS = 1_000_000
EVENT_OBJECT = (
    "(SELECT link.object_id FROM visibility_eventobjectlink link "
    "WHERE link.event_id = r.id LIMIT 1)"
)
ALERT_ORDER = "(SELECT alert.order_id FROM visibility_alert alert WHERE alert.id = r.alert_id)"
# Table -> SQL expression for the object that a row belongs to.
OBJECT_OF_ROW = {
    "visibility_businessobject": "r.id",
    "visibility_identifier": "r.object_id",
    "visibility_objectrelation": "r.parent_id",
    "visibility_event": EVENT_OBJECT,
    "visibility_eventobjectlink": "r.object_id",
    "visibility_order": "r.object_id",
    "visibility_orderline": "r.order_id",
    "visibility_shipment": "r.order_id",
    "visibility_milestone": "r.order_id",
    "visibility_slaclock": "r.order_id",
    "visibility_kpifact": "r.order_id",
    "visibility_alert": "r.order_id",
    "visibility_alertentry": ALERT_ORDER,
}
# Columns that refer to rows which are copied as well.
REFERENCE_COLUMNS = frozenset(
    {"id", "object_id", "order_id", "parent_id", "child_id", "event_id", "message_id", "alert_id"}
)
CREATE_TOKEN_TABLE = """
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
TRIGRAM_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename LIKE 'visibility\\_%%' AND indexdef LIKE '%%gin_trgm_ops%%'
"""


class OrderDataset:
    """The template orders of one database and their copies."""

    def __init__(self, templates: int) -> None:
        self.templates = templates
        self.copies = 0
        now = database_now()
        self._store_templates(now)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS bench_token")
            cursor.execute(CREATE_TOKEN_TABLE)
            cursor.execute("ANALYZE bench_token")
            self.id_span = 1 + max(_max_id(table) for table in OBJECT_OF_ROW)
            # IDs that the product assigns from now on must be higher than those of all copies.
            above = self.id_span * (MAX_ORDERS // templates + 1)
            for table in OBJECT_OF_ROW:
                cursor.execute(_advance_sequence(table), {"above": above})

    def _store_templates(self, now: datetime) -> None:
        """Create orders of the last 90 days through the real pipeline, including their alerts."""
        start = workload.truncate_to_second(now)
        messages = []
        for index in range(self.templates):
            # Recent days have more orders. Full hours: nothing becomes due during the measurement.
            age = int(24 * DAYS * (index / self.templates) ** 2)
            at = start - timedelta(hours=age) + timedelta(microseconds=index)
            messages += workload.order_messages(
                f"T{index:06}", index, at, steps=_past_steps(index, at, now)
            )
        store_workload(messages)
        process_messages_and_refold()
        while sweep(now=database_now()):
            pass
        process_messages_and_refold()

    def grow(self, orders: int) -> int:
        """Copy the templates until there are `orders` orders; return their number."""
        first, last = self.copies + 1, orders // self.templates - 1
        if last >= first:
            with transaction.atomic(), connection.cursor() as cursor:
                # No triggers and foreign key checks: the copies are as consistent as the originals.
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
                cursor.execute(TRIGRAM_INDEXES)
                indexes = cursor.fetchall()
                for name, _ in indexes:
                    cursor.execute(f"DROP INDEX {name}")
                for table, owner in OBJECT_OF_ROW.items():
                    cursor.execute(self._statement(table, owner, first, last))
                for _, definition in indexes:
                    cursor.execute(definition)
                facts_and_cells.request_recount_of_all_days()
            self.copies = last
            while facts_and_cells.update_cells():
                pass
        return self.templates * (self.copies + 1)

    def _statement(self, table: str, owner: str, first: int, last: int) -> str:
        with connection.cursor() as cursor:
            cursor.execute(COLUMNS, [table])
            columns = cursor.fetchall()
        return COPY.format(
            table=table,
            columns=", ".join(f'"{name}"' for name, _ in columns),
            values=", ".join(self._value(table, name, kind) for name, kind in columns),
            templates=self.templates,
            owner=owner,
            first=first,
            last=last,
        )

    def _value(self, table: str, name: str, kind: str) -> str:
        """The SQL expression for one column of a copy."""
        column = f'r."{name}"'
        if (table, name) == ("visibility_kpifact", "subject_key"):  # an event id, a line or blank
            return (
                f"CASE WHEN r.kpi = 'event_delay' "
                f"THEN ({column}::bigint + r.k * {self.id_span})::text ELSE {column} END"
            )
        if name in REFERENCE_COLUMNS:
            return f"{column} + r.k * {self.id_span}"
        if kind == "timestamp with time zone":
            return f"{column} + r.k * {self.templates} * interval '1 microsecond'"
        if name == "content_hash":
            return f"encode(sha256(({column} || r.k)::bytea), 'hex')"
        if kind in {"text", "jsonb", "text[]", "character varying", "character varying[]"}:
            numbers = f"replace({column}::text, r.was, r.now)"
            times = f"replace({numbers}, '.' || substring(r.was, 2), '.' || substring(r.now, 2))"
            return f"({times})::{kind}"
        return column


def _past_steps(index: int, at: datetime, now: datetime) -> int:
    """The number of past messages. One order in 25 was released but never shipped."""
    happened = sum(at + after <= now for after in workload.STEP_DELAYS)
    return min(happened, 3) if index % 25 == 9 else happened


def _max_id(table: str) -> int:
    name = "object_id" if table == "visibility_order" else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max({name}), 0) FROM {table}")  # noqa: S608  # constant table names
        return int(cursor.fetchone()[0])


def _advance_sequence(table: str) -> str:
    """SQL that advances the ID sequence of a table; orders have none, events a named one."""
    if table == "visibility_event":
        return "SELECT setval('visibility_event_id', %(above)s)"
    if table == "visibility_order":
        return "SELECT %(above)s"
    return f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), %(above)s)"


def vacuum() -> None:
    """Vacuum and analyze, as autovacuum would have done by now."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
