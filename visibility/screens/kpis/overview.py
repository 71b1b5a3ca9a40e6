"""Build the overview of all KPIs: headline, tiles, charts and the matrix, from the KPI cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from visibility.kpi import query
from visibility.kpi.dimensions import Dimension
from visibility.kpi.kpi import Kpi, KpiFamily
from visibility.kpi.query import KpiSlice, KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.kpi.targets import load_kpi_targets
from visibility.screens.charts import Chart
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.chart_notes import chart_notes, load_notes_of_charts
from visibility.screens.kpis.charts import build_channel_chart
from visibility.screens.kpis.kpi_tile import KpiTile, build_tile
from visibility.screens.kpis.overview_matrix import (
    KpiMatrixByTwoDimensions,
    build_kpi_matrix_by_two_dimensions,
)
from visibility.screens.kpis.provisional import load_provisional_rule
from visibility.screens.kpis.selection import KpiSelection
from visibility.screens.kpis.sparklines import load_weekly_values
from visibility.screens.kpis.trend import load_trends
from visibility.screens.kpis.trend_chart import build_trend_chart
from visibility.screens.kpis.undelivered_backlog import (
    UNDELIVERED,
    UndeliveredBacklog,
    undelivered_order_count_and_age,
)
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value

# KPIs of orders come first, those of messages and people's actions last.
FAMILY_ORDER = (KpiFamily.FLOW, KpiFamily.STOCK, KpiFamily.MEASURE)


@dataclass(frozen=True, slots=True)
class KpiOverview:
    """Everything on the overview page. `provisional`: why its values may still change, or ""."""

    provisional: str
    headline: Sequence[str]
    backlog: UndeliveredBacklog
    tiles: Sequence[KpiTile]
    charts: Sequence[Chart]
    matrix: KpiMatrixByTwoDimensions
    matrix_kpi: Kpi
    choices: Mapping[Dimension, Sequence[str]]
    empty: bool


def kpis_in_order() -> list[Kpi]:
    """All KPIs in the order of the overview."""
    return sorted(kpi_registry().values(), key=lambda kpi: FAMILY_ORDER.index(kpi.family))


def build_overview(selection: KpiSelection, *, matrix: Kpi, now: datetime) -> KpiOverview:
    """Build the overview page. `matrix` is the KPI of the matrix."""
    span, filters = selection.span, selection.filters
    kpis = kpis_in_order()
    current = query.summaries_by_kpi(kpis, span, filters, now=now)
    compared = selection.compared
    before = query.summaries_by_kpi(kpis, compared, filters) if compared else {}
    slices = query.summaries_by_dimensions(matrix, span, ("channel", "warehouse"), filters)
    weekly = load_weekly_values(kpis, span.end, filters)
    targets = load_kpi_targets(kpis, span)
    rule = load_provisional_rule(now, filters)
    tiles = [
        build_tile(
            kpi,
            current[kpi.code],
            before.get(kpi.code),
            target=targets.target_for(kpi, filters, span.end),
            end=span.end,
            period=selection.compared_phrase,
            # The page names the reasons once.
            provisional="",
            weeks=weekly.get(kpi.code, ()),
        )
        for kpi in kpis
    ]
    fill, cycle = kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]
    trends = load_trends([fill, cycle], selection)
    notes = load_notes_of_charts([fill.code, cycle.code], span)
    fill_steps = targets.steps(fill, filters, span)
    charts = [
        build_trend_chart(
            fill,
            trends[fill.code],
            current[fill.code],
            chart_notes(notes, fill.code, span),
            targets=fill_steps,
        ),
        build_channel_chart(fill, selection, fill_steps),
        build_trend_chart(
            cycle,
            trends[cycle.code],
            current[cycle.code],
            chart_notes(notes, cycle.code, span),
            targets=targets.steps(cycle, filters, span),
        ),
    ]
    return KpiOverview(
        provisional=max((rule.text(kpi, span) for kpi in kpis), key=len, default=""),
        headline=_fill_rate_cycle_time_on_time_sentences(
            current,
            before,
            selection=selection,
            slices=slices if matrix is fill else [],
            fill_target=fill_steps[-1].target,
        ),
        backlog=undelivered_order_count_and_age(current[UNDELIVERED]),
        tiles=tiles,
        charts=[chart for chart in charts if chart],
        matrix=build_kpi_matrix_by_two_dimensions(
            matrix,
            slices,
            lambda s: targets.target_of_slice(
                matrix, filters, ("channel", "warehouse"), s.names, span.end
            ),
        ),
        matrix_kpi=matrix,
        choices=query.dimension_values_with_most_orders(span),
        empty=not any(
            current[kpi.code].orders or current[kpi.code].excluded_count
            for kpi in kpis
            if kpi.family is KpiFamily.FLOW
        ),
    )


def _fill_rate_cycle_time_on_time_sentences(
    current: Mapping[str, KpiSummary],
    before: Mapping[str, KpiSummary],
    *,
    selection: KpiSelection,
    slices: Sequence[KpiSlice],
    fill_target: Decimal | None,
) -> list[str]:
    """The headline sentences: fill rate and where it is missed, cycle time, on-time delivery."""
    kpis = kpi_registry()
    fill, cycle, on_time = kpis["fill_rate"], kpis["order_cycle_time"], kpis["on_time"]
    fill_summary = current[fill.code]
    if fill_summary.value is None:
        fill_sentence = (
            f"{selection.label}: no fill rate, {texts.no_value_reason(fill, fill_summary)}"
        )
    else:
        fill_change = texts.compare_to_previous(
            fill, fill_summary, before.get(fill.code), period=selection.compared_phrase
        )
        fill_sentence = f"{selection.label}: line fill {format_kpi_value(fill, fill_summary.value)}"
        if fill_target is not None:
            fill_sentence += f" (target {texts.format_target(fill, fill_target)})"
        fill_sentence += f", {fill_change.text}" if fill_change.text else ""
        fill_sentence += phrase_for_slice_with_most_missed_lines(fill_summary, slices)
    sentences = [fill_sentence]
    if current[cycle.code].median is not None:
        sentences.append(
            f"Median cycle time {format_kpi_value(cycle, current[cycle.code].median)}, "
            f"P90 {format_kpi_value(cycle, current[cycle.code].p90)}"
        )
    if current[on_time.code].value is not None:
        sentences.append(
            f"{format_kpi_value(on_time, current[on_time.code].value)} delivered on time"
        )
    return sentences


def phrase_for_slice_with_most_missed_lines(total: KpiSummary, slices: Sequence[KpiSlice]) -> str:
    """The slice with at least a quarter of the missed lines, as a phrase, else ""."""
    missed = total.denominator - total.numerator
    if not missed or len(slices) < 2:
        return ""
    worst = max(slices, key=lambda s: s.summary.denominator - s.summary.numerator)
    share = (worst.summary.denominator - worst.summary.numerator) / missed
    if share < Decimal("0.25"):
        return ""
    channel, warehouse = worst.names
    orders = f"{texts.dimension_value_label(channel)} orders" if channel else "orders"
    warehouse_name = f"{texts.dimension_value_label(warehouse)} " if warehouse else ""
    unknown = [
        name for name, value in (("channel", channel), ("warehouse", warehouse)) if not value
    ]
    without = f" without {' and '.join(unknown)}" if unknown else ""
    return f"; {warehouse_name}{orders}{without} are {share * 100:.0f}% of missed lines"
