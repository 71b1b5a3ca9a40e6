"""Build charts as plotly figures, each with a sentence and a table of the same data."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from visibility.screens.chart_lines import (
    build_line_trace,
    build_partial_traces,
    build_time_layout,
    escape_chart_text,
)
from visibility.screens.chart_theme_and_cache import (
    SERIES,
    SOFT,
    SYMBOLS,
    build_themed_plotly_figure_dict,
    cached_figure,
)
from visibility.screens.chart_values import (
    NO_TARGET,
    Chart,
    ChartNote,
    Series,
    TargetLine,
    ValueAxisFormat,
)

__all__ = [
    "Chart",
    "ChartNote",
    "Series",
    "TargetLine",
    "ValueAxisFormat",
    "build_histogram_figure",
    "build_line_figure",
    "build_median_p90_band_figure",
]

# A point of fewer orders is drawn hollow.
SMALL_SAMPLE = 30
# An axis of so few days has a label for each of them.
FEW_DAYS = 5


def build_line_figure(
    series: Sequence[Series],
    axis: ValueAxisFormat,
    *,
    target: TargetLine = NO_TARGET,
    periods: Sequence[tuple[date, date, date]] = (),
    notes: Sequence[ChartNote] = (),
) -> dict[str, Any]:
    """Lines by period with names at their ends, a dashed target, and notes.

    `periods`: the position of each period with its first and last day, which the zoom selects.
    """
    return cached_figure(
        _draw_lines, _to_hashable_series(series), axis, target, tuple(periods), tuple(notes)
    )


def build_median_p90_band_figure(
    median: Series,
    p90: Series,
    axis: ValueAxisFormat,
    *,
    target: TargetLine,
    compared: Series | None = None,
    periods: Sequence[tuple[date, date, date]] = (),
    notes: Sequence[ChartNote] = (),
) -> dict[str, Any]:
    """A median line and a P90 line by period with the area between them filled."""
    series = _to_hashable_series([median, p90, *([compared] if compared else [])])
    return cached_figure(_draw_median_p90_band, series, axis, target, tuple(periods), tuple(notes))


def build_histogram_figure(
    starts: Sequence[float], names: Sequence[str], counts: Sequence[int], axis: ValueAxisFormat
) -> dict[str, Any]:
    """A histogram with classes of equal width."""
    return cached_figure(_draw_histogram, tuple(starts), tuple(names), tuple(counts), axis)


def _to_hashable_series(series: Sequence[Series]) -> tuple[Series, ...]:
    return tuple(
        replace(s, x=tuple(s.x), y=tuple(s.y), orders=tuple(s.orders), partial=tuple(s.partial))
        for s in series
    )


def _draw_lines(
    series: Sequence[Series],
    axis: ValueAxisFormat,
    target: TargetLine,
    periods: Sequence[tuple[date, date, date]],
    notes: Sequence[ChartNote],
) -> dict[str, Any]:
    many = sum(not single.is_compared for single in series) > 1
    traces = [
        build_line_trace(
            single,
            axis,
            index,
            connectgaps=False,
            marker={
                "symbol": [
                    SYMBOLS[index] + ("-open" if orders < SMALL_SAMPLE else "")
                    for orders in single.orders
                ],
                "size": 7 if many else 5,
            },
        )
        for index, single in enumerate(series[: len(SERIES)])
    ]
    layout = build_time_layout(axis, target, periods, notes)
    _label_each_day_of_few(layout, series, most=14 if many else FEW_DAYS)
    if len(series) > 1:
        _label_line_ends(layout, series, axis)
    return build_themed_plotly_figure_dict([*traces, *_partial_traces(series, axis)], layout)


def _draw_median_p90_band(
    series: Sequence[Series],
    axis: ValueAxisFormat,
    target: TargetLine,
    periods: Sequence[tuple[date, date, date]],
    notes: Sequence[ChartNote],
) -> dict[str, Any]:
    fills = (None, "tonexty", None)
    traces = [
        build_line_trace(
            single,
            axis,
            index,
            marker={"symbol": SYMBOLS[index], "size": 5},
            fill=fill,
            fillcolor="var(--running-tint)",
        )
        for index, (single, fill) in enumerate(zip(series, fills, strict=False))
    ]
    layout = build_time_layout(axis, target, periods, notes)
    _label_each_day_of_few(layout, series)
    _label_line_ends(layout, series, axis)
    return build_themed_plotly_figure_dict([*traces, *_partial_traces(series, axis)], layout)


def _label_each_day_of_few(
    layout: dict[str, Any], series: Sequence[Series], *, most: int = FEW_DAYS
) -> None:
    """Label each day if there are at most `most`: plotly would label hours, as the same day."""
    days = sorted({day.isoformat() for single in series for day in single.x})
    if len(days) <= most:
        layout["xaxis"].update(tickmode="array", tickvals=days)


def _partial_traces(series: Sequence[Series], axis: ValueAxisFormat) -> list[dict[str, Any]]:
    return [
        trace
        for index, single in enumerate(series[: len(SERIES)])
        for trace in build_partial_traces(single, axis, index)
    ]


def _draw_histogram(
    starts: Sequence[float], names: Sequence[str], counts: Sequence[int], axis: ValueAxisFormat
) -> dict[str, Any]:
    width = starts[1] - starts[0] if len(starts) > 1 else 1
    bar = {
        "type": "bar",
        "x": [start + width / 2 for start in starts],
        "y": counts,
        "width": width * 0.94,
        "marker": {"color": SERIES[0]},
        "customdata": names,
        "hovertemplate": "%{customdata}: %{y} orders<extra></extra>",
    }
    layout = {
        "hovermode": "closest",
        "xaxis": {"type": "linear", "ticksuffix": axis.suffix, "rangemode": "tozero"},
        "yaxis": {"tickformat": ",d", "rangemode": "tozero"},
    }
    return build_themed_plotly_figure_dict([bar], layout)


def _label_line_ends(
    layout: dict[str, Any], series: Sequence[Series], axis: ValueAxisFormat
) -> None:
    """Annotate each line with its name at its end, without overlaps."""
    known = [value for single in series for value in single.y if value is not None]
    ends: list[tuple[float, int]] = []
    for index, single in enumerate(series[: len(SERIES)]):
        values = [value for value in single.y if value is not None]
        if values:
            ends.append((values[-1], index))
    if not ends:
        return
    low, high = axis.ends or (min(known), max(known))
    gap = ((high - low) or 1) * 0.12
    last = max(day for single in series for day in single.x).isoformat()
    ends.sort()
    for at, (_, index) in zip(
        _space_label_positions([end for end, _ in ends], gap, max(high, max(known))),
        ends,
        strict=True,
    ):
        layout["annotations"].append(
            {
                "x": last,
                "y": at,
                "text": _shorten_and_escape_name(series[index].name),
                "xanchor": "left",
                "xshift": 10,
                "bgcolor": "var(--surface)",
                "font": {"color": SOFT if series[index].is_compared else SERIES[index]},
                "name": "end",
            }
        )
    layout["margin"] = {
        "r": 16 + 7 * max(len(_shorten_and_escape_name(single.name)) for single in series)
    }


def _space_label_positions(ends: Sequence[float], gap: float, maximum: float) -> list[float]:
    """Spread rising positions to at least `gap` apart, none above `maximum`."""
    positions: list[float] = []
    for end in ends:
        positions.append(max(end, positions[-1] + gap) if positions else end)
    for index in reversed(range(len(positions))):
        above = positions[index + 1] - gap if index + 1 < len(positions) else maximum
        positions[index] = min(positions[index], above)
    return positions


def _shorten_and_escape_name(name: str) -> str:
    """A series name short enough for the margin."""
    return escape_chart_text(name if len(name) <= 18 else f"{name[:17]}…")
