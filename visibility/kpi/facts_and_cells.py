"""Write KPI facts of folded orders, and update the KPI cells: their sums by day and dimension."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction

from visibility.db import bulk
from visibility.db.lock_keys import LockKey
from visibility.kpi import duration_histogram_buckets, kpi_cell_sql
from visibility.kpi.dimensions import ORDER_ATTRIBUTES
from visibility.kpi.kpi import Kpi
from visibility.kpi.record_kpi_errors_and_retry import check_measurement, replace_kpi_failures
from visibility.kpi.registry import registered_kpis_and_undelivered
from visibility.timeline import Timeline

COLUMNS = (
    "orders",
    "kpis",
    "versions",
    "days",
    "channels",
    "warehouses",
    "groups",
    "numerators",
    "denominators",
    "excluded",
    "uncountables",
)
WRITE_FACTS = """
WITH fresh AS (
    SELECT * FROM unnest(
        %(orders)s::bigint[], %(kpis)b::text[], %(versions)s::int[], %(days)s::date[],
        %(channels)b::text[], %(warehouses)b::text[], %(groups)b::text[],
        %(numerators)s::numeric[], %(denominators)s::numeric[], %(excluded)b::text[],
        %(uncountables)b::text[]
    ) AS f (order_id, kpi, version, day, channel, warehouse, customer_group,
        numerator, denominator, excluded, uncountable)
), gone AS (
    DELETE FROM visibility_kpifact fact WHERE fact.order_id = ANY(%(touched)s)
        AND NOT EXISTS (
            SELECT FROM fresh WHERE fresh.order_id = fact.order_id AND fresh.kpi = fact.kpi)
)
INSERT INTO visibility_kpifact AS fact (order_id, kpi, version, day, channel, warehouse,
        customer_group, numerator, denominator, excluded, uncountable)
    SELECT order_id, kpi, version, day, channel, warehouse, customer_group,
        numerator, denominator, excluded, uncountable::jsonb
    FROM fresh ORDER BY order_id, kpi
    ON CONFLICT (order_id, kpi) DO UPDATE SET version = excluded.version, day = excluded.day,
        channel = excluded.channel, warehouse = excluded.warehouse,
        customer_group = excluded.customer_group, numerator = excluded.numerator,
        denominator = excluded.denominator, excluded = excluded.excluded,
        uncountable = excluded.uncountable
    WHERE (fact.version, fact.day, fact.channel, fact.warehouse, fact.customer_group,
            fact.numerator, fact.denominator, fact.excluded, fact.uncountable)
        IS DISTINCT FROM (excluded.version, excluded.day, excluded.channel, excluded.warehouse,
            excluded.customer_group, excluded.numerator, excluded.denominator, excluded.excluded,
            excluded.uncountable)
"""
LOCK_CELLS = "SELECT pg_advisory_xact_lock(%s)"
# A batch of a few thousand changes keeps the lock of the cells for less than a second.
BATCH_SIZE = 5_000
RECOUNT_BATCH_SIZE = 100
DAYS_PER_CHECK = 31


def record_facts(timelines: Mapping[int, Timeline], *, has_failures: bool = True) -> None:
    """Write the KPI facts of these orders in the caller's transaction.

    `has_failures`: whether failures may be recorded for these orders.

    A trigger of the table stores each fact that was added or removed, for `update_cells`. A KPI
    that raises for an order has no fact for it; the failure is recorded, and the others go on.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    failures: dict[tuple[int, str], Exception] = {}
    for order_id, timeline in sorted(timelines.items()):
        for code, kpi in registered_kpis_and_undelivered().items():
            try:
                row = _kpi_fact_row_of_order(order_id, kpi, timeline)
            except Exception as error:  # recorded for this KPI and order; the others go on
                failures[order_id, code] = error
                continue
            if row is not None:
                for name, value in zip(COLUMNS, row, strict=True):
                    columns[name].append(value)
    _replace_facts(timelines, columns)
    if failures or has_failures:
        replace_kpi_failures(failures, timelines)


def _kpi_fact_row_of_order(order_id: int, kpi: Kpi, timeline: Timeline) -> tuple[Any, ...] | None:
    """Return the fact of one order as values of COLUMNS, or None while it is too early."""
    result = kpi.measure(timeline, settings.TIME_ZONE)
    if result is None:
        return None
    check_measurement(result)
    return (
        order_id,
        kpi.code,
        kpi.version,
        result.day,
        *(
            timeline.attributes.get(attribute, "")[:length]
            for attribute, length in ORDER_ATTRIBUTES.values()
        ),
        result.numerator,
        result.denominator,
        result.excluded,
        orjson.dumps(result.uncountable, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _replace_facts(touched: Collection[int], columns: Mapping[str, list[Any]]) -> None:
    if touched:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(WRITE_FACTS, {**columns, "touched": sorted(touched)})


def update_cells() -> int:
    """Bring the KPI cells up to date with the facts, one batch; return how much was done.

    First the days for which a recount was requested, then the fact changes. The statements start
    after the lock of the cells is acquired: each fact that they see has its change either in the
    cells already, or still in the table of changes.
    """
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(kpi_cell_sql.HAS_REQUESTS_AND_CHANGES)
        ((has_requests, has_changes),) = cursor.fetchall()
    done = _recount_requested_days() if has_requests else 0
    return done or (_add_fact_changes_to_cells() if has_changes else 0)


def _recount_requested_days() -> int:
    """Sum the facts of some requested days; return how many (KPI, day) pairs."""
    with transaction.atomic(), bulk.server_bound_cursor() as cursor:
        cursor.execute(kpi_cell_sql.CLAIM_RECOUNTS, [RECOUNT_BATCH_SIZE])
        days = sorted(set(cursor.fetchall()))
        if days:
            cursor.execute(LOCK_CELLS, [LockKey.KPI_CELLS])
            kpis, dates = map(list, zip(*days, strict=True))
            cursor.execute(
                kpi_cell_sql.RECOUNT_CELLS,
                {"kpis": kpis, "days": dates, **_duration_histogram_sql_params()},
            )
    return len(days)


def _add_fact_changes_to_cells() -> int:
    """Add a batch of fact changes to the cells; return how many."""
    with transaction.atomic(), bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_CELLS, [LockKey.KPI_CELLS])
        cursor.execute(
            kpi_cell_sql.ADD_FACT_CHANGES,
            {"limit": BATCH_SIZE, **_duration_histogram_sql_params()},
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
                {"days": days[start : start + DAYS_PER_CHECK], **_duration_histogram_sql_params()},
            )
            wrong += cursor.fetchall()
    return wrong


def _duration_histogram_sql_params() -> dict[str, Any]:
    return {
        "timed": sorted(duration_histogram_buckets.duration_kpi_codes()),
        "gamma": duration_histogram_buckets.GAMMA,
    }
