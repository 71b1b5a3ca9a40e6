"""The open alerts with the highest value at risk."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.boards.tile_table import TileReader, TileTable
from visibility.formatting import format_duration
from visibility.models import Severity
from visibility.models.permission import Permission
from visibility.screens.alerts.choices_of_forms import user_display_name
from visibility.screens.alerts.inbox import (
    BY_VALUE,
    InboxQuery,
    InboxViewName,
    alerts_matching_filters_in_any_view,
    load_inbox_page_of_view,
    view_condition,
)
from visibility.screens.lists.list_definition import ColumnValue
from visibility.screens.sources.current_states import count_sources


class TopAlerts(Tile):
    """The open alerts with the highest value at risk, then the longest overdue."""

    code = "top_alerts"
    title = "Top alerts"
    kinds = ("alert",)
    is_filtered = True
    definition = "Open alerts, the highest value at risk first, then the longest overdue."
    permission = Permission.ALERTS_SEE
    settings = (
        Setting(
            "limit",
            "The number of alerts.",
            SettingType.INTEGER,
            default="5",
            minimum=1,
            maximum=20,
        ),
    )
    href = "/alerts?view=open&sort=money"

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The first rows of the inbox in the same order."""
        wanted = InboxQuery(
            user_id=0,
            view=InboxViewName.OPEN,
            sort=BY_VALUE,
            scope=self.board.orders,
            sources_only=self.board.sources_only,
        )
        limit = self.values.integer("limit")
        alerts = alerts_matching_filters_in_any_view(wanted).filter(
            view_condition(wanted.view, user_id=0, now=now)
        )
        chips = self.board.source_chips(now)
        return {
            "alerts": load_inbox_page_of_view(wanted, now=now, limit=limit).alerts,
            "open": alerts.count(),
            "sources": count_sources(chips),
            "subtitle": "by value at risk",
            "now": now,
        }

    def build_table(self, context: Mapping[str, Any], reader: TileReader) -> TileTable:
        """The alerts of the tile; amounts and names by permission."""
        now: datetime = context["now"]
        rows: list[list[ColumnValue]] = []
        for alert in context["alerts"]:
            order = getattr(alert.order, "order", None)
            name = order.customer_name if order and reader.contacts else ""
            rows.append(
                [
                    alert.title_with_age(now),
                    Severity(alert.severity).label,
                    order.number if order else "",
                    name or (order.customer_no if order else ""),
                    alert.source.title if alert.source else "",
                    *([alert.money, alert.currency] if reader.prices else []),
                    format_duration(now - alert.due_at) if now > alert.due_at else "",
                    user_display_name(alert.owner) if alert.owner else "Unassigned",
                ]
            )
        amount = ("Value at risk", "Currency") if reader.prices else ()
        return TileTable(
            ("Alert", "Severity", "Order", "Customer", "Source", *amount, "Overdue", "Owner"), rows
        )
