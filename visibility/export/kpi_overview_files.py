"""Export the overview of KPIs to a temporary file: each value, and the definition of each KPI."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from visibility.export.kpi_files import number_of_file, texts_of_filters
from visibility.export.list_files import ListFileFormat, WrittenListFile
from visibility.export.snapshot_to_temp_tables import acquire_export_slot
from visibility.export.table_files import TableOfFile, write_csv_table, write_xlsx_table
from visibility.formatting import in_zone
from visibility.kpi import query
from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.kpi import Kpi
from visibility.kpi.targets import load_kpi_targets
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.overview import kpis_in_order
from visibility.screens.kpis.provisional import load_provisional_rule
from visibility.screens.kpis.selection import KpiSelection, format_span
from visibility.storage.organization import organization_time_zone

COLUMNS = (
    "KPI",
    "Unit",
    "Value",
    "Numerator",
    "Denominator",
    "Counted",
    "Excluded",
    "Median (seconds)",
    "P90 (seconds)",
    "Target",
    "Compared value",
    "Compared median (seconds)",
    "Compared counted",
    "No value because",
    "Provisional because",
)
DEFINITION_COLUMNS = (
    "KPI",
    "Code",
    "Version",
    "Definition",
    "Unit",
    "Target",
    "Better if",
    "Dimensions",
    "Reasons for exclusion",
)
# By KPI code, on the last day of the range.
Targets = Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class KpiOverviewExport:
    """The overview to export: which selection, for whom, and as of when."""

    selection: KpiSelection
    person: str
    now: datetime


def write_kpi_overview_file(
    export: KpiOverviewExport, file_format: ListFileFormat
) -> WrittenListFile:
    """Write the values and the definitions. Raises TooManyExports, TooManyFacts.

    It has one of the slots of all exports until the file is complete.
    """
    write = write_xlsx_table if file_format is ListFileFormat.XLSX else write_csv_table
    kpis = kpis_in_order()
    with transaction.atomic(), ExitStack() as on_error:
        acquire_export_slot()
        selection = export.selection
        stored = load_kpi_targets(kpis, selection.span)
        targets = {
            kpi.code: stored.target_for(kpi, selection.filters, selection.span.end) for kpi in kpis
        }
        table = _table_of_values(export, kpis, targets)
        file = on_error.enter_context(tempfile.TemporaryFile())
        write(table, file, _table_of_definitions(kpis, targets))
        file.seek(0)
        on_error.pop_all()
    return WrittenListFile(file, len(kpis))


def _table_of_values(
    export: KpiOverviewExport, kpis: Sequence[Kpi], targets: Targets
) -> TableOfFile:
    selection, zone = export.selection, organization_time_zone()
    current = query.summaries_by_kpi(kpis, selection.span, selection.filters, now=export.now)
    compared = selection.compared
    before = query.summaries_by_kpi(kpis, compared, selection.filters) if compared else {}
    rule = load_provisional_rule(export.now, selection.filters)
    rows = []
    for kpi in kpis:
        summary, earlier = current[kpi.code], before.get(kpi.code)
        has_value = summary.median_seconds_or_fraction(kpi) is not None
        rows.append(
            [
                kpi.title,
                kpi.unit.value,
                number_of_file(summary.value),
                number_of_file(summary.numerator),
                number_of_file(summary.denominator),
                summary.orders,
                summary.excluded_count,
                number_of_file(summary.median),
                number_of_file(summary.p90),
                number_of_file(targets[kpi.code]),
                number_of_file(earlier.value) if earlier else None,
                number_of_file(earlier.median) if earlier else None,
                earlier.orders if earlier else None,
                "" if has_value else texts.no_value_reason(kpi, summary),
                "; ".join(rule.reasons(kpi, selection.span)),
            ]
        )
    heading: list[tuple[str, str | int]] = [
        ("List", "KPIs"),
        ("Filters", "; ".join(texts_of_filters(selection)) or "None"),
        ("Date range", f"{selection.label} ({format_span(selection.span)})"),
        ("Compared with", selection.compared_dates or "Nothing"),
        ("Time zone", zone),
        ("As of", f"{in_zone(export.now, zone):%Y-%m-%d %H:%M} ({zone})"),
        ("Exported by", export.person),
        ("Rows", len(kpis)),
    ]
    return TableOfFile("KPIs", heading, COLUMNS, rows)


def _table_of_definitions(kpis: Sequence[Kpi], targets: Targets) -> TableOfFile:
    rows = [
        [
            kpi.title,
            kpi.code,
            kpi.version,
            kpi.definition,
            kpi.unit.value,
            texts.format_target(kpi, targets[kpi.code]).replace("\u00a0", " "),
            "higher" if kpi.higher_is_better else "lower",
            ", ".join(DIMENSIONS[name] for name in kpi.dimensions),
            "; ".join(kpi.reasons.values()),
        ]
        for kpi in kpis
    ]
    return TableOfFile("Definitions", [("List", "Definitions")], DEFINITION_COLUMNS, rows)
