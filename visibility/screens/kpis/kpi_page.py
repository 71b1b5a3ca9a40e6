"""Build the page of one KPI: headline, tile, charts and breakdowns, from the KPI cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from visibility.kpi import query
from visibility.kpi.dimensions import Dimension
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.query import KpiSummary
from visibility.kpi.targets import KpiTargets, load_kpi_targets
from visibility.models.kpi_notes import KpiNote
from visibility.screens.charts import Chart, ChartNote
from visibility.screens.kpis.breakdown import KpiBreakdowns, load_breakdowns
from visibility.screens.kpis.chart_notes import chart_notes, load_notes_of_charts
from visibility.screens.kpis.charts import build_channel_chart, build_duration_histogram_chart
from visibility.screens.kpis.kpi_tile import KpiTile, build_tile
from visibility.screens.kpis.provisional import load_provisional_rule
from visibility.screens.kpis.selection import KpiSelection
from visibility.screens.kpis.sparklines import load_weekly_values
from visibility.screens.kpis.trend import load_trends
from visibility.screens.kpis.trend_chart import build_open_orders_chart, build_trend_chart
from visibility.screens.kpis.undelivered_backlog import (
    UndeliveredBacklog,
    load_undelivered_backlog,
)

CYCLE_TIME = "order_cycle_time"


@dataclass(frozen=True, slots=True)
class KpiPage:
    """Everything on the page of one KPI."""

    headline: Sequence[str]
    # Only for durations.
    backlog: UndeliveredBacklog | None
    tile: KpiTile
    charts: Sequence[Chart]
    notes: Sequence[KpiNote]
    breakdowns: KpiBreakdowns
    choices: Mapping[Dimension, Sequence[str]]


def build_kpi_page(kpi: Kpi, selection: KpiSelection, *, now: datetime) -> KpiPage:
    """Build the page of one KPI. Raises TooManyFacts."""
    span, filters = selection.span, selection.filters
    current = query.summary(kpi, span, filters, now=now)
    compared = selection.compared
    before = query.summary(kpi, compared, filters) if compared else None
    weekly = load_weekly_values([kpi], span.end, filters)
    targets = load_kpi_targets([kpi], span)
    tile = build_tile(
        kpi,
        current,
        before,
        target=targets.target_for(kpi, filters, span.end),
        end=span.end,
        period=selection.compared_phrase,
        provisional=load_provisional_rule(now, filters).text(kpi, span),
        weeks=weekly.get(kpi.code, ()),
    )
    notes = load_notes_of_charts([kpi.code], span)
    return KpiPage(
        headline=_headline(kpi, selection, tile, current),
        backlog=load_undelivered_backlog(span, filters, now) if kpi.code == CYCLE_TIME else None,
        tile=tile,
        charts=_charts(kpi, selection, current, chart_notes(notes, kpi.code, span), targets),
        notes=notes,
        breakdowns=load_breakdowns(kpi, selection, targets),
        choices=query.dimension_values_with_most_orders(span, kpi.dimensions),
    )


def _charts(
    kpi: Kpi,
    selection: KpiSelection,
    current: KpiSummary,
    notes: Sequence[ChartNote],
    targets: KpiTargets,
) -> list[Chart]:
    trend = load_trends([kpi], selection)[kpi.code]
    steps = targets.steps(kpi, selection.filters, selection.span)
    charts = [build_trend_chart(kpi, trend, current, notes, targets=steps)]
    if kpi.family is KpiFamily.STOCK:
        charts.insert(0, build_open_orders_chart(kpi, trend, current, notes))
    if kpi.unit is KpiUnit.DURATION:
        charts.append(
            build_duration_histogram_chart(kpi, selection.span, selection.filters, current)
        )
    else:
        charts.append(build_channel_chart(kpi, selection, steps))
    return [chart for chart in charts if chart]


def _headline(kpi: Kpi, selection: KpiSelection, tile: KpiTile, current: KpiSummary) -> list[str]:
    if not current.orders:
        return [f"{selection.label}: no value, {tile.no_value_reason}"]
    sentence = f"{selection.label}: {kpi.title.lower()} {tile.value}"
    if kpi.unit is KpiUnit.DURATION:
        sentence += f" ({tile.value_label}), {tile.p90_text}"
    clauses = [tile.population, tile.target.text, tile.change.text]
    return [sentence, *(clause for clause in clauses if clause)]
