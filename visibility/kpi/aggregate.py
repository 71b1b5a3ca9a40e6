"""The finished numbers: facts of the folded orders, and the cells that are their sums."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from connectors.sdk.events import Attribute
from visibility.db import bulk
from visibility.kpi import histogram
from visibility.kpi.registry import measured
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
    "asides",
)
FACTS = """
WITH fresh AS (
    SELECT * FROM unnest(
        %(orders)s::bigint[], %(kpis)b::text[], %(versions)s::int[], %(days)s::date[],
        %(channels)b::text[], %(warehouses)b::text[], %(groups)b::text[],
        %(numerators)s::numeric[], %(denominators)s::numeric[], %(excluded)b::text[],
        %(asides)b::text[]
    ) AS f (order_id, kpi, version, day, channel, warehouse, customer_group,
        numerator, denominator, excluded, aside)
), old AS (
    SELECT * FROM visibility_kpifact WHERE order_id = ANY(%(touched)s)
), gone AS (
    DELETE FROM visibility_kpifact fact WHERE fact.order_id = ANY(%(touched)s)
        AND NOT EXISTS (
            SELECT FROM fresh WHERE fresh.order_id = fact.order_id AND fresh.kpi = fact.kpi)
    RETURNING kpi, day
), put AS (
    INSERT INTO visibility_kpifact AS fact (order_id, kpi, version, day, channel, warehouse,
        customer_group, numerator, denominator, excluded, aside)
    SELECT order_id, kpi, version, day, channel, warehouse, customer_group,
        numerator, denominator, excluded, aside::jsonb
    FROM fresh ORDER BY order_id, kpi
    ON CONFLICT (order_id, kpi) DO UPDATE SET version = excluded.version, day = excluded.day,
        channel = excluded.channel, warehouse = excluded.warehouse,
        customer_group = excluded.customer_group, numerator = excluded.numerator,
        denominator = excluded.denominator, excluded = excluded.excluded,
        aside = excluded.aside
    WHERE (fact.version, fact.day, fact.channel, fact.warehouse, fact.customer_group,
            fact.numerator, fact.denominator, fact.excluded, fact.aside)
        IS DISTINCT FROM (excluded.version, excluded.day, excluded.channel, excluded.warehouse,
            excluded.customer_group, excluded.numerator, excluded.denominator, excluded.excluded,
            excluded.aside)
    RETURNING fact.order_id, fact.kpi, fact.day
)
INSERT INTO visibility_dirtycell (kpi, day)
SELECT kpi, day FROM put
UNION SELECT kpi, day FROM gone
UNION SELECT old.kpi, old.day FROM old JOIN put USING (order_id, kpi)
ORDER BY 1, 2
"""
CLAIM = """
WITH taken AS (
    SELECT id FROM visibility_dirtycell ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM visibility_dirtycell USING taken WHERE visibility_dirtycell.id = taken.id
RETURNING visibility_dirtycell.kpi, visibility_dirtycell.day
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 4711))"
# GROUPING SETS: a grain names the dimensions that its cells sum over, as GROUPING() does.
SUMS = """
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
    FROM fact, jsonb_each_text(aside) AS a (reason, lines) WHERE excluded = ''
    GROUP BY 1, 2, 3, 4, 5, 8
), part AS (
    SELECT kpi, day, GROUPING(channel, warehouse, customer_group) AS grain,
        coalesce(channel, '') AS channel, coalesce(warehouse, '') AS warehouse,
        coalesce(customer_group, '') AS customer_group, excluded, bucket, reason,
        sum(n)::int AS n, sum(numerator) AS numerator, sum(denominator) AS denominator
    FROM fine
    GROUP BY kpi, day, excluded, bucket, reason, CUBE (channel, warehouse, customer_group)
), summed AS (
    SELECT kpi, day, grain, channel, warehouse, customer_group,
        coalesce(sum(n) FILTER (WHERE excluded = '' AND reason IS NULL), 0) AS orders,
        coalesce(sum(numerator) FILTER (WHERE excluded = ''), 0) AS numerator,
        coalesce(sum(denominator) FILTER (WHERE excluded = ''), 0) AS denominator,
        coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{}')
            AS buckets,
        coalesce(array_agg(n ORDER BY bucket) FILTER (WHERE bucket IS NOT NULL), '{}') AS counts,
        coalesce(jsonb_object_agg(excluded, n) FILTER (WHERE excluded <> ''), '{}') AS excluded,
        coalesce(jsonb_object_agg(reason, n) FILTER (WHERE reason IS NOT NULL), '{}') AS aside
    FROM part GROUP BY kpi, day, grain, channel, warehouse, customer_group
), gone AS (
    DELETE FROM visibility_kpicell cell USING wanted
    WHERE cell.kpi = wanted.kpi AND cell.day = wanted.day
        AND cell.grain IN (0, 1, 2, 3, 4, 5, 6, 7) AND NOT EXISTS (
            SELECT FROM summed WHERE summed.kpi = cell.kpi AND summed.day = cell.day
                AND summed.grain = cell.grain AND summed.channel = cell.channel
                AND summed.warehouse = cell.warehouse
                AND summed.customer_group = cell.customer_group)
)
INSERT INTO visibility_kpicell AS cell (kpi, day, grain, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, aside)
SELECT kpi, day, grain, channel, warehouse, customer_group,
    orders, numerator, denominator, buckets, counts, excluded, aside
FROM summed
ON CONFLICT (grain, kpi, day, channel, warehouse, customer_group) DO UPDATE SET
    orders = excluded.orders, numerator = excluded.numerator,
    denominator = excluded.denominator, buckets = excluded.buckets, counts = excluded.counts,
    excluded = excluded.excluded, aside = excluded.aside
WHERE (cell.orders, cell.numerator, cell.denominator, cell.buckets, cell.counts, cell.excluded,
        cell.aside)
    IS DISTINCT FROM (excluded.orders, excluded.numerator, excluded.denominator,
        excluded.buckets, excluded.counts, excluded.excluded, excluded.aside)
"""


def record(timelines: Mapping[int, Timeline]) -> None:
    """Write how each order counts, in the caller's transaction, and mark the days that changed."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for order_id, timeline in sorted(timelines.items()):
        for code, kpi in measured().items():
            found = kpi.measure(timeline, settings.TIME_ZONE)
            if found is None:
                continue
            row = (
                order_id,
                code,
                kpi.version,
                found.day,
                timeline.attributes.get(Attribute.CHANNEL, "")[:60],
                timeline.attributes.get(Attribute.WAREHOUSE, "")[:100],
                timeline.attributes.get(Attribute.CUSTOMER_GROUP, "")[:100],
                found.numerator,
                found.denominator,
                found.excluded,
                orjson.dumps(found.aside, option=orjson.OPT_SORT_KEYS).decode(),
            )
            for name, value in zip(COLUMNS, row, strict=True):
                columns[name].append(value)
    _write(timelines, columns)


def forget(orders: Collection[int]) -> None:
    """Take out orders that are no more (merged into others)."""
    _write(orders, {name: [] for name in COLUMNS})


def _write(touched: Collection[int], columns: Mapping[str, list[Any]]) -> None:
    if touched:
        with bulk.cursor() as cursor:
            cursor.execute(FACTS, {**columns, "touched": sorted(touched)})


def recompute(limit: int = 500) -> int:
    """Sum the marked days again; return how many (KPI, day) were summed.

    Facts and marks are committed together. The sums are taken in a statement that begins after the
    day's lock is held, so a fact that it does not see has left a mark for the next turn.
    """
    with transaction.atomic(), bulk.cursor() as cursor:
        cursor.execute(CLAIM, [limit])
        days = sorted(set(cursor.fetchall()))
        if not days:
            return 0
        for kpi, day in days:
            cursor.execute(LOCK, [f"kpi {kpi} {day}"])
        kpis, dates = zip(*days, strict=True)
        timed = [kpi in histogram.timed() for kpi in kpis]
        cursor.execute(
            SUMS,
            {"kpis": list(kpis), "days": list(dates), "timed": timed, "gamma": histogram.GAMMA},
        )
    return len(days)
