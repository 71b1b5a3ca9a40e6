"""The rows that a KPI value is summed from: stored cells, or facts if there are no such cells.

Cells sum over all orders, so the values of a person with a scope are summed from facts.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import connection

from visibility.db.data_scope import active_scope
from visibility.kpi.dimensions import COLUMNS, Dimension, stored_grouping_bitmask
from visibility.kpi.duration_histogram_buckets import (
    GAMMA,
    non_stock_duration_kpi_codes,
    stock_kpi_codes,
)
from visibility.kpi.kpi_cell_sql import histogram_bucket_sql_of_fact

# A value that no cells are stored for is summed from at most this many facts: about a second.
MAX_FACTS = 200_000
# Each fact as a cell of its own.
_FACT_AS_CELL = f"""
SELECT kpi, day, {", ".join(COLUMNS)}, (excluded = '')::int AS orders,
    CASE WHEN excluded = '' THEN numerator ELSE 0 END AS numerator,
    CASE WHEN excluded = '' THEN denominator ELSE 0 END AS denominator,
    array_remove(ARRAY[bucket], NULL) AS buckets,
    CASE WHEN bucket IS NULL THEN '{{}}'::int[] ELSE '{{1}}' END AS counts,
    CASE WHEN excluded = '' THEN '{{}}' ELSE jsonb_build_object(excluded, 1) END AS excluded,
    CASE WHEN excluded = '' THEN uncountable ELSE '{{}}' END AS uncountable
FROM visibility_kpifact,
    LATERAL (SELECT {histogram_bucket_sql_of_fact("%s", "%s", "%s")} AS bucket) h
WHERE kpi = ANY(%s) AND day BETWEEN %s AND %s"""  # noqa: S608  # only own column names


class TooManyFacts(ValueError):
    """No cells are stored for a combination of dimensions, and it has more than MAX_FACTS facts."""


def select_sql_of_cells_or_facts(
    codes: Sequence[str],
    start: date,
    end: date,
    values: Mapping[Dimension, str],
    by: Collection[str] = (),
) -> tuple[str, list[Any]]:
    """The SELECT of cells from `start` to `end`, by the dimensions `by`, and its parameters.

    `values`: the value of each filtered dimension. A slice may have several rows for a day: the
    caller must sum them. Raises TooManyFacts.
    """
    condition = "".join(f" AND {name} = %s" for name in values)
    grouping = stored_grouping_bitmask({*values, *by}) if active_scope() is None else None
    parameters: list[Any] = [list(codes), start, end, *values.values()]
    if grouping is not None:
        return (
            "SELECT * FROM visibility_kpicell WHERE kpi = ANY(%s) AND day BETWEEN %s AND %s"  # noqa: S608  # only own column names
            f"{condition} AND grouping = %s",
            [*parameters, grouping],
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM visibility_kpifact WHERE kpi = ANY(%s) "  # noqa: S608  # only own column names
            f"AND day BETWEEN %s AND %s{condition} LIMIT {MAX_FACTS + 1}) fact",
            parameters,
        )
        if cursor.fetchone()[0] > MAX_FACTS:
            raise TooManyFacts(f"more than {MAX_FACTS:,} facts")
    histogram = [sorted(non_stock_duration_kpi_codes()), GAMMA, sorted(stock_kpi_codes())]
    return _FACT_AS_CELL + condition, [*histogram, *parameters]
