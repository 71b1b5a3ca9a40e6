"""Build the KPI pages: headline, tiles, charts and breakdowns, from the KPI cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from visibility.formatting import count_with_noun
from visibility.kpi import query
from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.kpi import Kpi, KpiFamily, KpiUnit
from visibility.kpi.query import DaySpan, KpiDimensionFilters, KpiSlice, KpiSummary
from visibility.kpi.registry import kpi_registry
from visibility.screens.charts import Chart
from visibility.screens.kpis import charts as number_charts
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.matrix_and_worst_cells import (
    KpiMatrixByTwoDimensions,
    MatrixCell,
    build_cells_worst_first,
    build_kpi_matrix_by_two_dimensions,
)
from visibility.screens.kpis.sparklines import (
    Sparkline,
    WeeklyValues,
    build_sparkline,
    load_weekly_values,
)
from visibility.screens.kpis.value_and_comparison_texts import (
    KpiComparisonPhraseAndTone,
    KpiDelta,
    format_kpi_value,
)

CYCLE_TIME, UNDELIVERED = "order_cycle_time", "undelivered_orders"
# KPIs of orders come first, those of messages and people's actions last.
FAMILY_ORDER = (KpiFamily.FLOW, KpiFamily.STOCK, KpiFamily.MEASURE)


@dataclass(frozen=True, slots=True)
class ExclusionCount:
    """Why orders or lines are excluded, and how many."""

    code: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class KpiTile:
    """One KPI value with its target, change, population and exclusions."""

    kpi: Kpi
    value: str
    # What the value of a duration is, such as "median age"; else "".
    value_label: str
    p90_text: str
    no_value_reason: str
    population: str
    is_small_sample: bool
    target: KpiComparisonPhraseAndTone
    change: KpiComparisonPhraseAndTone
    delta: KpiDelta | None
    sparkline: Sparkline | None
    excluded_count: int
    reasons: Sequence[ExclusionCount]
    uncountable: int
    uncountable_reasons: Sequence[ExclusionCount]


@dataclass(frozen=True, slots=True)
class UndeliveredBacklog:
    """The number of undelivered orders, and a sentence: cycle time does not include them."""

    orders: int
    text: str


@dataclass(frozen=True, slots=True)
class KpiOverview:
    """Everything on the overview page."""

    headline: Sequence[str]
    backlog: UndeliveredBacklog
    tiles: Sequence[KpiTile]
    charts: Sequence[Chart]
    matrix: KpiMatrixByTwoDimensions
    matrix_kpi: Kpi
    choices: Mapping[Dimension, Sequence[str]]
    empty: bool


@dataclass(frozen=True, slots=True)
class KpiPage:
    """Everything on the page of one KPI."""

    headline: Sequence[str]
    # Only for durations.
    backlog: UndeliveredBacklog | None
    tile: KpiTile
    charts: Sequence[Chart]
    tables: Sequence[tuple[Dimension, str, Sequence[MatrixCell]]]
    choices: Mapping[Dimension, Sequence[str]]


def build_overview(
    *, span: DaySpan, filters: KpiDimensionFilters, matrix: Kpi, now: datetime, range_label: str
) -> KpiOverview:
    """Build the overview page. `range_label` is the label of the date range."""
    kpis = sorted(kpi_registry().values(), key=lambda kpi: FAMILY_ORDER.index(kpi.family))
    current = query.summaries_by_kpi(kpis, span, filters, now=now)
    before = query.summaries_by_kpi(kpis, span.previous(), filters)
    charted = [kpi_registry()["fill_rate"], kpi_registry()["order_cycle_time"]]
    daily = query.daily_summaries_by_kpi(charted, span, filters)
    slices = query.summaries_by_dimensions(matrix, span, ("channel", "warehouse"), filters)
    weekly = load_weekly_values(kpis, span.end, filters)
    tiles = [
        build_tile(kpi, current[kpi.code], before[kpi.code], span, weekly.get(kpi.code, ()))
        for kpi in kpis
    ]
    fill, cycle = charted
    fill_slices = slices if matrix is fill else []
    charts = [
        number_charts.build_daily_kpi_chart_with_target(fill, daily[fill.code], current[fill.code]),
        number_charts.build_weekly_channel_chart(fill, span, filters),
        number_charts.build_daily_kpi_chart_with_target(
            cycle, daily[cycle.code], current[cycle.code]
        ),
    ]
    return KpiOverview(
        headline=_fill_rate_cycle_time_on_time_sentences(
            current, before, span=span, range_label=range_label, slices=fill_slices
        ),
        backlog=_undelivered_order_count_and_age(current[UNDELIVERED]),
        tiles=tiles,
        charts=[chart for chart in charts if chart],
        matrix=build_kpi_matrix_by_two_dimensions(matrix, slices),
        matrix_kpi=matrix,
        choices=query.dimension_values_with_most_orders(span),
        empty=not any(
            current[kpi.code].orders or current[kpi.code].excluded_count
            for kpi in kpis
            if kpi.family is KpiFamily.FLOW
        ),
    )


def build_kpi_page(
    kpi: Kpi, *, span: DaySpan, filters: KpiDimensionFilters, now: datetime, range_label: str
) -> KpiPage:
    """Build the page of one KPI. `range_label` is the label of the date range."""
    current = query.summary(kpi, span, filters, now=now)
    before = query.summary(kpi, span.previous(), filters)
    weekly = load_weekly_values([kpi], span.end, filters)
    kpi_tile = build_tile(kpi, current, before, span, weekly.get(kpi.code, ()))
    daily = query.daily_summaries_by_kpi([kpi], span, filters)[kpi.code]
    charts = [number_charts.build_daily_kpi_chart_with_target(kpi, daily, current)]
    if kpi.family is KpiFamily.STOCK:
        charts.insert(0, number_charts.build_open_orders_chart(kpi, daily, current))
    if kpi.unit is KpiUnit.DURATION:
        charts.append(number_charts.build_duration_histogram_chart(kpi, span, filters, current))
    else:
        charts.append(number_charts.build_weekly_channel_chart(kpi, span, filters))
    sentence = f"{range_label}: {kpi.title.lower()} {kpi_tile.value}"
    if not current.orders:
        sentence = f"{range_label}: no value, {kpi_tile.no_value_reason}"
    clauses = [kpi_tile.population, kpi_tile.target.text, kpi_tile.change.text]
    headline = [sentence, *(clause for clause in clauses if clause and current.orders)]
    if kpi.unit is KpiUnit.DURATION:
        headline[0] += f" ({kpi_tile.value_label}), {kpi_tile.p90_text}" if current.orders else ""
    return KpiPage(
        headline=headline,
        backlog=_load_undelivered_backlog(span, filters, now) if kpi.code == CYCLE_TIME else None,
        tile=kpi_tile,
        charts=[chart for chart in charts if chart],
        tables=[
            (
                dimension,
                title,
                build_cells_worst_first(
                    kpi, query.summaries_by_dimensions(kpi, span, (dimension,), filters)
                ),
            )
            for dimension, title in DIMENSIONS.items()
            if dimension in kpi.dimensions
        ],
        choices=query.dimension_values_with_most_orders(span, kpi.dimensions),
    )


def build_tile(
    kpi: Kpi, current: KpiSummary, before: KpiSummary, span: DaySpan, weeks: WeeklyValues = ()
) -> KpiTile:
    """One KPI value with its target, change, population and exclusions."""
    value = current.median_seconds_or_fraction(kpi)
    p90 = (
        f"P90 {format_kpi_value(kpi, current.p90)}"
        if kpi.unit is KpiUnit.DURATION and current.p90
        else ""
    )
    return KpiTile(
        kpi=kpi,
        value=format_kpi_value(kpi, value),
        value_label=texts.median_age_or_duration_label(kpi) if kpi.unit is KpiUnit.DURATION else "",
        p90_text=p90,
        no_value_reason=texts.no_value_reason(kpi, current) if value is None else "",
        population=texts.describe_counts_behind_kpi_value(kpi, current),
        is_small_sample=current.orders > 0 and current.is_small_sample,
        target=texts.compare_to_target(kpi, value),
        change=texts.compare_to_previous(kpi, current, before, days=span.day_count),
        delta=texts.change_as_chip(kpi, current, before),
        sparkline=build_sparkline(kpi, weeks, span.end),
        excluded_count=current.excluded_count,
        reasons=[
            ExclusionCount(code, texts.exclusion_reason(kpi, code), count)
            for code, count in current.excluded.items()
        ],
        uncountable=sum(current.uncountable.values()),
        uncountable_reasons=[
            ExclusionCount(code, text, count)
            for code, count, text in texts.uncountable_codes_counts_and_texts(current.uncountable)
        ],
    )


def _fill_rate_cycle_time_on_time_sentences(
    current: Mapping[str, KpiSummary],
    before: Mapping[str, KpiSummary],
    *,
    span: DaySpan,
    range_label: str,
    slices: Sequence[KpiSlice],
) -> list[str]:
    """The headline sentences: fill rate and where it is missed, cycle time, on-time delivery."""
    kpis = kpi_registry()
    fill, cycle, on_time = kpis["fill_rate"], kpis["order_cycle_time"], kpis["on_time"]
    fill_summary = current[fill.code]
    if fill_summary.value is None:
        fill_sentence = f"{range_label}: no fill rate, {texts.no_value_reason(fill, fill_summary)}"
    else:
        fill_change = texts.compare_to_previous(
            fill, fill_summary, before[fill.code], days=span.day_count
        )
        fill_sentence = f"{range_label}: line fill {format_kpi_value(fill, fill_summary.value)}"
        fill_sentence += f" (target {texts.format_target(fill)})"
        fill_sentence += f", {fill_change.text}" if fill_change.text else ""
        fill_sentence += _phrase_for_slice_with_most_missed_lines(fill_summary, slices)
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


def _phrase_for_slice_with_most_missed_lines(total: KpiSummary, slices: Sequence[KpiSlice]) -> str:
    """The slice with at least a quarter of the missed lines, as a phrase, else ""."""
    missed = total.denominator - total.numerator
    if not missed or len(slices) < 2:
        return ""
    worst = max(slices, key=lambda s: s.summary.denominator - s.summary.numerator)
    share = (worst.summary.denominator - worst.summary.numerator) / missed
    if share < Decimal("0.25"):
        return ""
    channel, warehouse = map(texts.dimension_value_label, worst.names)
    return f"; {warehouse} {channel} orders are {share * 100:.0f}% of missed lines"


def _load_undelivered_backlog(
    span: DaySpan, filters: KpiDimensionFilters, now: datetime
) -> UndeliveredBacklog:
    kpi = kpi_registry()[UNDELIVERED]
    return _undelivered_order_count_and_age(query.summary(kpi, span, filters, now=now))


def _undelivered_order_count_and_age(age: KpiSummary) -> UndeliveredBacklog:
    if not age.orders or age.median is None or age.oldest is None:
        return UndeliveredBacklog(0, "No undelivered orders")
    return UndeliveredBacklog(
        age.orders,
        f"{count_with_noun(age.orders, 'undelivered order')}, "
        f"median age {texts.format_kpi_duration(age.median)}, "
        f"oldest {texts.format_kpi_duration(age.oldest)}",
    )
