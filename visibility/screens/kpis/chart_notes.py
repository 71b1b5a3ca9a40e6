"""The notes of KPI charts, each with the label of its line."""

from collections.abc import Sequence

from visibility.kpi.notes import notes_of_kpis
from visibility.kpi.query import DaySpan
from visibility.models.kpi_notes import KpiNote
from visibility.screens.charts import ChartNote

# Further notes are in the list of the API only; the page says how many there are.
MAX_NOTES = 50


def load_notes_of_charts(codes: Sequence[str], span: DaySpan) -> list[KpiNote]:
    """The latest notes on these KPIs within a date range, the earliest first. One statement."""
    return list(notes_of_kpis(codes, span)[:MAX_NOTES])[::-1]


def chart_notes(notes: Sequence[KpiNote], code: str, span: DaySpan) -> list[ChartNote]:
    """The notes on one KPI, numbered, within the days of the chart."""
    return [
        ChartNote(max(note.start, span.start), min(note.end, span.end), str(number), note.text)
        for number, note in enumerate((n for n in notes if n.kpi in {"", code}), start=1)
    ]
