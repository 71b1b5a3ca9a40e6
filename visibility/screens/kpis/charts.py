"""The charts of a number: by day, by channel, how it spreads; each with its sentence and table."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from visibility.formatting import many
from visibility.kpi import query
from visibility.kpi.kpi import Kpi, Unit
from visibility.kpi.query import Filters, Span, Summary
from visibility.screens import charts
from visibility.screens.charts import Axis, Chart, Series
from visibility.screens.kpis import labels
from visibility.screens.kpis.labels import figure

DAY = 86_400
# Channels beyond this many stand in the table only.
SHOWN = 5


def trend(kpi: Kpi, daily: Sequence[tuple[date, Summary]], total: Summary) -> Chart | None:
    """The number day by day against its target."""
    if not total.orders:
        return None
    days = [day for day, _ in daily]
    orders = [found.orders for _, found in daily]
    axis, scale = _axis(kpi, total)
    target = float(kpi.target) / scale if kpi.target is not None else None
    if kpi.unit is Unit.DURATION:
        typical = Series("Median", days, [_scaled(f.median, scale) for _, f in daily], orders)
        slow = Series("P90", days, [_scaled(f.p90, scale) for _, f in daily], orders)
        drawn = charts.band(typical, slow, axis, target=target)
        head = ["Day", "Median", "P90", "Orders"]
        rows = [
            [
                f"{d:%a %d %b}",
                figure(kpi, f.median),
                figure(kpi, f.p90),
                many(f.orders),
            ]
            for d, f in daily
        ]
        sentence = (
            f"Half of the orders took at most {figure(kpi, total.median)}, nine in ten at most "
            f"{figure(kpi, total.p90)}."
        )
    else:
        values = [_scaled(found.headline(kpi), 1) for _, found in daily]
        drawn = charts.lines([Series(kpi.title, days, values, orders)], axis, target=target)
        head = ["Day", kpi.title, f"Of {kpi.counted}", "Orders"]
        rows = [
            [
                f"{d:%a %d %b}",
                figure(kpi, f.value),
                f"{many(f.numerator)} of {many(f.denominator)}",
                many(f.orders),
            ]
            for d, f in daily
        ]
        sentence = _trend_sentence(kpi, daily, total)
    return Chart(f"{kpi.code}-by-day", f"{kpi.title} by day", sentence, drawn, head, rows)


def by_channel(kpi: Kpi, span: Span, filters: Filters) -> Chart | None:
    """The number by channel and week, the largest channels drawn."""
    weeks = query.by_week(kpi, span, "channel", filters)
    grouped = {key: list(rows) for key, rows in groupby(weeks, key=lambda row: row[0])}
    if not grouped:
        return None
    order = sorted(grouped, key=lambda key: -sum(s.orders for _, _, s in grouped[key]))
    series = [
        Series(
            labels.name(channel),
            [week for _, week, _ in grouped[channel]],
            [_scaled(found.headline(kpi), 1) for _, _, found in grouped[channel]],
            [found.orders for _, _, found in grouped[channel]],
        )
        for channel in order[:SHOWN]
    ]
    totals = {
        channel: (
            sum((s.numerator for _, _, s in rows), Decimal(0)),
            sum((s.denominator for _, _, s in rows), Decimal(0)),
        )
        for channel, rows in grouped.items()
    }
    solid = {
        channel
        for channel, rows in grouped.items()
        if sum(found.orders for _, _, found in rows) >= query.THIN
    }
    shares = {c: up / down for c, (up, down) in totals.items() if down and c in solid}
    sentence = f"No channel has {query.THIN} orders: too few to compare."
    if shares:
        low, high = min(shares, key=lambda c: shares[c]), max(shares, key=lambda c: shares[c])
        sentence = (
            f"{labels.name(high)} is best with {figure(kpi, shares[high])}, "
            f"{labels.name(low)} last with {figure(kpi, shares[low])}."
            if high != low
            else f"{labels.name(high)}: {figure(kpi, shares[high])}."
        )
    target = float(kpi.target) if kpi.target is not None else None
    drawn = charts.lines(series, _axis(kpi, query.NOTHING)[0], target=target)
    rows = [
        [labels.name(c), f"{w:%a %d %b}", figure(kpi, s.value), many(s.orders)]
        for c in order
        for _, w, s in grouped[c]
    ]
    title = f"{kpi.title} by channel and week"
    head = ["Channel", "Week of", kpi.title, "Orders"]
    return Chart(f"{kpi.code}-by-channel", title, sentence, drawn, head, rows)


def distribution(kpi: Kpi, span: Span, filters: Filters, total: Summary) -> Chart | None:
    """How the orders spread over the lengths of time; the slowest share the last class."""
    if not total.orders or not total.p90:
        return None
    axis, scale = _axis(kpi, total)
    classes = 20
    width = max(total.p90 * 1.6 / classes, 60.0)
    counts = query.classes(kpi, span, filters, width=width, count=classes)
    starts = [place * width / scale for place in range(classes)]
    rows = [
        [
            f"{figure(kpi, place * width)} to {figure(kpi, (place + 1) * width)}"
            if place < classes - 1
            else f"{figure(kpi, place * width)} and more",
            many(count),
        ]
        for place, count in enumerate(counts)
    ]
    sentence = (
        f"Most orders lie around {figure(kpi, total.median)}; the slowest tenth take more than "
        f"{figure(kpi, total.p90)}."
    )
    drawn = charts.columns(starts, [row[0] for row in rows], counts, Axis(".1f", axis.suffix))
    head = [kpi.title, "Orders"]
    return Chart(
        f"{kpi.code}-spread", f"How {kpi.title.lower()} spreads", sentence, drawn, head, rows
    )


def _axis(kpi: Kpi, total: Summary) -> tuple[Axis, float]:
    """The scale, and what a value is divided by for it."""
    if kpi.unit is Unit.PERCENT:
        return Axis(".1%", most=1.0005), 1
    if (total.p90 or DAY * 2) >= DAY * 2:
        return Axis(".1f", " d"), DAY
    return Axis(".1f", " h"), 3_600


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else round(value / scale, 4)


def _trend_sentence(kpi: Kpi, daily: Sequence[tuple[date, Summary]], total: Summary) -> str:
    """From the first third to the last third: days alone jump too much to be compared."""
    third = max(len(daily) // 3, 1)
    first, last = _share(daily[:third]), _share(daily[-third:])
    if first is None or last is None or len(daily) < 3:
        return f"{kpi.title} is {figure(kpi, total.value)}."
    verb = "rose" if last > first else "fell"
    if abs(last - first) < Decimal("0.001"):
        return f"{kpi.title} held at {figure(kpi, last)}."
    target = f"; target {labels.plain_target(kpi)}" if kpi.target is not None else ""
    return f"{kpi.title} {verb} from {figure(kpi, first)} to {figure(kpi, last)}{target}."


def _share(days: Sequence[tuple[date, Summary]]) -> Decimal | None:
    down = sum((found.denominator for _, found in days), Decimal(0))
    return sum((found.numerator for _, found in days), Decimal(0)) / down if down else None
