"""The open alerts with the highest value at risk."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from visibility.boards.tile import Tile
from visibility.screens.alerts.inbox import AlertSort, InboxQuery, InboxViewName, list_alerts

SHOWN = 5


class TopAlerts(Tile):
    """The five open alerts with the highest value at risk, then the longest overdue."""

    code = "top_alerts"
    title = "Top alerts"
    kinds = ("alert",)
    href = "/alerts?view=open&sort=money"

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """The first rows of the inbox in the same order."""
        wanted = InboxQuery(user_id=0, view=InboxViewName.OPEN, sort=AlertSort.VALUE)
        return {"alerts": list_alerts(wanted, now=now, limit=SHOWN).alerts, "now": now}
