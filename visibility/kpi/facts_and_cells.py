"""Write KPI facts of folded orders, and aggregate them into KPI cells per day and dimension."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from connectors.sdk.events import Attribute
from visibility.db import bulk
from visibility.db.lock_keys import LockKey
from visibility.kpi import histogram
from visibility.kpi.kpi import Kpi
from visibility.kpi.kpi_failures import check_measurement, replace_kpi_failures
from visibility.kpi.registry import measured_kpis
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
), old AS (
    SELECT * FROM visibility_kpifact WHERE order_id = ANY(%(touched)s)
), gone AS (
    DELETE FROM visibility_kpifact fact WHERE fact.order_id = ANY(%(touched)s)
        AND NOT EXISTS (
            SELECT FROM fresh WHERE fresh.order_id = fact.order_id AND fresh.kpi = fact.kpi)
    RETURNING kpi, day
), put AS (
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
    RETURNING fact.order_id, fact.kpi, fact.day
)
INSERT INTO visibility_kpirecomputerequest (kpi, day)
SELECT kpi, day FROM put
UNION SELECT kpi, day FROM gone
UNION SELECT old.kpi, old.day FROM old JOIN put USING (order_id, kpi)
ORDER BY 1, 2
"""
CLAIM_REQUESTS = """
WITH taken AS (
    SELECT id FROM visibility_kpirecomputerequest ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM visibility_kpirecomputerequest AS request USING taken WHERE request.id = taken.id
RETURNING request.kpi, request.day
"""
LOCK_DAY = "SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))"
# `grouping` is the bitmask of GROUPING(): a set bit is a dimension that the cell sums over.
AGGREGATE_CELLS = """
WITH wanted AS (
    SELECT * FROM unnest(%(kpis)b::text[], %(days)s::date[], %(timed)s::boolean[])
        AS w (kpi, day, timed)
), fact AS (
    SELECT f.*, CASE WHEN timed AND excluded = '' AND denominator <> 0 THEN
        ceil(ln(greatest(numerator / denominator, 1)::float8) / ln(%(gamma)s::float8))::int
    END AS bucket
    FROM visibility_kpifact f JOIN wanted USING (kpi, day)
), fine AS (
    SELECT kpi, day, channel, warehouse, customer_group, excluded, bucket, NULL AS reason,
        count(*) AS n, sum(numerator) AS numerator, sum(denominator) AS denominator
    FROM fact GROUP BY 1, 2, 3, 4, 5, 6, 7
    UNION ALL
    SELECT kpi, day, channel, warehouse, customer_group, '', NULL, reason,
        sum(lines::int), NULL, NULL
    FROM fact, jsonb_each_text(uncountable) AS a (reason, lines) WHERE excluded = ''
    GROUP BY 1, 2, 3, 4, 5, 8
), part AS (
    SELECT kpi, day, GROUPING(channel, warehouse, customer_group) AS grouping,
        coalesce(channel, '') AS channel, coalesce(warehouse, '') AS warehouse,
        coalesce(customer_group, '') AS customer_group, excluded, bucket, reason,
        sum(n)::int AS n, sum(numerator) AS numerator, sum(denominator) AS denominator
    FROM fine
    GROUP BY kpi, day, excluded, bucket, reason, CUBE (channel, warehouse, customer_group)
), summed AS (
    SELECT kpi, day, grouping, channel, warehouse, customer_group,
        coalesce(sum(n) FILTER (WHERE excluded = '' AND reason IS NULL), 0) AS orders,
        coalesce(sum(numerator) FILTER (WHERE excluded = ''), 0) AS numerator,
        coalesce(sum(denominator) FILTER (WHERE excluded = ''), 0) AS denominator,
        coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{}')
            AS buckets,
        coalesce(array_agg(n ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{}') AS counts,
        coalesce(jsonb_object_agg(excluded, n) FILTER (WHERE excluded <> ''), '{}') AS excluded,
        coalesce(jsonb_object_agg(reason, n) FILTER (WHERE reason IS NOT NULL), '{}') AS uncountable
    FROM part GROUP BY kpi, day, grouping, channel, warehouse, customer_group
), gone AS (
    DELETE FROM visibility_kpicell cell USING wanted
    WHERE cell.kpi = wanted.kpi AND cell.day = wanted.day
        AND cell.grouping IN (0, 1, 2, 3, 4, 5, 6, 7) AND NOT EXISTS (
            SELECT FROM summed WHERE summed.kpi = cell.kpi AND summed.day = cell.day
                AND summed.grouping = cell.grouping AND summed.channel = cell.channel
                AND summed.warehouse = cell.warehouse
                AND summed.customer_group = cell.customer_group)
)
INSERT INTO visibility_kpicell AS cell (kpi, day, grouping, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, uncountable)
SELECT kpi, day, grouping, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, uncountable
FROM summed
ON CONFLICT (grouping, kpi, day, channel, warehouse, customer_group) DO UPDATE SET
    orders = excluded.orders, numerator = excluded.numerator,
    denominator = excluded.denominator, buckets = excluded.buckets, counts = excluded.counts,
    excluded = excluded.excluded, uncountable = excluded.uncountable
WHERE (cell.orders, cell.numerator, cell.denominator, cell.buckets, cell.counts, cell.excluded,
        cell.uncountable)
    IS DISTINCT FROM (excluded.orders, excluded.numerator, excluded.denominator,
        excluded.buckets, excluded.counts, excluded.excluded, excluded.uncountable)
"""


def record_facts(timelines: Mapping[int, Timeline]) -> None:
    """Write the KPI facts of these orders in the caller's transaction.

    Days whose facts changed are queued for `recompute_requested_cells`. A KPI that raises for an
    order has no fact for it; the failure is recorded, and the others go on.
    """
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    failures: dict[tuple[int, str], Exception] = {}
    for order_id, timeline in sorted(timelines.items()):
        for code, kpi in measured_kpis().items():
            try:
                row = _measure_fact(order_id, kpi, timeline)
            except Exception as error:  # recorded for this KPI and order; the others go on
                failures[order_id, code] = error
                continue
            if row is not None:
                for name, value in zip(COLUMNS, row, strict=True):
                    columns[name].append(value)
    _replace_facts(timelines, columns)
    replace_kpi_failures(failures, timelines)


def _measure_fact(order_id: int, kpi: Kpi, timeline: Timeline) -> tuple[Any, ...] | None:
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
        timeline.attributes.get(Attribute.CHANNEL, "")[:60],
        timeline.attributes.get(Attribute.WAREHOUSE, "")[:100],
        timeline.attributes.get(Attribute.CUSTOMER_GROUP, "")[:100],
        result.numerator,
        result.denominator,
        result.excluded,
        orjson.dumps(result.uncountable, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _replace_facts(touched: Collection[int], columns: Mapping[str, list[Any]]) -> None:
    if touched:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(WRITE_FACTS, {**columns, "touched": sorted(touched)})


def recompute_requested_cells(limit: int = 500) -> int:
    """Recompute up to `limit` requested days; return how many (KPI, day) pairs were recomputed.

    Facts and recompute requests are committed together. The aggregating statement starts after
    the lock of the day is acquired, so a fact that it does not see has a request in the queue.
    """
    with transaction.atomic(), bulk.server_bound_cursor() as cursor:
        cursor.execute(CLAIM_REQUESTS, [limit])
        days = sorted(set(cursor.fetchall()))
        if not days:
            return 0
        for kpi, day in days:
            cursor.execute(LOCK_DAY, [f"kpi {kpi} {day}", LockKey.KPI_CELLS])
        kpis, dates = zip(*days, strict=True)
        timed = [kpi in histogram.duration_kpi_codes() for kpi in kpis]
        cursor.execute(
            AGGREGATE_CELLS,
            {"kpis": list(kpis), "days": list(dates), "timed": timed, "gamma": histogram.GAMMA},
        )
    return len(days)
