"""SQL statements that update, recount and verify KPI cells.

All three sum weighted facts in the same way. A fact has the weight 1. A fact change has the weight
1 for the fact that was added, and -1 for the fact that was removed.
"""

from visibility.kpi.dimensions import COLUMNS, STORED_GROUPINGS, bitmask_of_dimensions_not_grouped

_DIMENSIONS = ", ".join(COLUMNS)
_KEYS = f"grouping, kpi, day, {_DIMENSIONS}"
_VALUES = "orders, numerator, denominator, buckets, counts, excluded, uncountable"
FACT = f"kpi, day, {_DIMENSIONS}, numerator, denominator, excluded, uncountable"
_GROUPING_SETS = ", ".join(
    f"({', '.join(name for name in COLUMNS if name in grouping)})" for grouping in STORED_GROUPINGS
)
_STORED_BITMASKS = ", ".join(
    str(bitmask_of_dimensions_not_grouped(grouping)) for grouping in STORED_GROUPINGS
)


def histogram_bucket_sql_of_fact(timed: str, gamma: str, stocks: str) -> str:
    """The bucket of a fact in the histogram of its cell: of its duration, or of the days until its
    end. The arguments are the placeholders of `registered_kpi_sql_parameters`."""
    return f"""
    CASE WHEN excluded <> '' THEN NULL
        WHEN kpi = ANY({timed}::text[]) AND denominator <> 0 THEN
            ceil(ln(greatest(numerator / denominator, 1)::float8) / ln({gamma}::float8))::int
        WHEN kpi = ANY({stocks}::text[]) THEN numerator::int
    END"""


# The KPIs and groupings without cells, because the KPI lacks one of the dimensions.
_GROUPINGS_WITHOUT_CELLS = """
    SELECT * FROM unnest(%(unstored_kpis)b::text[], %(unstored_groupings)s::int[])"""
# From `weighted`, rows of a fact and its weight, to `summed`, one row for each cell that is not
# zero. `grouping` is the bitmask of GROUPING(): a set bit is a dimension that the cell sums over.
_BUCKET = histogram_bucket_sql_of_fact("%(timed)s", "%(gamma)s", "%(stocks)s")
_SUM_WEIGHTED = f"""
fact AS (
    SELECT *, {_BUCKET} AS bucket FROM weighted
), fine AS (
    SELECT kpi, day, {_DIMENSIONS}, excluded, bucket, NULL AS reason, sum(weight) AS n,
        sum(weight * numerator) AS numerator, sum(weight * denominator) AS denominator
    FROM fact GROUP BY kpi, day, {_DIMENSIONS}, excluded, bucket
    UNION ALL
    SELECT kpi, day, {_DIMENSIONS}, '', NULL, reason, sum(weight * lines::int), NULL, NULL
    FROM fact, jsonb_each_text(uncountable) AS a (reason, lines) WHERE excluded = ''
    GROUP BY kpi, day, {_DIMENSIONS}, reason
), part AS (
    SELECT kpi, day, GROUPING({_DIMENSIONS}) AS grouping,
        {", ".join(f"coalesce({name}, '') AS {name}" for name in COLUMNS)},
        excluded, bucket, reason,
        sum(n)::int AS n, sum(numerator) AS numerator, sum(denominator) AS denominator
    FROM fine
    GROUP BY kpi, day, excluded, bucket, reason, GROUPING SETS ({_GROUPING_SETS})
    HAVING (kpi, GROUPING({_DIMENSIONS})) NOT IN ({_GROUPINGS_WITHOUT_CELLS})
), summed AS (
    SELECT * FROM (
        SELECT {_KEYS},
            coalesce(sum(n) FILTER (WHERE excluded = '' AND reason IS NULL), 0)::int AS orders,
            coalesce(sum(numerator) FILTER (WHERE excluded = ''), 0) AS numerator,
            coalesce(sum(denominator) FILTER (WHERE excluded = ''), 0) AS denominator,
            coalesce(array_agg(bucket ORDER BY bucket)
                FILTER (WHERE bucket IS NOT NULL AND n <> 0), '{{}}') AS buckets,
            coalesce(array_agg(n ORDER BY bucket)
                FILTER (WHERE bucket IS NOT NULL AND n <> 0), '{{}}') AS counts,
            coalesce(jsonb_object_agg(excluded, n)
                FILTER (WHERE excluded <> '' AND n <> 0), '{{}}') AS excluded,
            coalesce(jsonb_object_agg(reason, n)
                FILTER (WHERE reason IS NOT NULL AND n <> 0), '{{}}') AS uncountable
        FROM part GROUP BY {_KEYS}
    ) cells WHERE ({_VALUES}) <> (0, 0, 0, '{{}}', '{{}}', '{{}}'::jsonb, '{{}}'::jsonb)
)
"""  # noqa: S608  # only own column names


def _merge_counts_sql(column: str) -> str:
    """The sum of two JSON objects of counts, without the counts that become zero."""
    return f"""CASE WHEN excluded.{column} = '{{}}' THEN cell.{column} ELSE (
        SELECT coalesce(jsonb_object_agg(reason, n), '{{}}') FROM (
            SELECT reason, sum(n::int) AS n FROM (
                SELECT * FROM jsonb_each_text(cell.{column})
                UNION ALL SELECT * FROM jsonb_each_text(excluded.{column})
            ) AS counted (reason, n) GROUP BY reason HAVING sum(n::int) <> 0
        ) merged) END"""  # noqa: S608  # only own column names


# The sum of two histograms, without the buckets that become empty.
_MERGED_HISTOGRAM = """(
        SELECT coalesce(array_agg(bucket), '{}'), coalesce(array_agg(n), '{}') FROM (
            SELECT bucket, sum(n)::int AS n FROM (
                SELECT * FROM unnest(cell.buckets, cell.counts)
                UNION ALL SELECT * FROM unnest(excluded.buckets, excluded.counts)
            ) AS counted (bucket, n) GROUP BY bucket HAVING sum(n) <> 0 ORDER BY bucket
        ) merged)"""


# Two columns of a SELECT.
HAS_REQUESTS_AND_CHANGES = """
EXISTS (SELECT FROM visibility_kpirecountrequest), EXISTS (SELECT FROM visibility_kpifactchange)
"""
# Add the oldest fact changes to the cells. Returns their number and the cells that became zero.
ADD_FACT_CHANGES = f"""
WITH taken AS (
    DELETE FROM visibility_kpifactchange WHERE id = ANY(ARRAY(
        SELECT id FROM visibility_kpifactchange ORDER BY id LIMIT %(limit)s))
    RETURNING {FACT}, weight
), weighted AS (SELECT * FROM taken), {_SUM_WEIGHTED}, written AS (
    INSERT INTO visibility_kpicell AS cell ({_KEYS}, {_VALUES})
    SELECT {_KEYS}, {_VALUES} FROM summed
    ON CONFLICT (grouping, kpi, day, {_DIMENSIONS}) DO UPDATE SET
        orders = cell.orders + excluded.orders,
        numerator = cell.numerator + excluded.numerator,
        denominator = cell.denominator + excluded.denominator,
        (buckets, counts) = {_MERGED_HISTOGRAM},
        excluded = {_merge_counts_sql("excluded")},
        uncountable = {_merge_counts_sql("uncountable")}
    RETURNING id, ({_VALUES})
        = (0, 0, 0, '{{}}', '{{}}', '{{}}'::jsonb, '{{}}'::jsonb) AS is_zero
)
SELECT (SELECT count(*) FROM taken), ARRAY(SELECT id FROM written WHERE is_zero)
"""  # noqa: S608  # only own column names
DELETE_CELLS = "DELETE FROM visibility_kpicell WHERE id = ANY(%s)"
CLAIM_RECOUNTS = """
WITH taken AS (
    SELECT id FROM visibility_kpirecountrequest ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM visibility_kpirecountrequest AS request USING taken WHERE request.id = taken.id
RETURNING request.kpi, request.day
"""
REQUEST_RECOUNT_OF_ALL_DAYS = """
INSERT INTO visibility_kpirecountrequest (kpi, day)
SELECT kpi, day FROM visibility_kpifact
UNION SELECT kpi, day FROM visibility_kpicell
UNION SELECT kpi, day FROM visibility_kpifactchange
"""
# Sum the facts of some days, whatever their cells contain. Their fact changes are then done.
RECOUNT_CELLS = f"""
WITH wanted AS (
    SELECT * FROM unnest(%(kpis)b::text[], %(days)s::date[]) AS w (kpi, day)
), done AS (
    DELETE FROM visibility_kpifactchange change USING wanted
    WHERE change.kpi = wanted.kpi AND change.day = wanted.day
), weighted AS (
    SELECT {FACT}, 1 AS weight FROM visibility_kpifact JOIN wanted USING (kpi, day)
), {_SUM_WEIGHTED}, gone AS (
    DELETE FROM visibility_kpicell cell USING wanted
    WHERE cell.kpi = wanted.kpi AND cell.day = wanted.day AND NOT EXISTS (
        SELECT FROM summed WHERE {" AND ".join(f"summed.{k} = cell.{k}" for k in _KEYS.split(", "))}
    )
)
INSERT INTO visibility_kpicell AS cell ({_KEYS}, {_VALUES})
SELECT {_KEYS}, {_VALUES} FROM summed
ON CONFLICT (grouping, kpi, day, {_DIMENSIONS}) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _VALUES.split(", "))}
WHERE ({", ".join(f"cell.{name}" for name in _VALUES.split(", "))})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES.split(", "))})
"""  # noqa: S608  # only own column names
DAYS_WITH_FACTS_OR_CELLS = """
SELECT day FROM visibility_kpifact UNION SELECT day FROM visibility_kpicell
UNION SELECT day FROM visibility_kpifactchange ORDER BY day
"""
# The days whose cells differ from their facts without the changes that are still to be added.
FIND_WRONG_CELLS = f"""
WITH weighted AS (
    SELECT {FACT}, 1 AS weight FROM visibility_kpifact WHERE day = ANY(%(days)s)
    UNION ALL
    SELECT {FACT}, -weight FROM visibility_kpifactchange WHERE day = ANY(%(days)s)
), {_SUM_WEIGHTED}, stored AS (
    SELECT {_KEYS}, {_VALUES} FROM visibility_kpicell
    WHERE day = ANY(%(days)s) AND grouping IN ({_STORED_BITMASKS})
        AND (kpi, grouping) NOT IN ({_GROUPINGS_WITHOUT_CELLS})
)
SELECT DISTINCT kpi, day FROM summed FULL JOIN stored USING ({_KEYS})
WHERE ({", ".join(f"summed.{name}" for name in _VALUES.split(", "))})
    IS DISTINCT FROM ({", ".join(f"stored.{name}" for name in _VALUES.split(", "))})
    AND NOT EXISTS (SELECT FROM visibility_kpirecountrequest request
        WHERE request.kpi = coalesce(summed.kpi, stored.kpi)
            AND request.day = coalesce(summed.day, stored.day))
ORDER BY kpi, day
"""  # noqa: S608  # only own column names
