"""Key figures of orders and alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visibility.boards.current_figures import (
    CurrentFigures,
    ValueAtRisk,
    load_current_figures,
    silence_text,
    sources_reporting_text,
    summary_sentence,
)
from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.formatting import count_with_noun, format_number
from visibility.models.permission import Permission
from visibility.screens.lists.list_definition import ColumnValue

NO_SOURCE = "No source yet"


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number with its label, a note, and a link to its list. `value` is None without a source."""

    code: str
    label: str
    value: int | None
    note: str
    href: str
    tone: str
    icon: str = ""


class KeyFigures(Tile):
    """Open, late, endangered and unknown orders, unassigned alerts, and value at risk."""

    code = "key_figures"
    title = "Key figures"
    kinds = ("order", "alert", "source")
    width = 4
    permission = Permission.ORDERS
    has_header = False
    has_fixed_height = True
    is_filtered = True
    href = "/orders?open=1"
    definition = (
        "Past promise date: open and undelivered, and the promise date has passed. At risk today: "
        "not past it, but with an SLA alert, or with an SLA timer that ends today and has used 80% "
        "of its time. Unknown: a source that the order waits for, or that reported last, sends no "
        "data. Value at risk: of orders with an open alert, each counted once."
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all figures with four SQL statements, and the states of the sources."""
        figures = load_current_figures(self.board, now)
        link = self.board.orders.link
        return {
            "sentence": summary_sentence(figures),
            "figures": [
                KeyFigure(**{**figure, "href": link(figure["href"])})
                for figure in _key_figures(figures)
            ],
            "money": figures.values if figures.has_data else (),
            "money_href": link("/alerts?view=open&sort=money"),
            "has_data": figures.has_data,
            "no_source": NO_SOURCE,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """Each figure with its note, and for those who may see prices the value at risk."""
        figures: Sequence[KeyFigure] = context["figures"]
        values: Sequence[ValueAtRisk] = context["money"] if reader.prices else ()
        rows: list[list[ColumnValue]] = [
            [figure.label, figure.value, "", figure.note] for figure in figures
        ]
        for at_risk in values:
            note = f"{count_with_noun(at_risk.count, 'order')}, counted once"
            rows.append(["Value at risk", at_risk.amount, at_risk.currency, note])
        return TileTable(("Figure", "Value", "Currency", "Note"), rows)


def _key_figures(figures: CurrentFigures) -> list[dict[str, Any]]:
    """The figures in display order. Without any data none has a value."""
    orders, alerts = figures.orders, figures.alerts
    good = "plain" if orders["open"] and figures.is_evident else "unknown"
    evidence = "" if figures.is_evident else sources_reporting_text(figures.sources)
    rows = [
        _figure("open", "Open orders", orders["open"], "/orders?open=1")
        | {"tone": "plain", "note": f"{format_number(orders['came'])} new in the last hour"},
        _figure("late", "Past promise date", orders["late"], "/orders?late=1")
        | {
            "tone": "late" if orders["late"] else good,
            "icon": "late",
            "note": f"{format_number(orders['newly_late'])} new in the last hour",
        },
        _figure("risk", "At risk today", orders["at_risk"], "/orders?at_risk=1")
        | {
            "tone": "risk" if orders["at_risk"] else good,
            "icon": "risk",
            "note": "alert open, or limit, cut-off or promise close"
            if orders["at_risk"]
            else evidence,
        },
        _figure("unknown", "Unknown", orders["unknown"], "/orders?unknown=1")
        | {
            "tone": "unknown" if orders["unknown"] else good,
            "icon": "unknown",
            "note": silence_text(figures)
            if orders["unknown"]
            else sources_reporting_text(figures.sources),
        },
        _figure("unowned", "Unassigned alerts", alerts["unassigned"], "/alerts?view=team")
        | {
            "tone": "late" if alerts["critical"] else "risk" if alerts["unassigned"] else good,
            "icon": "bell",
            "note": f"of {format_number(alerts['open'])} open" if alerts["open"] else evidence,
        },
    ]
    if figures.has_data:
        return rows
    return [row | {"value": None, "tone": "unknown", "note": NO_SOURCE} for row in rows]


def _figure(code: str, label: str, value: int, href: str) -> dict[str, Any]:
    return {"code": code, "label": label, "value": value, "href": href}
