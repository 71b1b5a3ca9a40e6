"""What the pages of numbers say: sentences, tiles, charts and the matrix, from the cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from visibility.formatting import many
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, Unit
from visibility.kpi.open_order_age import open_age
from visibility.kpi.query import DIMENSIONS, Dimension, Filters, Slice, Span, Summary
from visibility.kpi.registry import shelf
from visibility.screens.charts import Chart
from visibility.screens.kpis import charts as number_charts
from visibility.screens.kpis import labels
from visibility.screens.kpis.labels import Said, figure


@dataclass(frozen=True, slots=True)
class Reason:
    """Why orders are left out, and how many."""

    code: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One number with everything it needs to be believed."""

    kpi: Kpi
    value: str
    beside: str
    none: str
    population: str
    thin: bool
    target: Said
    change: Said
    left_out: int
    reasons: Sequence[Reason]
    aside: int
    asides: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix, or one bar of a breakdown."""

    row: str
    column: str
    value: str
    orders: int
    thin: bool
    tone: str
    word: str
    width: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows by columns, the ones with the most behind them first; None: nothing there."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many orders are not yet delivered, in words too: what a cycle time does not see."""

    orders: int
    text: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page of all numbers."""

    headline: Sequence[str]
    backlog: Backlog
    tiles: Sequence[Tile]
    charts: Sequence[Chart]
    matrix: Matrix
    matrix_kpi: Kpi
    choices: Mapping[Dimension, Sequence[str]]
    empty: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page of one number."""

    headline: Sequence[str]
    # Beside a length of time alone.
    backlog: Backlog | None
    tile: Tile
    charts: Sequence[Chart]
    tables: Sequence[tuple[Dimension, str, Sequence[Cell]]]
    choices: Mapping[Dimension, Sequence[str]]


def overview(*, span: Span, filters: Filters, matrix: Kpi, now: datetime, said: str) -> Overview:
    """The page of all numbers. `said`: the span in words."""
    kpis = list(shelf().values())
    current = query.summaries(kpis, span, filters)
    before = query.summaries(kpis, span.before(), filters)
    daily = query.daily(kpis, span, filters)
    slices = query.breakdown(matrix, span, ("channel", "warehouse"), filters)
    tiles = [tile(kpi, current[kpi.code], before[kpi.code], span) for kpi in kpis]
    fill, cycle = shelf()["fill_rate"], shelf()["order_cycle_time"]
    worst = slices if matrix is fill else []
    charts = [
        number_charts.trend(fill, daily[fill.code], current[fill.code]),
        number_charts.by_channel(fill, span, filters),
        number_charts.trend(cycle, daily[cycle.code], current[cycle.code]),
    ]
    return Overview(
        headline=_headline(current, before, span=span, said=said, slices=worst),
        backlog=_backlog(now, filters),
        tiles=tiles,
        charts=[chart for chart in charts if chart],
        matrix=_matrix(matrix, slices),
        matrix_kpi=matrix,
        choices=query.choices(span),
        empty=not any(s.orders or s.left_out for s in current.values()),
    )


def one(kpi: Kpi, *, span: Span, filters: Filters, now: datetime, said: str) -> Page:
    """The page of one number."""
    current = query.summary(kpi, span, filters)
    before = query.summary(kpi, span.before(), filters)
    made = tile(kpi, current, before, span)
    charts = [number_charts.trend(kpi, query.daily([kpi], span, filters)[kpi.code], current)]
    if kpi.unit is Unit.DURATION:
        charts.append(number_charts.distribution(kpi, span, filters, current))
    else:
        charts.append(number_charts.by_channel(kpi, span, filters))
    sentence = f"{said}: {kpi.title.lower()} {made.value}"
    if not current.orders:
        sentence = f"{said}: no value, {made.none}"
    parts = [made.population, made.target.text, made.change.text]
    headline = [sentence, *(part for part in parts if part and current.orders)]
    if kpi.unit is Unit.DURATION:
        headline[0] += f" (median), {made.beside}" if current.orders else ""
    return Page(
        headline=headline,
        backlog=_backlog(now, filters) if kpi.unit is Unit.DURATION else None,
        tile=made,
        charts=[chart for chart in charts if chart],
        tables=[
            (dimension, title, _ranked(kpi, query.breakdown(kpi, span, (dimension,), filters)))
            for dimension, title in DIMENSIONS.items()
        ],
        choices=query.choices(span),
    )


def tile(kpi: Kpi, current: Summary, before: Summary, span: Span) -> Tile:
    """One number with its target, its change, what stands behind it and what is left out."""
    value = current.headline(kpi)
    slow = f"P90 {figure(kpi, current.p90)}" if kpi.unit is Unit.DURATION and current.p90 else ""
    return Tile(
        kpi=kpi,
        value=figure(kpi, value),
        beside=slow,
        none=labels.why_none(kpi, current) if value is None else "",
        population=labels.population(kpi, current),
        thin=current.orders > 0 and current.thin,
        target=labels.distance(kpi, value),
        change=labels.change(kpi, current, before, days=span.days),
        left_out=current.left_out,
        reasons=[
            Reason(code, labels.reason(kpi, code), count)
            for code, count in current.excluded.items()
        ],
        aside=sum(current.aside.values()),
        asides=[Reason(code, text, count) for code, count, text in labels.set_aside(current.aside)],
    )


def _headline(
    current: Mapping[str, Summary],
    before: Mapping[str, Summary],
    *,
    span: Span,
    said: str,
    slices: Sequence[Slice],
) -> list[str]:
    """The answer in sentences: fill, where it is missed, cycle time, promises kept."""
    kpis = shelf()
    fill, cycle, kept = kpis["fill_rate"], kpis["order_cycle_time"], kpis["on_time"]
    found = current[fill.code]
    if found.value is None:
        said_fill = f"{said}: no fill rate, {labels.why_none(fill, found)}"
    else:
        moved = labels.change(fill, found, before[fill.code], days=span.days)
        said_fill = f"{said}: line fill {figure(fill, found.value)}"
        said_fill += f" (target {labels.plain_target(fill)})"
        said_fill += f", {moved.text}" if moved.text else ""
        said_fill += _mostly(found, slices)
    sentences = [said_fill]
    if current[cycle.code].median is not None:
        sentences.append(
            f"Median cycle {figure(cycle, current[cycle.code].median)}, "
            f"P90 {figure(cycle, current[cycle.code].p90)}"
        )
    if current[kept.code].value is not None:
        sentences.append(f"{figure(kept, current[kept.code].value)} delivered on time")
    return sentences


def _mostly(total: Summary, slices: Sequence[Slice]) -> str:
    """Where most of the misses are, if one place stands out."""
    missed = total.denominator - total.numerator
    if not missed or len(slices) < 2:
        return ""
    worst = max(slices, key=lambda s: s.summary.denominator - s.summary.numerator)
    share = (worst.summary.denominator - worst.summary.numerator) / missed
    if share < Decimal("0.25"):
        return ""
    channel, warehouse = map(labels.name, worst.names)
    return f"; {share * 100:.0f}\u00a0% of the misses are {warehouse} \u00d7 {channel}"


def _backlog(now: datetime, filters: Filters) -> Backlog:
    age = open_age(now, filters)
    if not age.orders or age.median is None or age.oldest is None:
        return Backlog(0, "No order waits for its delivery")
    return Backlog(
        age.orders,
        f"{many(age.orders)} order{'s' if age.orders > 1 else ''} not yet delivered, "
        f"median age {labels.length(age.median.total_seconds())}, "
        f"oldest {labels.length(age.oldest.total_seconds())}",
    )


def _matrix(kpi: Kpi, slices: Sequence[Slice]) -> Matrix:
    weight: dict[tuple[int, str], int] = {}
    for one_slice in slices:
        for place in (0, 1):
            key = (place, one_slice.names[place])
            weight[key] = weight.get(key, 0) + one_slice.summary.orders
    rows, columns = (
        sorted((n for p, n in weight if p == place), key=lambda n: (-weight[(place, n)], n))
        for place in (0, 1)
    )
    known = {one_slice.names: one_slice for one_slice in slices}
    return Matrix(
        columns,
        [
            (row, [_cell(kpi, known[(row, c)]) if (row, c) in known else None for c in columns])
            for row in rows
        ],
    )


def _ranked(kpi: Kpi, slices: Sequence[Slice]) -> list[Cell]:
    """Worst first: by what is missed of a share, by the median of a length of time."""

    def weight(found: Slice) -> float:
        if kpi.unit is Unit.DURATION:
            return -(found.summary.median or 0)
        return -float(found.summary.denominator - found.summary.numerator)

    return [_cell(kpi, one_slice) for one_slice in sorted(slices, key=weight)]


def _cell(kpi: Kpi, found: Slice) -> Cell:
    value = found.summary.headline(kpi)
    full = float(kpi.target or 1) * 2 if kpi.unit is Unit.DURATION else 1.0
    tone = labels.tone(kpi, value)
    return Cell(
        row=found.names[0],
        column=found.names[-1],
        value=figure(kpi, value),
        orders=found.summary.orders,
        thin=found.summary.thin,
        tone=tone,
        word=labels.TONE_WORDS[tone],
        width=round(min((value or 0) / full, 1) * 100),
    )
