"""Build charts as plotly figures, each with a sentence and a table of the same data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

from visibility.screens.chart_theme_and_cache import (
    DASHES,
    SERIES,
    SOFT,
    SYMBOLS,
    build_themed_plotly_figure_dict,
    cached_figure,
)

# A point of fewer orders is drawn hollow.
SMALL_SAMPLE = 30


@dataclass(frozen=True, slots=True)
class ValueAxisFormat:
    """The value axis: a d3 number format and a suffix. `maximum` is the highest allowed value."""

    format: str
    suffix: str = ""
    title: str = ""
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line: dates, values, and the number of orders of each value."""

    name: str
    x: Sequence[date]
    y: Sequence[float | None]
    orders: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, a sentence that summarizes it, and its data as a table."""

    id: str
    title: str
    sentence: str
    figure: Mapping[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def build_line_figure(
    series: Sequence[Series], axis: ValueAxisFormat, *, target: float | None = None
) -> dict[str, Any]:
    """Lines by day with names at their ends and a dashed target."""
    return cached_figure(_draw_lines, _to_hashable_series(series), axis, target)


def build_median_p90_band_figure(
    median: Series, p90: Series, axis: ValueAxisFormat, *, target: float | None
) -> dict[str, Any]:
    """A median line and a P90 line by day with the area between them filled."""
    return cached_figure(_draw_median_p90_band, _to_hashable_series([median, p90]), axis, target)


def build_histogram_figure(
    starts: Sequence[float], names: Sequence[str], counts: Sequence[int], axis: ValueAxisFormat
) -> dict[str, Any]:
    """A histogram with classes of equal width."""
    return cached_figure(_draw_histogram, tuple(starts), tuple(names), tuple(counts), axis)


def _to_hashable_series(series: Sequence[Series]) -> tuple[Series, ...]:
    return tuple(Series(s.name, tuple(s.x), tuple(s.y), tuple(s.orders)) for s in series)


def _draw_lines(
    series: Sequence[Series], axis: ValueAxisFormat, target: float | None
) -> dict[str, Any]:
    many = len(series) > 1
    traces = [
        _build_line_trace(
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
    layout = _build_daily_chart_layout(axis, target)
    if many:
        days = sorted({day.isoformat() for single in series for day in single.x})
        if len(days) <= 14:
            layout["xaxis"].update(tickmode="array", tickvals=days)
        _label_line_ends(layout, series)
    return build_themed_plotly_figure_dict(traces, layout)


def _draw_median_p90_band(
    series: Sequence[Series], axis: ValueAxisFormat, target: float | None
) -> dict[str, Any]:
    traces = [
        _build_line_trace(
            single,
            axis,
            index,
            marker={"symbol": SYMBOLS[index], "size": 5},
            fill=fill,
            fillcolor="var(--running-tint)",
        )
        for index, (single, fill) in enumerate(zip(series, (None, "tonexty"), strict=True))
    ]
    layout = _build_daily_chart_layout(axis, target)
    _label_line_ends(layout, series)
    return build_themed_plotly_figure_dict(traces, layout)


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


def _build_line_trace(
    series: Series, axis: ValueAxisFormat, index: int, **properties: Any
) -> dict[str, Any]:
    return dict(
        type="scatter",
        x=[day.isoformat() for day in series.x],
        y=series.y,
        name=_escape_series_name(series.name),
        customdata=series.orders,
        mode="lines+markers",
        # Do not clip a line along the edge of the plot.
        cliponaxis=False,
        line={"color": SERIES[index], "width": 2.5, "dash": DASHES[index]},
        hovertemplate=f"%{{y:{axis.format}}}{axis.suffix} (n = %{{customdata}})",
        **properties,
    )


def _build_daily_chart_layout(axis: ValueAxisFormat, target: float | None) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": {"type": "date", "tickformat": "%-d %b", "hoverformat": "%a %-d %b %Y"},
        "yaxis": {
            "tickformat": axis.format,
            "ticksuffix": axis.suffix,
            "maxallowed": axis.maximum,
        },
        "shapes": [],
        "annotations": [],
    }
    if target is not None:
        across = {"x0": 0, "x1": 1, "xref": "x domain", "y0": target, "y1": target, "yref": "y"}
        layout["shapes"].append({"type": "line", **across})
        layout["annotations"].append(
            {
                "text": "target",
                "font": {"color": SOFT},
                "bgcolor": "var(--surface)",
                "xanchor": "left",
                "yanchor": "bottom",
                "x": 0,
                "xref": "x domain",
                "y": target,
                "yref": "y",
                "name": "target",
            }
        )
    return layout


def _label_line_ends(layout: dict[str, Any], series: Sequence[Series]) -> None:
    """Annotate each line with its name at its end, without overlaps."""
    known = [value for single in series for value in single.y if value is not None]
    ends: list[tuple[float, int]] = []
    for index, single in enumerate(series[: len(SERIES)]):
        values = [value for value in single.y if value is not None]
        if values:
            ends.append((values[-1], index))
    if not ends:
        return
    gap = (max(known) - min(known) or 1) * 0.09
    last = max(day for single in series for day in single.x).isoformat()
    ends.sort()
    for at, (_, index) in zip(
        _space_label_positions([end for end, _ in ends], gap, max(known)), ends, strict=True
    ):
        layout["annotations"].append(
            {
                "x": last,
                "y": at,
                "text": _shorten_and_escape_name(series[index].name),
                "xanchor": "left",
                "xshift": 10,
                "font": {"color": SERIES[index]},
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
    return _escape_series_name(name if len(name) <= 18 else f"{name[:17]}…")


def _escape_series_name(name: str) -> str:
    """Escape a name: plotly interprets some HTML in every text."""
    return escape(name, quote=False)
