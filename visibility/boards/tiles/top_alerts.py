"""The open alerts with most at stake."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from visibility.boards.tile import Tile
from visibility.screens.alerts.inbox import Sort, View, Wanted, page

SHOWN = 5


class TopAlerts(Tile):
    """The five open alerts with most money at risk, longest overdue first among equals."""

    code = "top_alerts"
    title = "Top alerts"
    kinds = ("alert",)
    href = "/alerts?view=open&sort=money"

    def data(self, now: datetime) -> Mapping[str, Any]:
        """The first rows of the inbox in that order."""
        wanted = Wanted(person=0, view=View.OPEN, sort=Sort.MONEY)
        return {"alerts": page(wanted, now=now, limit=SHOWN).alerts, "now": now}
