"""The template context that all KPI pages share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from visibility.kpi.dimensions import DIMENSIONS
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.kpis.chart_sentences import PERIOD_NOUNS
from visibility.screens.kpis.selection import COMPARISON_LABELS
from visibility.screens.kpis.value_and_comparison_texts import dimension_value_label
from visibility.web.date_range import MAIN_PRESETS, MAX_DAYS, PRESETS
from visibility.web.kpi_query_string import FILTER_PARAMS, UNKNOWN_PARAM, KpiRequest


def shared_kpi_context(
    asked: KpiRequest, now: datetime, choices: Mapping[Any, Any]
) -> dict[str, Any]:
    """The template context that all KPI pages share: range, presets, filters, comparison."""
    span, selects = asked.span, []
    for name, field in FILTER_PARAMS.items():
        if field not in choices and name not in asked.query:
            continue
        chosen = asked.query.get(name, "")
        options = [(v or UNKNOWN_PARAM, dimension_value_label(v)) for v in choices.get(field, [])]
        if chosen and chosen not in [value for value, _ in options]:
            options.append((chosen, chosen))
        title = DIMENSIONS[field]
        selects.append((name, title, options, chosen))
    return {
        "asked": asked,
        "now": now,
        "problems": processing_lag_notices(now),
        "selects": selects,
        "chips": [
            (title, dict(options).get(chosen, chosen), asked.query_string_with(**{name: ""}))
            for name, title, options, chosen in selects
            if chosen
        ],
        "presets": [
            (
                preset.label,
                asked.query_string_with(**{"from": preset.code, "to": "", "day": ""}),
                preset.code == asked.preset,
                preset.code in MAIN_PRESETS,
            )
            for preset in PRESETS.values()
        ],
        "comparisons": [
            (label, asked.query_string_with(compare=comparison), comparison is asked.comparison)
            for comparison, label in COMPARISON_LABELS.items()
        ],
        "lengths": [
            (
                f"By {noun}",
                asked.query_string_with(period=length),
                length is asked.length,
            )
            for length, noun in PERIOD_NOUNS.items()
        ],
        "compared_dates": asked.selection.compared_dates,
        "unranged": asked.query_string_with(**{"from": "", "to": "", "day": ""}),
        "zoom_in": asked.query_string_of_range(span.later_half()) if span.day_count > 1 else "",
        "zoom_out": asked.query_string_of_range(span.twice_as_long(MAX_DAYS))
        if span.day_count < MAX_DAYS
        else "",
        "range_before": asked.query_string_of_range(asked.span.previous()),
        "range_after": asked.query_string_of_range(asked.span.following())
        if asked.span.end < asked.today
        else "",
        "query": asked.query_string_with(kpi="", part="", reason="", day=""),
        "today": asked.span.start <= asked.today <= asked.span.end,
    }
