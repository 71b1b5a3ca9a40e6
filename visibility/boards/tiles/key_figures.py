"""Key figures of orders and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from visibility.boards.tile import Tile
from visibility.formatting import count_with_noun, format_number
from visibility.models import ACTIVE_ALERT_STATES, Alert, Order
from visibility.models.permission import Permission
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.alerts.inbox import InboxViewName, view_condition
from visibility.screens.orders.promise_time import past_promise_condition
from visibility.screens.sources.current_states import (
    SourceCounts,
    count_sources,
    load_source_chips,
)

# An order may have several alerts: its value counts once.
MONEY = """
SELECT currency, sum(money) FROM (
    SELECT DISTINCT ON (order_id) currency, money FROM visibility_alert
    WHERE state = 'open' AND money IS NOT NULL
    ORDER BY order_id, money DESC
) AS once GROUP BY currency ORDER BY 2 DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number with its label, a note about its change, and a link to its list."""

    code: str
    label: str
    value: int
    note: str
    href: str
    tone: str
    icon: str


class KeyFigures(Tile):
    """Open and late orders, suppressed alerts, open and unassigned alerts, and value at risk."""

    code = "key_figures"
    title = "Key figures"
    kinds = ("order", "alert")
    width = 4
    permission = Permission.ORDERS

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """Load all figures with three SQL statements, and the states of the sources."""
        hour = now - timedelta(hours=1)
        orders = Order.objects.filter(is_open=True, last_event_at__isnull=False).aggregate(
            open=Count("pk"),
            late=Count("pk", filter=past_promise_condition(now)),
            newly_late=Count(
                "pk", filter=past_promise_condition(now) & ~past_promise_condition(hour)
            ),
            came=Count("pk", filter=Q(ordered_at__gte=hour)),
        )
        alerts = Alert.objects.filter(state__in=ACTIVE_ALERT_STATES).aggregate(
            open=Count("pk", filter=view_condition(InboxViewName.OPEN, user_id=0, now=now)),
            opened=Count("pk", filter=Q(opened_at__gte=hour)),
            unowned=Count(
                "pk", filter=view_condition(InboxViewName.UNASSIGNED, user_id=0, now=now)
            ),
            critical=Count("pk", filter=Q(owner=None, state="open", severity="critical")),
            suppressed=Count(
                "pk", filter=view_condition(InboxViewName.SUPPRESSED, user_id=0, now=now)
            ),
        )
        with connection.cursor() as cursor:
            cursor.execute(MONEY)
            money: list[tuple[str, Decimal]] = cursor.fetchall()
        sources = count_sources(load_source_chips(now))
        is_evident = sources.all_report and not processing_lag_notices(now)
        return {
            "sentence": orders_and_alerts_summary_sentence(orders, alerts, sources),
            "figures": build_key_figures(orders, alerts, sources, is_evident=is_evident),
            "money": money,
            "no_money_tone": "ok" if orders["open"] and is_evident else "unknown",
        }


def orders_and_alerts_summary_sentence(
    orders: Mapping[str, int], alerts: Mapping[str, int], sources: SourceCounts
) -> str:
    """Summarize orders and alerts in one sentence."""
    late, still_open = orders["late"], orders["open"]
    verb = "is" if late == 1 else "are"
    number = format_number(late) if late else "None"
    dates = "its promise date" if late == 1 else "their promise date"
    clauses = [f"{number} of {format_number(still_open)} open orders {verb} past {dates}"]
    if not still_open:
        clauses = ["No open orders"]
    if alerts["unowned"]:
        clauses.append(count_with_noun(alerts["unowned"], "unassigned alert"))
    elif alerts["open"]:
        clauses.append("all open alerts are assigned")
    else:
        clauses.append("no open alerts")
    if alerts["suppressed"]:
        on_hold = count_with_noun(alerts["suppressed"], "alert")
        clauses.append(f"{on_hold} on hold because a source sends no data")
    if not sources.all_report:
        clauses.append(sources_reporting_text(sources))
    return "; ".join(clauses) + "."


def sources_reporting_text(sources: SourceCounts) -> str:
    """`6 of 7 sources reporting`, `no source connected`."""
    if not sources.expected:
        return "no source connected"
    counted = count_with_noun(sources.expected, "source")
    if sources.all_report:
        return f"all {counted} reporting" if sources.expected > 1 else f"{counted} reporting"
    return f"{sources.reporting} of {counted} reporting"


def build_key_figures(
    orders: Mapping[str, int],
    alerts: Mapping[str, int],
    sources: SourceCounts,
    *,
    is_evident: bool,
) -> list[KeyFigure]:
    """The figures in display order. A zero is good only if there is evidence for it."""
    good = "ok" if orders["open"] and is_evident else "unknown"
    return [
        KeyFigure(
            "open",
            "Open orders",
            orders["open"],
            f"{format_number(orders['came'])} new in the last hour",
            "/orders?open=1",
            "running",
            "package",
        ),
        KeyFigure(
            "late",
            "Past promise date",
            orders["late"],
            f"{format_number(orders['newly_late'])} new in the last hour",
            "/orders?late=1",
            "late" if orders["late"] else good,
            "clock",
        ),
        KeyFigure(
            "unknown",
            "Alerts on hold",
            alerts["suppressed"],
            sources_reporting_text(sources),
            "/alerts?view=suppressed",
            "ok" if is_evident and not alerts["suppressed"] else "unknown",
            "zoom-question",
        ),
        KeyFigure(
            "alerts",
            "Open alerts",
            alerts["open"],
            f"{format_number(alerts['opened'])} new in the last hour",
            "/alerts?view=open",
            "risk" if alerts["open"] else good,
            "bell",
        ),
        KeyFigure(
            "unowned",
            "Unassigned alerts",
            alerts["unowned"],
            f"{format_number(alerts['critical'])} critical"
            if alerts["unowned"]
            else "all open alerts assigned"
            if alerts["open"]
            else "no open alerts",
            "/alerts?view=team",
            "late" if alerts["critical"] else "risk" if alerts["unowned"] else good,
            "user",
        ),
    ]
