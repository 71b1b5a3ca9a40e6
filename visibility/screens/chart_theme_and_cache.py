"""The theme of all charts: one plotly layout template, and the cache of figures.

plotly is imported when the first figure is built: it takes about 30 MB, and only web processes draw
charts. Figures are cached by their values, so a page that is served again builds none.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

# Names of colors: the style sheet defines each for light and dark, `static/js/charts.js` reads it.
INK, SOFT, GRID, TARGET = (
    "var(--ink)",
    "var(--quiet)",
    "var(--line)",
    "var(--line-strong)",
)
SERIES = tuple(f"var(--chart-{number})" for number in range(1, 9))
# Lines also differ in symbol and dash, for readers who cannot tell the colors apart.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "pentagon", "cross")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
# The name under which plotly knows the shared layout template.
TEMPLATE = "throughline"
# A figure of 90 days takes about 30 kB.
CACHED_FIGURES = 128
LAYOUT: Mapping[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": INK, "size": 13, "family": "inherit"},
    "hoverlabel": {"bgcolor": "var(--surface)", "bordercolor": GRID, "font": {"color": INK}},
    "hovermode": "x unified",
    "showlegend": False,
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
    "margin": {"l": 8, "r": 20, "t": 12, "b": 32},
    "height": 280,
    "xaxis": {
        "showgrid": False,
        "gridcolor": GRID,
        # plotly.js draws a line for a `linecolor` of the figure, but not for one of its template.
        "showline": True,
        "linecolor": GRID,
        "tickfont": {"color": SOFT},
        "nticks": 8,
        "automargin": True,
        "fixedrange": True,
    },
    "yaxis": {
        "gridcolor": GRID,
        "zeroline": False,
        "tickfont": {"color": SOFT},
        "nticks": 6,
        "automargin": True,
        "fixedrange": True,
    },
    "shapedefaults": {"line": {"color": TARGET, "width": 1.5, "dash": "dash"}},
    "annotationdefaults": {"showarrow": False, "font": {"size": 12}},
}


@lru_cache(maxsize=CACHED_FIGURES)
def cached_figure(draw: Callable[..., dict[str, Any]], *values: Any) -> dict[str, Any]:
    """The figure that `draw` builds from these values; callers must not change it.

    The values decide everything in a figure: what a reader may not see, or what another time zone
    or date range would count differently, gives other values and so another entry.
    """
    return draw(*values)


@lru_cache(maxsize=1)
def _import_plotly_with_template() -> Any:
    """Import `plotly.graph_objects` and register the shared template, once per process."""
    import plotly.graph_objects as go  # type: ignore[import-untyped]  # it ships no types
    import plotly.io as pio  # type: ignore[import-untyped]  # it ships no types

    pio.templates[TEMPLATE] = go.layout.Template(layout=LAYOUT)
    return go


def build_themed_plotly_figure_dict(
    traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]
) -> dict[str, Any]:
    """The figure as plotly.js draws it; plotly raises ValueError for an unknown property."""
    # Traces are dicts with a `type`: a `Scatter` would be validated here a second time.
    figure = _import_plotly_with_template().Figure(
        data=traces, layout={"template": TEMPLATE, **layout}
    )
    document: dict[str, Any] = figure.to_plotly_json()
    return document
