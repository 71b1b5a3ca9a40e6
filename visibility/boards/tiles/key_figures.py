"""The day in six numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from visibility.boards.tile import Tile
from visibility.models import STANDING, Alert, Order
from visibility.screens.alerts.inbox import View, in_view

# One order may have several alerts: its money counts once.
MONEY = """
SELECT currency, sum(money) FROM (
    SELECT DISTINCT ON (order_id) currency, money FROM visibility_alert
    WHERE state = 'open' AND money IS NOT NULL
    ORDER BY order_id, money DESC
) AS once GROUP BY currency ORDER BY 2 DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it means, how it moved, and the list behind it."""

    code: str
    label: str
    value: int
    note: str
    href: str
    tone: str
    icon: str


class NowStrip(Tile):
    """Open and late orders, unknown ones (their feed is silent), open and unowned alerts, money."""

    code = "key_figures"
    title = "Now"
    kinds = ("order", "alert")
    width = 4

    def data(self, now: datetime) -> Mapping[str, Any]:
        """Three statements."""
        hour = now - timedelta(hours=1)
        orders = Order.objects.filter(is_open=True, last_event_at__isnull=False).aggregate(
            open=Count("pk"),
            late=Count("pk", filter=Q(promised_at__lt=now, delivered_at=None)),
            newly_late=Count("pk", filter=Q(promised_at__range=(hour, now), delivered_at=None)),
            came=Count("pk", filter=Q(ordered_at__gte=hour)),
        )
        alerts = Alert.objects.filter(state__in=STANDING).aggregate(
            open=Count("pk", filter=in_view(View.OPEN, person=0, now=now)),
            opened=Count("pk", filter=Q(opened_at__gte=hour)),
            unowned=Count("pk", filter=in_view(View.TEAM, person=0, now=now)),
            critical=Count("pk", filter=Q(owner=None, state="open", severity="critical")),
            held=Count("pk", filter=in_view(View.HELD, person=0, now=now)),
        )
        with connection.cursor() as cursor:
            cursor.execute(MONEY)
            money: list[tuple[str, Decimal]] = cursor.fetchall()
        return {
            "sentence": sentence(orders, alerts),
            "figures": figures(orders, alerts),
            "money": money,
        }


def sentence(orders: Mapping[str, int], alerts: Mapping[str, int]) -> str:
    """Whether today goes well, in one sentence."""
    late, still_open = orders["late"], orders["open"]
    verb = "is" if late == 1 else "are"
    parts = [f"{late or 'None'} of {still_open} open orders {verb} past the promise"]
    if not still_open:
        parts = ["No order is open"]
    if alerts["unowned"]:
        parts.append(f"{alerts['unowned']} alert{_s(alerts['unowned'])} without an owner")
    elif alerts["open"]:
        parts.append("every open alert has an owner")
    else:
        parts.append("no alert is open")
    if alerts["held"]:
        parts.append(
            f"{alerts['held']} promise{_s(alerts['held'])} cannot be judged: a feed is silent"
        )
    return "; ".join(parts) + "."


def _s(many: int) -> str:
    return "" if many == 1 else "s"


def figures(orders: Mapping[str, int], alerts: Mapping[str, int]) -> list[Figure]:
    """The numbers in the order they are read."""
    return [
        Figure(
            "open",
            "Open orders",
            orders["open"],
            f"{orders['came']} came in the last hour",
            "/orders?open=1",
            "running",
            "package",
        ),
        Figure(
            "late",
            "Late",
            orders["late"],
            f"{orders['newly_late']} passed their promise in the last hour",
            "/orders?late=1",
            "late" if orders["late"] else "ok",
            "clock",
        ),
        Figure(
            "unknown",
            "Unknown",
            alerts["held"],
            "a feed is silent" if alerts["held"] else "every feed speaks",
            "/alerts?view=held",
            "unknown" if alerts["held"] else "ok",
            "zoom-question",
        ),
        Figure(
            "alerts",
            "Open alerts",
            alerts["open"],
            f"{alerts['opened']} opened in the last hour",
            "/alerts?view=open",
            "risk" if alerts["open"] else "ok",
            "bell",
        ),
        Figure(
            "unowned",
            "Unowned alerts",
            alerts["unowned"],
            f"{alerts['critical']} critical" if alerts["unowned"] else "somebody is on each",
            "/alerts?view=team",
            "late" if alerts["critical"] else "risk" if alerts["unowned"] else "ok",
            "user",
        ),
    ]
