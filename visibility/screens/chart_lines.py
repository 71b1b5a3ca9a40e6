"""The lines of charts over time: traces of whole and partial periods, target, and notes."""

from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Any

from visibility.screens.chart_theme_and_cache import DASHES, GRID, SERIES, SOFT, SYMBOLS
from visibility.screens.chart_values import ChartNote, Series, TargetLine, ValueAxisFormat


def build_line_trace(
    series: Series, axis: ValueAxisFormat, index: int, **properties: Any
) -> dict[str, Any]:
    """The line of the whole periods; a partial one is a gap."""
    trace = dict(
        type="scatter",
        x=[day.isoformat() for day in series.x],
        y=[None if partial else y for y, partial in zip(series.y, _partial(series), strict=True)],
        name=escape_chart_text(series.name),
        customdata=series.orders,
        mode="lines" if series.is_compared else "lines+markers",
        # Do not clip a line along the edge of the plot.
        cliponaxis=False,
        line=_line(series, index),
        hovertemplate=f"%{{y:{axis.format}}}{axis.suffix} (n = %{{customdata}})",
        **properties,
    )
    if series.is_compared:
        del trace["marker"]
    return trace


def build_partial_traces(series: Series, axis: ValueAxisFormat, index: int) -> list[dict[str, Any]]:
    """Hollow points for partial periods, and dotted lines that connect them."""
    partial = _partial(series)
    if not any(partial):
        return []
    points = [n for n, is_partial in enumerate(partial) if is_partial]
    x: list[str | None] = []
    y: list[float | None] = []
    for n in points:
        neighbors = [n + 1] if n and partial[n - 1] else [n - 1, n + 1]
        for other in neighbors:
            if 0 <= other < len(series.x):
                x += [series.x[n].isoformat(), series.x[other].isoformat(), None]
                y += [series.y[n], series.y[other], None]
    shared = {
        "type": "scatter",
        "name": escape_chart_text(series.name),
        "showlegend": False,
        "cliponaxis": False,
    }
    lines = {
        "mode": "lines",
        "x": x,
        "y": y,
        "hoverinfo": "skip",
        "line": _line(series, index) | {"dash": "dot", "width": 1.5},
    }
    markers = {
        "mode": "markers",
        "x": [series.x[n].isoformat() for n in points],
        "y": [series.y[n] for n in points],
        "customdata": [series.orders[n] for n in points],
        "marker": {
            "symbol": f"{SYMBOLS[index]}-open",
            "size": 7,
            "color": _line(series, index)["color"],
        },
        "hovertemplate": f"%{{y:{axis.format}}}{axis.suffix} (n = %{{customdata}}, partial)",
    }
    return [shared | lines, shared | markers]


def build_time_layout(
    axis: ValueAxisFormat,
    target: TargetLine,
    periods: Sequence[tuple[date, date, date]] = (),
    notes: Sequence[ChartNote] = (),
) -> dict[str, Any]:
    """The axes, the target and the notes. `periods`: for the zoom."""
    layout: dict[str, Any] = {
        "xaxis": {"type": "date", "tickformat": "%b %-d", "hoverformat": "%a, %b %-d, %Y"},
        "yaxis": {
            "tickformat": axis.format,
            "ticksuffix": axis.suffix,
            "maxallowed": axis.maximum,
        },
        "shapes": [],
        "annotations": [],
    }
    if axis.ends:
        layout["yaxis"]["range"] = list(axis.ends)
    else:
        layout["yaxis"]["rangemode"] = "tozero"
    if periods:
        layout["meta"] = {"periods": [[day.isoformat() for day in each] for each in periods]}
    _add_target(layout, target, periods)
    for note in notes:
        _add_note(layout, note)
    return layout


def _add_target(
    layout: dict[str, Any], line: TargetLine, periods: Sequence[tuple[date, date, date]]
) -> None:
    """A line across the chart, or a step on each day when the target changed."""
    if len(line.levels) > 1 and periods:
        layout["shapes"] += _target_steps(line, periods)
    elif line.last is not None:
        across = {"x0": 0, "x1": 1, "xref": "x domain", "y0": line.last, "y1": line.last}
        layout["shapes"].append({"type": "line", **across, "yref": "y"})
    if not line.values:
        return
    layout["annotations"].append(
        {
            "text": "target",
            "font": {"color": SOFT},
            "bgcolor": "var(--surface)",
            "xanchor": "left",
            "yanchor": "bottom",
            "x": 0,
            "xref": "x domain",
            "y": line.values[0],
            "yref": "y",
            "name": "target",
        }
    )


def _target_steps(
    line: TargetLine, periods: Sequence[tuple[date, date, date]]
) -> list[dict[str, Any]]:
    """A horizontal line for each target, from its first day on, and a vertical one between two."""
    starts = [periods[0][0], *(day for day, _ in line.levels[1:])]
    last = periods[-1][0] if starts[-1] < periods[-1][0] else periods[-1][2]
    shapes, before = [], None
    for start, end, (_, y) in zip(starts, [*starts[1:], last], line.levels, strict=True):
        if y is not None and before is not None:
            shapes.append(_line_shape(start, start, before, y))
        if y is not None:
            shapes.append(_line_shape(start, end, y, y))
        before = y
    return shapes


def _line_shape(x0: date, x1: date, y0: float, y1: float) -> dict[str, Any]:
    ends = {"x0": x0.isoformat(), "x1": x1.isoformat(), "y0": y0, "y1": y1}
    return {"type": "line", "xref": "x", "yref": "y", **ends}


def _add_note(layout: dict[str, Any], note: ChartNote) -> None:
    """A line on the day of a note, or a band over its days, with its label at the top."""
    start, end = note.start.isoformat(), note.end.isoformat()
    if start != end:
        layout["shapes"].append(
            {
                "type": "rect",
                "x0": start,
                "x1": end,
                "y0": 0,
                "y1": 1,
                "yref": "y domain",
                "layer": "below",
                "fillcolor": GRID,
                "opacity": 0.6,
                "line": {"width": 0},
            }
        )
    layout["shapes"].append(
        {
            "type": "line",
            "x0": start,
            "x1": start,
            "y0": 0,
            "y1": 1,
            "yref": "y domain",
            "line": {"color": SOFT, "width": 1, "dash": "solid"},
        }
    )
    layout["annotations"].append(
        {
            "text": escape_chart_text(note.label),
            "font": {"color": SOFT},
            "bgcolor": "var(--surface)",
            "bordercolor": SOFT,
            "borderpad": 2,
            "x": start,
            "y": 1,
            "yref": "y domain",
            "yanchor": "top",
            "name": "note",
        }
    )


def escape_chart_text(name: str) -> str:
    """Escape a text: plotly interprets some HTML in every text."""
    return escape(name, quote=False)


def _partial(series: Series) -> Sequence[bool]:
    return series.partial or [False] * len(series.x)


def _line(series: Series, index: int) -> dict[str, Any]:
    if series.is_compared:
        return {"color": "var(--line-strong)", "width": 2, "dash": "solid"}
    return {"color": SERIES[index], "width": 2.5, "dash": DASHES[index]}
