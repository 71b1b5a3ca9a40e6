"""How much each segment contributes to the change of a KPI value.

With the value R = sum of the numerators / sum of the denominators, a segment contributes
(n1 - R0 * d1) / D1 - (n0 - R0 * d0) / D0: how far it is from the value before, times its share,
now and before. The contributions of all segments of a breakdown add up to R1 - R0 exactly. For a
duration, R is the mean: a median has no such parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from visibility.kpi import query
from visibility.kpi.dimensions import Dimension
from visibility.kpi.kpi import Kpi
from visibility.kpi.query import NO_ORDERS, DaySpan, KpiDimensionFilters, KpiSummary


@dataclass(frozen=True, slots=True)
class KpiSegment:
    """A segment of a breakdown: its values of the dimensions, now and before.

    `before` is None without a comparison. `contribution`: what it adds to the change of the value,
    a fraction or seconds; None if one of the two totals has no value.
    """

    dimensions: tuple[Dimension, ...]
    names: tuple[str, ...]
    summary: KpiSummary
    before: KpiSummary | None
    contribution: Decimal | None


def load_segments(
    kpi: Kpi,
    span: DaySpan,
    compared: DaySpan | None,
    dimensions: Sequence[Dimension],
    filters: KpiDimensionFilters,
) -> list[KpiSegment]:
    """The segments by these dimensions, also those that only one range has.

    Raises TooManyFacts.
    """
    now = {s.names: s.summary for s in _slices(kpi, span, dimensions, filters)}
    if compared is None:
        return [KpiSegment(tuple(dimensions), names, s, None, None) for names, s in now.items()]
    before = {s.names: s.summary for s in _slices(kpi, compared, dimensions, filters)}
    total, total_before = _totals([*now.values()]), _totals([*before.values()])
    return [
        KpiSegment(
            tuple(dimensions),
            names,
            now.get(names, NO_ORDERS),
            before.get(names, NO_ORDERS),
            _contribution(
                now.get(names, NO_ORDERS), before.get(names, NO_ORDERS), total, total_before
            ),
        )
        for names in sorted(now.keys() | before.keys())
    ]


def segments_that_explain_the_change(
    kpi: Kpi, segments: Iterable[KpiSegment], *, least: Decimal, most: int
) -> list[KpiSegment]:
    """Those that contribute at least `least` to a worse value, the worst first."""
    worse = [segment for segment in segments if _worsens(kpi, segment, least)]
    return sorted(worse, key=lambda s: (-abs(s.contribution or Decimal(0)), s.dimensions, s.names))[
        :most
    ]


def change_of_ratio(now: KpiSummary, before: KpiSummary | None) -> Decimal | None:
    """The change of the value that contributions add up to; None without two values."""
    if before is None or now.value is None or before.value is None:
        return None
    return now.value - before.value


def _slices(
    kpi: Kpi, span: DaySpan, dimensions: Sequence[Dimension], filters: KpiDimensionFilters
) -> list[query.KpiSlice]:
    return query.summaries_by_dimensions(kpi, span, dimensions, filters)


def _totals(summaries: Sequence[KpiSummary]) -> tuple[Decimal, Decimal]:
    """The sums of the numerators and of the denominators."""
    return (
        sum((s.numerator for s in summaries), Decimal(0)),
        sum((s.denominator for s in summaries), Decimal(0)),
    )


def _contribution(
    now: KpiSummary,
    before: KpiSummary,
    total: tuple[Decimal, Decimal],
    total_before: tuple[Decimal, Decimal],
) -> Decimal | None:
    if not total[1] or not total_before[1]:
        return None
    ratio = total_before[0] / total_before[1]
    return (now.numerator - ratio * now.denominator) / total[1] - (
        before.numerator - ratio * before.denominator
    ) / total_before[1]


def _worsens(kpi: Kpi, segment: KpiSegment, least: Decimal) -> bool:
    contribution = segment.contribution
    return (
        contribution is not None
        and abs(contribution) >= least
        and (contribution < 0) == kpi.higher_is_better
    )
