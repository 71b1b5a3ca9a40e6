"""What the SQL statements of cells must know about the registered KPIs."""

from collections.abc import Mapping
from typing import Any

from visibility.kpi.dimensions import grouping_bitmasks_without_cells
from visibility.kpi.duration_histogram_buckets import (
    GAMMA,
    non_stock_duration_kpi_codes,
    stock_kpi_codes,
)
from visibility.kpi.registry import kpi_registry


def registered_kpi_sql_parameters() -> Mapping[str, Any]:
    """The parameters of the statements in `kpi_cell_sql` about the registered KPIs."""
    unstored = [
        (code, grouping)
        for code, kpi in kpi_registry().items()
        for grouping in grouping_bitmasks_without_cells(kpi.dimensions)
    ]
    return {
        "timed": sorted(non_stock_duration_kpi_codes()),
        "stocks": sorted(stock_kpi_codes()),
        "gamma": GAMMA,
        "unstored_kpis": [code for code, _ in unstored],
        "unstored_groupings": [grouping for _, grouping in unstored],
    }
