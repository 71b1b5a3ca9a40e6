"""Build the breakdown of a KPI by one or two dimensions, and what explains its change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from visibility.kpi.contributions import (
    KpiSegment,
    load_segments,
    segments_that_explain_the_change,
)
from visibility.kpi.dimensions import DIMENSIONS, Dimension
from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.query import SMALL_SAMPLE, KpiSummary, TooManyFacts
from visibility.kpi.targets import KpiTargets
from visibility.screens.kpis import value_and_comparison_texts as texts
from visibility.screens.kpis.selection import KpiSelection, breakdown_dimensions
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value

# More rows or columns are counted, and not shown.
MAX_ROWS, MAX_TABLE_ROWS, MAX_COLUMNS, MAX_EXPLAINING = 200, 10, 12, 8
TargetOfSegment = Callable[[KpiSegment], Decimal | None]


@dataclass(frozen=True, slots=True)
class BreakdownCell:
    """A cell around the target: its value, number, tone, and contribution to the change.

    `filters`: the value of each dimension, which select the orders behind the cell.
    """

    filters: dict[Dimension, str]
    value: str
    orders: int
    is_small_sample: bool
    tone: str
    tone_label: str
    before: str
    contribution: str
    contribution_tone: str
    # Percent of the largest contribution, for the bar.
    contribution_width: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Rows by columns, those with the most orders first. None is a cell without orders.

    With one dimension each row has one cell, and rows are sorted by contribution, the worst first.
    `problem`: why there is none.
    """

    dimensions: tuple[Dimension, ...]
    columns: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[BreakdownCell | None]]] = ()
    rows_omitted: int = 0
    columns_omitted: int = 0
    problem: str = ""

    @property
    def title(self) -> str:
        """`Channel and warehouse`."""
        return " and ".join(DIMENSIONS[name] for name in self.dimensions).capitalize()


@dataclass(frozen=True, slots=True)
class ExplainingSegment:
    """A segment with its dimensions in words: `Warehouse Dallas, channel Web`."""

    label: str
    cell: BreakdownCell


@dataclass(frozen=True, slots=True)
class KpiBreakdowns:
    """The breakdown by the selected dimensions, by each dimension, and what explains the change.

    `segments`: those of each dimension and of the selected pair, for exports.
    """

    selected: Breakdown
    tables: Sequence[Breakdown]
    explaining: Sequence[ExplainingSegment]
    segments: Sequence[tuple[tuple[Dimension, ...], Sequence[KpiSegment]]]
    explaining_segments: Sequence[KpiSegment]


def load_breakdowns(kpi: Kpi, selection: KpiSelection, targets: KpiTargets) -> KpiBreakdowns:
    """Load every breakdown of a KPI page. Raises TooManyFacts."""
    groups: dict[tuple[Dimension, ...], Sequence[KpiSegment]] = {
        (name,): _load(kpi, selection, (name,)) for name in DIMENSIONS if name in kpi.dimensions
    }
    wanted, problem = breakdown_dimensions(kpi, selection.by), ""
    if wanted not in groups:
        try:
            groups[wanted] = _load(kpi, selection, wanted)
        except TooManyFacts as error:
            problem = f"This combination has {error}. Choose a shorter date range or one dimension."
    selected = Breakdown(wanted, problem=problem)

    def target_of(segment: KpiSegment) -> Decimal | None:
        return target_of_segment(kpi, selection, targets, segment)

    if not problem:
        selected = build_breakdown(kpi, groups[wanted], wanted, target_of, most=MAX_ROWS)
    explaining = _explaining(kpi, selection, groups)
    return KpiBreakdowns(
        selected,
        [
            build_breakdown(kpi, segments, dimensions, target_of, most=MAX_TABLE_ROWS)
            for dimensions, segments in groups.items()
            if len(dimensions) == 1
        ],
        _describe_explaining(kpi, explaining, target_of),
        list(groups.items()),
        explaining,
    )


def _load(
    kpi: Kpi, selection: KpiSelection, dimensions: tuple[Dimension, ...]
) -> Sequence[KpiSegment]:
    """The segments, the worst first."""
    segments = load_segments(kpi, selection.span, selection.compared, dimensions, selection.filters)
    return sorted(segments, key=lambda s: (_badness(kpi, s), -s.summary.orders, s.names))


def target_of_segment(
    kpi: Kpi, selection: KpiSelection, targets: KpiTargets, segment: KpiSegment
) -> Decimal | None:
    """The target of a segment on the last day of the range."""
    return targets.target_of_slice(
        kpi, selection.filters, segment.dimensions, segment.names, selection.span.end
    )


def build_breakdown(
    kpi: Kpi,
    segments: Sequence[KpiSegment],
    dimensions: tuple[Dimension, ...],
    target_of: TargetOfSegment,
    *,
    most: int,
) -> Breakdown:
    """A table of one dimension, the worst first, or a matrix of two; at most `most` rows."""
    largest = _largest(segments)
    cells = {s.names: build_cell(kpi, s, largest, target_of(s)) for s in segments}
    if len(dimensions) == 1:
        rows = [(_label(s.names[0]), [cells[s.names]]) for s in segments[:most]]
        return Breakdown(dimensions, [], rows, max(len(segments) - most, 0))
    row_names, column_names = (_names_with_most_orders(segments, axis) for axis in (0, 1))
    return Breakdown(
        dimensions,
        [_label(name) for name in column_names[:MAX_COLUMNS]],
        [
            (_label(row), [cells.get((row, column)) for column in column_names[:MAX_COLUMNS]])
            for row in row_names[:most]
        ],
        max(len(row_names) - most, 0),
        max(len(column_names) - MAX_COLUMNS, 0),
    )


def _explaining(
    kpi: Kpi,
    selection: KpiSelection,
    groups: Mapping[tuple[Dimension, ...], Sequence[KpiSegment]],
) -> list[KpiSegment]:
    """Segments of dimensions that no filter has fixed: such a segment would be the whole value."""
    fixed = set(selection.filters.filtered_values_by_dimension())
    free = [s for names, group in groups.items() if not fixed & set(names) for s in group]
    return segments_that_explain_the_change(
        kpi, free, least=smallest_shown_contribution(kpi), most=MAX_EXPLAINING
    )


def _describe_explaining(
    kpi: Kpi, segments: Sequence[KpiSegment], target_of: TargetOfSegment
) -> list[ExplainingSegment]:
    largest = _largest(segments)
    return [
        ExplainingSegment(
            ", ".join(
                f"{DIMENSIONS[dimension]} {_label(name)}"
                for dimension, name in zip(segment.dimensions, segment.names, strict=True)
            ),
            build_cell(kpi, segment, largest, target_of(segment)),
        )
        for segment in segments
    ]


def build_cell(
    kpi: Kpi, segment: KpiSegment, largest: Decimal, target: Decimal | None
) -> BreakdownCell:
    """The cell of a segment; `largest` is the largest contribution beside it."""
    value = segment.summary.median_seconds_or_fraction(kpi)
    tone = texts.target_tone(kpi, value, target)
    contribution = segment.contribution
    if contribution is not None and abs(contribution) < smallest_shown_contribution(kpi):
        contribution = Decimal(0)
    worse = contribution is not None and (contribution < 0) == kpi.higher_is_better
    text = format_contribution(kpi, contribution)
    return BreakdownCell(
        filters=dict(zip(segment.dimensions, segment.names, strict=True)),
        value=format_kpi_value(kpi, value),
        orders=segment.summary.orders,
        is_small_sample=segment.summary.orders < SMALL_SAMPLE,
        tone=tone,
        tone_label=texts.TONE_LABELS[tone],
        before=_value_before(kpi, segment.before),
        contribution=text,
        contribution_tone="unknown" if not contribution else "late" if worse else "ok",
        contribution_width=round(abs(contribution) / largest * 100)
        if contribution and largest
        else 0,
    )


def format_contribution(kpi: Kpi, contribution: Decimal | None) -> str:
    """`+0.9 points`, `+2.0 h`, with a minus sign if it is lower; "" if there is none."""
    if contribution is None:
        return ""
    sign = "\u2212" if contribution < 0 else "+" if contribution else ""
    if kpi.unit is KpiUnit.DURATION:
        return f"{sign}{texts.format_kpi_duration(abs(float(contribution)))}"
    return f"{sign}{abs(contribution) * 100:.1f}\u00a0points"


def smallest_shown_contribution(kpi: Kpi) -> Decimal:
    """0.05 points, or half a second."""
    return Decimal("0.5") if kpi.unit is KpiUnit.DURATION else Decimal("0.0005")


def _value_before(kpi: Kpi, before: KpiSummary | None) -> str:
    if before is None:
        return ""
    return format_kpi_value(kpi, before.median_seconds_or_fraction(kpi))


def _largest(segments: Sequence[KpiSegment]) -> Decimal:
    return max((abs(s.contribution) for s in segments if s.contribution), default=Decimal(0))


def _badness(kpi: Kpi, segment: KpiSegment) -> Decimal:
    """Lower is worse."""
    contribution = segment.contribution
    if contribution is None:
        counts = segment.summary
        missed = counts.denominator - counts.numerator
        return -missed if kpi.higher_is_better else -counts.numerator
    return contribution if kpi.higher_is_better else -contribution


def _names_with_most_orders(segments: Sequence[KpiSegment], axis: int) -> list[str]:
    weight: dict[str, int] = {}
    for segment in segments:
        name = segment.names[axis]
        weight[name] = weight.get(name, 0) + segment.summary.orders
    return sorted(weight, key=lambda name: (-weight[name], name))


def _label(name: str) -> str:
    return texts.dimension_value_label(name)
