"""Export the page of a KPI to a temporary file: CSV or XLSX, with what it says about itself."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from connectors.sdk.event_codec import format_decimal
from visibility.export.list_files import ListFileFormat, WrittenListFile
from visibility.export.snapshot_to_temp_tables import acquire_export_slot
from visibility.export.table_files import TableOfFile, write_csv_table, write_xlsx_table
from visibility.formatting import format_number, in_zone
from visibility.kpi import query
from visibility.kpi.contributions import change_of_ratio
from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.kpi import Kpi
from visibility.kpi.query import KpiSummary
from visibility.kpi.targets import KpiTargets, load_kpi_targets
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.breakdown import load_breakdowns, target_of_segment
from visibility.screens.kpis.chart_notes import load_notes_of_charts
from visibility.screens.kpis.provisional import ProvisionalRule, load_provisional_rule
from visibility.screens.kpis.selection import KpiSelection, format_span
from visibility.screens.kpis.trend import load_trends
from visibility.screens.lists.list_definition import ColumnValue
from visibility.storage.organization import organization_time_zone

# Further segments of one dimension are left out, and counted in the heading.
MAX_SEGMENTS = 1_000
COLUMNS = (
    "Section",
    "KpiSegment",
    "First day",
    "Last day",
    "Partial",
    "Value",
    "Numerator",
    "Denominator",
    "Counted",
    "Median (seconds)",
    "P90 (seconds)",
    "Compared value",
    "Compared median (seconds)",
    "Compared counted",
    "Contribution to the change",
    "Target",
    "Provisional because",
    "Notes",
)
Row = list[ColumnValue]


@dataclass(frozen=True, slots=True)
class KpiExport:
    """The page to export: which KPI and selection, for whom, and as of when."""

    kpi: Kpi
    selection: KpiSelection
    person: str
    now: datetime


def write_kpi_file(export: KpiExport, file_format: ListFileFormat) -> WrittenListFile:
    """Write the page to a temporary file. Raises TooManyExports, TooManyFacts.

    It has one of the slots of all exports until the file is complete.
    """
    write = write_xlsx_table if file_format is ListFileFormat.XLSX else write_csv_table
    with transaction.atomic(), ExitStack() as on_error:
        acquire_export_slot()
        table, count = build_kpi_table(export)
        file = on_error.enter_context(tempfile.TemporaryFile())
        write(table, file)
        file.seek(0)
        on_error.pop_all()
    return WrittenListFile(file, count)


def build_kpi_table(export: KpiExport) -> tuple[TableOfFile, int]:
    """The heading and the rows, and how many rows there are. Raises TooManyFacts."""
    kpi, selection = export.kpi, export.selection
    total = query.summary(kpi, selection.span, selection.filters, now=export.now)
    compared = selection.compared
    before = query.summary(kpi, compared, selection.filters) if compared else None
    omitted: list[str] = []
    targets = load_kpi_targets([kpi], selection.span)
    target = targets.target_for(kpi, selection.filters, selection.span.end)
    change = change_of_ratio(total, before)
    rows = [
        _row("Total", "", total, before, change, selection, target=target),
        *_segment_rows(export, omitted, targets),
    ]
    rule = load_provisional_rule(export.now, selection.filters)
    for row in rows:
        row[-2] = "; ".join(rule.reasons(kpi, selection.span))
    rows[1:1] = _period_rows(export, targets, rule)
    heading = _heading(export, total, omitted, target, rule)
    return TableOfFile(kpi.title, heading, COLUMNS, rows), len(rows)


def _heading(
    export: KpiExport,
    total: KpiSummary,
    omitted: Sequence[str],
    target: Decimal | None,
    rule: ProvisionalRule,
) -> list[tuple[str, str | int]]:
    kpi, selection, zone = export.kpi, export.selection, organization_time_zone()
    heading: list[tuple[str, str | int]] = [
        ("KPI", kpi.title),
        ("Definition", kpi.definition),
        ("Definition version", kpi.version),
        ("Target", texts.format_target(kpi, target) or "None"),
        ("Filters", "; ".join(texts_of_filters(selection)) or "None"),
        ("Date range", f"{selection.label} ({format_span(selection.span)})"),
        ("Compared with", selection.compared_dates or "Nothing"),
        ("Time zone", zone),
        ("As of", f"{in_zone(export.now, zone):%Y-%m-%d %H:%M} ({zone})"),
        ("Status", rule.text(kpi, selection.span) or "Final"),
        ("Exported by", export.person),
        (f"{kpi.subject.capitalize()}s counted (n)", total.orders),
        (f"{kpi.subject.capitalize()}s excluded", total.excluded_count),
    ]
    for code, count in total.excluded.items():
        heading.append((f"Excluded: {texts.exclusion_reason(kpi, code)}", count))
    for _, count, text in texts.uncountable_codes_counts_and_texts(total.uncountable):
        heading.append((f"Excluded: {text.split(' ', 1)[1]}", count))
    heading += [("Not in this file", text) for text in omitted]
    return heading


def texts_of_filters(selection: KpiSelection) -> list[str]:
    """`Warehouse: Dallas` for each filter."""
    return [
        f"{DIMENSIONS[name]}: {texts.dimension_value_label(value)}"
        for name, value in selection.filters.filtered_values_by_dimension().items()
    ]


def _period_rows(export: KpiExport, targets: KpiTargets, rule: ProvisionalRule) -> Iterator[Row]:
    kpi, selection = export.kpi, export.selection
    notes = load_notes_of_charts([kpi.code], selection.span)
    trend = load_trends([kpi], selection)[kpi.code]
    for point in trend.points:
        span = point.period.span
        within = [n.text for n in notes if n.start <= span.end and n.end >= span.start]
        row = _row(
            selection.length.value.capitalize(),
            "",
            point.summary,
            point.compared,
            None,
            selection,
            target=targets.target_for(kpi, selection.filters, span.end),
        )
        row[2:5] = [span.start, span.end, "yes" if point.period.is_partial else "no"]
        row[-2] = "; ".join(rule.reasons(kpi, span))
        row[-1] = "; ".join(within)
        yield row


def _segment_rows(export: KpiExport, omitted: list[str], targets: KpiTargets) -> Iterator[Row]:
    kpi, selection = export.kpi, export.selection
    breakdowns = load_breakdowns(kpi, selection, targets)
    if breakdowns.selected.problem:
        omitted.append(f"{breakdowns.selected.title}: {breakdowns.selected.problem}")
    for dimensions, segments in breakdowns.segments:
        section = " and ".join(DIMENSIONS[name] for name in dimensions)
        if len(segments) > MAX_SEGMENTS:
            omitted.append(f"{section}: {format_number(len(segments) - MAX_SEGMENTS)} segments")
        for segment in segments[:MAX_SEGMENTS]:
            names = ", ".join(texts.dimension_value_label(name) for name in segment.names)
            yield _row(
                section,
                names,
                segment.summary,
                segment.before,
                segment.contribution,
                selection,
                target=target_of_segment(kpi, selection, targets, segment),
            )


def _row(
    section: str,
    segment: str,
    now: KpiSummary,
    before: KpiSummary | None,
    contribution: Decimal | None,
    selection: KpiSelection,
    *,
    target: Decimal | None,
) -> Row:
    return [
        section,
        segment,
        selection.span.start,
        selection.span.end,
        "",
        number_of_file(now.value),
        number_of_file(now.numerator),
        number_of_file(now.denominator),
        now.orders,
        number_of_file(now.median),
        number_of_file(now.p90),
        number_of_file(before.value) if before else None,
        number_of_file(before.median) if before else None,
        before.orders if before else None,
        number_of_file(contribution),
        number_of_file(target),
        "",
        "",
    ]


def number_of_file(value: Decimal | float | None) -> Decimal | None:
    """The number with at most six decimal places."""
    return None if value is None else Decimal(format_decimal(round(Decimal(value), 6)))
