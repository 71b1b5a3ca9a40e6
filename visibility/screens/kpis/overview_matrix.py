"""Build the matrix of channels and warehouses of the overview."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from visibility.kpi.kpi import Kpi, KpiUnit
from visibility.kpi.query import KpiSlice
from visibility.screens.kpis import value_and_comparison_texts
from visibility.screens.kpis.value_and_comparison_texts import format_kpi_value


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One cell of the matrix, or one bar of a breakdown."""

    row: str
    column: str
    value: str
    orders: int
    is_small_sample: bool
    tone: str
    tone_label: str
    bar_width: int


@dataclass(frozen=True, slots=True)
class KpiMatrixByTwoDimensions:
    """Rows by columns, those with the most orders first. None is a cell without orders."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[MatrixCell | None]]]


def build_kpi_matrix_by_two_dimensions(
    kpi: Kpi, slices: Sequence[KpiSlice], target_of: Callable[[KpiSlice], Decimal | None]
) -> KpiMatrixByTwoDimensions:
    """The matrix of slices by two dimensions, such as channel and warehouse.

    `target_of`: the target of a slice.
    """
    weight: dict[tuple[int, str], int] = {}
    for kpi_slice in slices:
        for axis in (0, 1):
            key = (axis, kpi_slice.names[axis])
            weight[key] = weight.get(key, 0) + kpi_slice.summary.orders
    rows, columns = (
        sorted((n for p, n in weight if p == axis), key=lambda n: (-weight[(axis, n)], n))
        for axis in (0, 1)
    )
    known = {kpi_slice.names: kpi_slice for kpi_slice in slices}
    return KpiMatrixByTwoDimensions(
        columns,
        [
            (
                row,
                [
                    _build_matrix_cell(kpi, of, target_of(of))
                    if (of := known.get((row, c)))
                    else None
                    for c in columns
                ],
            )
            for row in rows
        ],
    )


def _build_matrix_cell(kpi: Kpi, kpi_slice: KpiSlice, target: Decimal | None) -> MatrixCell:
    value = kpi_slice.summary.median_seconds_or_fraction(kpi)
    full = float(target or 1) * 2 if kpi.unit is KpiUnit.DURATION else 1.0
    tone = value_and_comparison_texts.target_tone(kpi, value, target)
    return MatrixCell(
        row=kpi_slice.names[0],
        column=kpi_slice.names[-1],
        value=format_kpi_value(kpi, value),
        orders=kpi_slice.summary.orders,
        is_small_sample=kpi_slice.summary.is_small_sample,
        tone=tone,
        tone_label=value_and_comparison_texts.TONE_LABELS[tone],
        bar_width=round(min((value or 0) / full, 1) * 100),
    )
