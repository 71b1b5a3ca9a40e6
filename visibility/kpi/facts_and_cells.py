"""Write KPI facts of folded orders, and update the KPI cells: their sums by day and dimension."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from django.db import connection, transaction

from visibility.db import bulk
from visibility.db.lock_keys import LockKey
from visibility.kpi import kpi_cell_sql
from visibility.kpi.dimensions import DEFINITIONS, Dimension, order_dimension_values
from visibility.kpi.kpi import Kpi, KpiMeasurement
from visibility.kpi.record_kpi_errors_and_retry import (
    InvalidMeasurement,
    check_measurement,
    replace_kpi_failures,
)
from visibility.kpi.registered_kpi_sql_parameters import registered_kpi_sql_parameters
from visibility.kpi.registry import kpi_registry
from visibility.storage.organization import organization_time_zone
from visibility.timeline import Timeline

# The columns of a fact and their types; `uncountable` is sent as text.
FACT_COLUMNS: Mapping[str, str] = {
    "order_id": "bigint",
    "kpi": "text",
    "subject_key": "text",
    "version": "int",
    "day": "date",
    **dict.fromkeys(DEFINITIONS, "text"),
    "numerator": "numeric",
    "denominator": "numeric",
    "excluded": "text",
    "uncountable": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
}
_KEY = ("order_id", "kpi", "subject_key")
_VALUES = tuple(name for name in FACT_COLUMNS if name not in _KEY)
_PARAMETERS = ", ".join(
    f"%{'b' if kind == 'text' else 's'}::{kind}[]" for kind in FACT_COLUMNS.values()
)
# Replace all facts of some orders; those that stay the same are not written.
SENT_FACTS = f"""
SELECT {", ".join("uncountable::jsonb" if n == "uncountable" else n for n in FACT_COLUMNS)}
FROM unnest({_PARAMETERS}) AS f ({", ".join(FACT_COLUMNS)})
"""  # noqa: S608  # only own column names
STORED_FACTS = f"""
SELECT {", ".join(FACT_COLUMNS)} FROM visibility_kpifact WHERE order_id = ANY(%s)
"""  # noqa: S608  # only own column names
DELETE_FACTS = """
DELETE FROM visibility_kpifact fact WHERE fact.order_id = ANY(%s)
    AND NOT EXISTS (
        SELECT FROM sent_facts sent WHERE (sent.order_id, sent.kpi, sent.subject_key)
            = (fact.order_id, fact.kpi, fact.subject_key))
"""
WRITE_FACTS = f"""
INSERT INTO visibility_kpifact AS fact ({", ".join(FACT_COLUMNS)})
    SELECT * FROM (SELECT * FROM sent_facts EXCEPT SELECT * FROM stored_facts) changed
    ORDER BY order_id, kpi, subject_key
    ON CONFLICT (order_id, kpi, subject_key) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in _VALUES)}
"""  # noqa: S608  # only own column names
LOCK_CELLS = "SELECT pg_advisory_xact_lock(%s)"
# A batch of a few thousand changes keeps the lock of the cells for less than a second.
BATCH_SIZE = 5_000
RECOUNT_BATCH_SIZE = 100
DAYS_PER_CHECK = 31


def record_facts(
    timelines: Mapping[int, Timeline],
    *,
    has_failures: bool = True,
    writes: bulk.CombinedWrites | None = None,
) -> None:
    """Write the KPI facts of these orders in the caller's transaction.

    `has_failures`: whether failures may be recorded for these orders. `writes`: the statement to
    add the facts to; without it, they are written at once.

    A trigger of the table stores each fact that was added or removed, for `update_cells`. A KPI
    that raises for an order has no fact for it; the failure is recorded, and the others go on.
    """
    rows: list[tuple[Any, ...]] = []
    failures: dict[tuple[int, str], Exception] = {}
    for order_id, timeline in sorted(timelines.items()):
        for code, kpi in kpi_registry().items():
            try:
                rows += list(_kpi_fact_rows_of_order(order_id, kpi, timeline))
            except Exception as error:  # recorded for this KPI and order; the others go on
                failures[order_id, code] = error
    added = writes or bulk.CombinedWrites()
    if timelines:
        _add_fact_writes(added, sorted(timelines), rows)
    if writes is None:
        added.execute()
    if failures or has_failures:
        replace_kpi_failures(failures, timelines)


def _kpi_fact_rows_of_order(
    order_id: int, kpi: Kpi, timeline: Timeline
) -> Iterator[tuple[Any, ...]]:
    """Yield the facts of one order as values of FACT_COLUMNS; none while it is too early. Raises
    InvalidMeasurement."""
    of_order, subject_keys = order_dimension_values(timeline), set[str]()
    for result in kpi.measurements(timeline, organization_time_zone()):
        check_measurement(result)
        if result.subject_key in subject_keys:
            raise InvalidMeasurement("two of its facts have the same subject key")
        subject_keys.add(result.subject_key)
        yield kpi_fact_row(order_id, kpi, result, {**of_order, **result.dimensions})


def kpi_fact_row(
    order_id: int | None, kpi: Kpi, result: KpiMeasurement, values: Mapping[Dimension, str]
) -> tuple[Any, ...]:
    """A fact as values of FACT_COLUMNS. `values`: those of its dimensions."""
    return (
        order_id,
        kpi.code,
        result.subject_key,
        kpi.version,
        result.day,
        *(
            values.get(name, "")[: dimension.max_length] if name in kpi.dimensions else ""
            for name, dimension in DEFINITIONS.items()
        ),
        result.numerator,
        result.denominator,
        result.excluded,
        orjson.dumps(result.uncountable, option=orjson.OPT_SORT_KEYS).decode(),
        result.started_at,
        result.ended_at,
    )


def _add_fact_writes(
    writes: bulk.CombinedWrites, order_ids: Sequence[int], rows: Sequence[tuple[Any, ...]]
) -> None:
    columns = [[row[index] for row in rows] for index in range(len(FACT_COLUMNS))]
    writes.add_write_as_named_cte("sent_facts", SENT_FACTS, *columns)
    writes.add_write_as_named_cte("stored_facts", STORED_FACTS, order_ids)
    writes.add(DELETE_FACTS, order_ids)
    writes.add(WRITE_FACTS)


def load_recount_and_change_flags() -> tuple[bool, bool]:
    """Return whether recounts of days are requested, and whether fact changes must be added."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(f"SELECT {kpi_cell_sql.HAS_REQUESTS_AND_CHANGES}")
        ((has_requests, has_changes),) = cursor.fetchall()
    return has_requests, has_changes


def update_cells() -> int:
    """Bring the KPI cells up to date with the facts, one batch; return how much was done.

    First the days for which a recount was requested, then the fact changes. The statements start
    after the lock of the cells is acquired: each fact that they see has its change either in the
    cells already, or still in the table of changes.
    """
    has_requests, has_changes = load_recount_and_change_flags()
    done = recount_requested_days() if has_requests else 0
    return done or (_add_fact_changes_to_cells() if has_changes else 0)


def add_all_fact_changes(should_stop: Callable[[], bool], has_changes: bool) -> None:
    """Add all fact changes to the cells. `has_changes`: whether the caller knows that some wait."""
    while has_changes and not should_stop() and _add_fact_changes_to_cells() == BATCH_SIZE:
        pass


def recount_requested_days() -> int:
    """Sum the facts of one batch of requested days; return how many (KPI, day) pairs."""
    with transaction.atomic(), bulk.server_bound_cursor() as cursor:
        cursor.execute(kpi_cell_sql.CLAIM_RECOUNTS, [RECOUNT_BATCH_SIZE])
        days = sorted(set(cursor.fetchall()))
        if days:
            cursor.execute(LOCK_CELLS, [LockKey.KPI_CELLS])
            kpis, dates = map(list, zip(*days, strict=True))
            cursor.execute(
                kpi_cell_sql.RECOUNT_CELLS,
                {"kpis": kpis, "days": dates, **registered_kpi_sql_parameters()},
            )
    return len(days)


def _add_fact_changes_to_cells() -> int:
    """Add a batch of fact changes to the cells; return how many."""
    with transaction.atomic(), bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_CELLS, [LockKey.KPI_CELLS])
        cursor.execute(
            kpi_cell_sql.ADD_FACT_CHANGES,
            {"limit": BATCH_SIZE, **registered_kpi_sql_parameters()},
            prepare=True,
        )
        ((added, zero_cells),) = cursor.fetchall()
        if zero_cells:
            cursor.execute(kpi_cell_sql.DELETE_CELLS, [zero_cells])
    return int(added)


def request_recount_of_all_days() -> None:
    """Ask `update_cells` to sum the facts of every day again."""
    with connection.cursor() as cursor:
        cursor.execute(kpi_cell_sql.REQUEST_RECOUNT_OF_ALL_DAYS)


def find_kpi_days_with_wrong_cells() -> list[tuple[str, date]]:
    """The (KPI, day) pairs whose cells differ from a recount of their facts."""
    wrong: list[tuple[str, date]] = []
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(kpi_cell_sql.DAYS_WITH_FACTS_OR_CELLS)
        days = [row[0] for row in cursor.fetchall()]
        for start in range(0, len(days), DAYS_PER_CHECK):
            cursor.execute(
                kpi_cell_sql.FIND_WRONG_CELLS,
                {"days": days[start : start + DAYS_PER_CHECK], **registered_kpi_sql_parameters()},
            )
            wrong += cursor.fetchall()
    return wrong
