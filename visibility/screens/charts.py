"""Charts: plotly figures as plain JSON, one theme of named colours, each with its table.

They are written as the documents that plotly.js draws: `plotly.graph_objects` makes the same of
them at a hundred times the cost, and checks them in the tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any

# The page's stylesheet gives the names their colours, light and dark; the script reads them there.
INK, SOFT, GRID, TARGET = (
    "var(--chart-ink)",
    "var(--chart-soft)",
    "var(--chart-grid)",
    "var(--chart-target)",
)
SERIES = tuple(f"var(--chart-{place})" for place in range(1, 9))
# Told apart without colour too.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "pentagon", "cross")
# Fewer orders than this and a point is drawn hollow.
THIN = 30
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")


@dataclass(frozen=True, slots=True)
class Axis:
    """The scale of a chart's values: a d3 format and what follows the number."""

    format: str
    suffix: str = ""
    title: str = ""
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line: where it has values, and how many orders stand behind each."""

    name: str
    x: Sequence[date]
    y: Sequence[float | None]
    orders: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, the sentence that says what it shows, and the same as a table."""

    id: str
    title: str
    sentence: str
    figure: Mapping[str, Any]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(slots=True)
class _Figure:
    """What plotly.js calls a figure."""

    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    x: dict[str, Any] = field(default_factory=dict)
    y: dict[str, Any] = field(default_factory=dict)

    def add(self, **trace: Any) -> None:
        """One more trace."""
        self.data.append(trace)

    def shape(self, **place: Any) -> None:
        """One more dashed line, for a target."""
        line = {"color": TARGET, "width": 1.5, "dash": "dash"}
        self.layout.setdefault("shapes", []).append({"type": "line", "line": line, **place})

    def annotate(self, **words: Any) -> None:
        """One more word in the drawing."""
        self.layout.setdefault("annotations", []).append(words)

    def document(self) -> dict[str, Any]:
        """As it is sent; what is None is left out."""
        axes = {"xaxis": self.x, "yaxis": self.y}
        return {"data": _told(self.data), "layout": _told(self.layout | axes)}


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items() if one is not None}
    return [_told(one) for one in value] if isinstance(value, list) else value


def lines(series: Sequence[Series], axis: Axis, *, target: float | None = None) -> dict[str, Any]:
    """Lines over days, named at their ends, with the target dashed."""
    figure = _Figure()
    for place, one in enumerate(series[: len(SERIES)]):
        alone = len(series) == 1
        figure.add(
            type="scatter",
            x=[day.isoformat() for day in one.x],
            y=list(one.y),
            name=_data(one.name),
            customdata=list(one.orders),
            mode="lines+markers",
            # A line along the edge is drawn whole.
            cliponaxis=False,
            connectgaps=False,
            line={"color": SERIES[place], "width": 2.5, "dash": DASHES[place]},
            marker={
                "symbol": [
                    SYMBOLS[place] + ("-open" if orders < THIN else "") for orders in one.orders
                ],
                "size": 5 if alone else 7,
            },
            hovertemplate=f"%{{y:{axis.format}}}{axis.suffix} (n = %{{customdata}})",
        )
    _lay_out(figure, axis)
    if target is not None:
        _target(figure, target)
    if len(series) > 1:
        days = sorted({day.isoformat() for one in series for day in one.x})
        if len(days) <= 14:
            figure.x.update(tickmode="array", tickvals=days)
        _name_ends(figure, series)
    return figure.document()


def band(middle: Series, upper: Series, axis: Axis, *, target: float | None) -> dict[str, Any]:
    """A typical value and the slow tenth above it, the space between them tinted."""
    figure = _Figure()
    for place, (one, fill) in enumerate(((middle, None), (upper, "tonexty"))):
        figure.add(
            type="scatter",
            x=[day.isoformat() for day in one.x],
            y=list(one.y),
            name=_data(one.name),
            customdata=list(one.orders),
            mode="lines+markers",
            cliponaxis=False,
            line={"color": SERIES[place], "width": 2.5, "dash": DASHES[place]},
            marker={"symbol": SYMBOLS[place], "size": 5},
            fill=fill,
            fillcolor="var(--chart-band)",
            hovertemplate=f"%{{y:{axis.format}}}{axis.suffix} (n = %{{customdata}})",
        )
    _lay_out(figure, axis)
    if target is not None:
        _target(figure, target)
    _name_ends(figure, [middle, upper])
    return figure.document()


def bars(
    names: Sequence[str],
    values: Sequence[float],
    orders: Sequence[int],
    axis: Axis,
    *,
    target: float | None = None,
) -> dict[str, Any]:
    """Horizontal bars, the first name on top, each with its value written at its end."""
    figure = _Figure()
    figure.add(
        type="bar",
        y=[_data(name) for name in names],
        x=list(values),
        orientation="h",
        customdata=list(orders),
        marker={"color": SERIES[0]},
        texttemplate=f"%{{x:{axis.format}}}{axis.suffix}",
        textposition="auto",
        textfont={"size": 13},
        insidetextfont={"color": "var(--chart-on-bar)"},
        hovertemplate=f"%{{y}}: %{{x:{axis.format}}}{axis.suffix} (n = %{{customdata}})"
        "<extra></extra>",
    )
    _lay_out(figure, axis)
    figure.layout.update(
        hovermode="closest",
        bargap=0.35,
        height=max(150, 70 + 40 * len(names)),
        margin={"l": 8, "r": 24, "t": 8, "b": 36},
    )
    figure.x.update(
        type="linear", tickformat=axis.format, ticksuffix=axis.suffix, showgrid=True, gridcolor=GRID
    )
    figure.y.update(
        type="category", autorange="reversed", tickformat="", ticksuffix=" ", showgrid=False
    )
    if target is not None:
        figure.shape(x0=target, x1=target, xref="x", y0=0, y1=1, yref="y domain")
    return figure.document()


def columns(
    starts: Sequence[float], names: Sequence[str], counts: Sequence[int], axis: Axis
) -> dict[str, Any]:
    """How many orders fall into each class, of equal widths."""
    width = starts[1] - starts[0] if len(starts) > 1 else 1
    figure = _Figure()
    figure.add(
        type="bar",
        x=[start + width / 2 for start in starts],
        y=list(counts),
        width=width * 0.94,
        marker={"color": SERIES[0]},
        customdata=list(names),
        hovertemplate="%{customdata}: %{y} orders<extra></extra>",
    )
    _lay_out(figure, Axis(",d", title="Orders"))
    figure.layout.update(hovermode="closest")
    figure.x.update(type="linear", ticksuffix=axis.suffix, rangemode="tozero")
    figure.y.update(rangemode="tozero")
    return figure.document()


def _lay_out(figure: _Figure, axis: Axis) -> None:
    figure.layout.update(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13, "family": "inherit"},
        hoverlabel={"bgcolor": "var(--chart-paper)", "bordercolor": GRID, "font": {"color": INK}},
        hovermode="x unified",
        showlegend=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
        margin={"l": 8, "r": 20, "t": 12, "b": 32},
        height=280,
    )
    figure.x.update(
        type="date",
        showgrid=False,
        linecolor=GRID,
        tickfont={"color": SOFT},
        tickformat="%-d %b",
        hoverformat="%a %-d %b %Y",
        nticks=8,
        automargin=True,
        fixedrange=True,
    )
    figure.y.update(
        tickformat=axis.format,
        ticksuffix=axis.suffix,
        gridcolor=GRID,
        zeroline=False,
        tickfont={"color": SOFT},
        nticks=6,
        automargin=True,
        fixedrange=True,
        maxallowed=axis.most,
    )


def _target(figure: _Figure, target: float) -> None:
    figure.shape(x0=0, x1=1, xref="x domain", y0=target, y1=target, yref="y")
    figure.annotate(
        text="target",
        font={"color": SOFT, "size": 12},
        bgcolor="var(--chart-paper)",
        xanchor="left",
        yanchor="bottom",
        x=0,
        xref="x domain",
        y=target,
        yref="y",
        showarrow=False,
        name="target",
    )


def _name_ends(figure: _Figure, series: Sequence[Series]) -> None:
    """The name of each line at its end, pushed apart where two would lie on each other."""
    known = [value for one in series for value in one.y if value is not None]
    ends: list[tuple[float, int]] = []
    for place, one in enumerate(series[: len(SERIES)]):
        told = [value for value in one.y if value is not None]
        if told:
            ends.append((told[-1], place))
    if not ends:
        return
    gap = (max(known) - min(known) or 1) * 0.09
    last = max(day for one in series for day in one.x).isoformat()
    ends.sort()
    for at, (_, place) in zip(_apart([end for end, _ in ends], gap, max(known)), ends, strict=True):
        figure.annotate(
            x=last,
            y=at,
            text=_short(series[place].name),
            xanchor="left",
            xshift=10,
            showarrow=False,
            font={"color": SERIES[place], "size": 12},
            name="end",
        )
    figure.layout["margin"]["r"] = 16 + 7 * max(len(_short(one.name)) for one in series)


def _apart(ends: Sequence[float], gap: float, most: float) -> list[float]:
    """Rising places at least so far from each other; none above `most`, where it is not drawn."""
    places: list[float] = []
    for end in ends:
        places.append(max(end, places[-1] + gap) if places else end)
    for place in reversed(range(len(places))):
        above = places[place + 1] - gap if place + 1 < len(places) else most
        places[place] = min(places[place], above)
    return places


def _short(name: str) -> str:
    """Fits beside a chart."""
    return _data(name if len(name) <= 18 else f"{name[:17]}…")


def _data(name: str) -> str:
    """Plotly reads a little markup in every text: names from outside must not be any."""
    return escape(name, quote=False)
