"""What charts are made of: axes, lines, notes, and the chart with its sentence and table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from visibility.formatting import format_date


@dataclass(frozen=True, slots=True)
class ValueAxisFormat:
    """The value axis: a d3 number format and a suffix. `maximum` is the highest allowed value.

    `ends`: where the axis starts and ends. Without, it starts at 0.
    """

    format: str
    suffix: str = ""
    title: str = ""
    maximum: float | None = None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line: dates, values, and the number of orders of each value.

    `partial`: whether the period of each value is partial; empty if none is. `is_compared`: the
    line is what the others are compared with.
    """

    name: str
    x: Sequence[date]
    y: Sequence[float | None]
    orders: Sequence[int]
    partial: Sequence[bool] = ()
    is_compared: bool = False


@dataclass(frozen=True, slots=True)
class TargetLine:
    """The target from each of these days on, None without one; no days without any target."""

    levels: tuple[tuple[date, float | None], ...] = ()

    @property
    def values(self) -> list[float]:
        """Every height of the line."""
        return [y for _, y in self.levels if y is not None]

    @property
    def last(self) -> float | None:
        """The height at the end."""
        return self.levels[-1][1] if self.levels else None


NO_TARGET = TargetLine()


@dataclass(frozen=True, slots=True)
class ChartNote:
    """A note in a chart: its days, the label of its line, and its text."""

    start: date
    end: date
    label: str
    text: str

    @property
    def dates(self) -> str:
        """`Tue, Mar 3`, or the first and the last day."""
        first, last = format_date(self.start), format_date(self.end)
        return first if first == last else f"{first} to {last}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, a sentence that summarizes it, and its data as a table.

    `ranges`: the first and last day of each row, if a row is a period. `axis_note`: what the axis
    leaves out. `notes`: the notes in the figure.
    """

    id: str
    title: str
    sentence: str
    figure: Mapping[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    ranges: Sequence[tuple[date, date]] = ()
    axis_note: str = ""
    notes: Sequence[ChartNote] = ()

    @property
    def rows_with_ranges(self) -> list[tuple[Sequence[str], tuple[date, date] | None]]:
        """Each row with its first and last day."""
        ranges: Sequence[tuple[date, date] | None] = self.ranges or [None] * len(self.rows)
        return list(zip(self.rows, ranges, strict=True))
