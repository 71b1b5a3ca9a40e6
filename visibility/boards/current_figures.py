"""The key figures of orders and alerts now, and the sentence that says what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Q

from visibility.boards.board_scope import BoardScope
from visibility.formatting import count_with_noun, format_number, format_timestamp
from visibility.models import ACTIVE_ALERT_STATES, Order
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.alerts.inbox import InboxViewName, view_condition, visible_alerts
from visibility.screens.orders.at_risk_and_unknown import (
    NOT_REPORTING,
    at_risk_condition,
    unknown_status_condition,
)
from visibility.screens.orders.promise_time import past_promise_condition
from visibility.screens.sources.current_states import SourceChip, SourceCounts, count_sources
from visibility.storage.organization import organization_currency, organization_time_zone

# An order may have several alerts: its value counts once.
VALUE_AT_RISK = """
SELECT currency, sum(money), count(*) FROM (
    SELECT DISTINCT ON (alert.order_id) alert.currency, alert.money
    FROM visibility_alert alert LEFT JOIN visibility_order o ON o.object_id = alert.order_id
    WHERE alert.state = 'open' AND alert.money IS NOT NULL{scope}
    ORDER BY alert.order_id, alert.money DESC
) AS once GROUP BY currency ORDER BY currency = %s DESC, 2 DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class ValueAtRisk:
    """The value at risk in one currency, and the number of orders that it counts."""

    currency: str
    amount: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class CurrentFigures:
    """Counts of open orders and alerts, and the states of the sources.

    `worst_warehouse`: where most of the late orders are, with their number. `is_evident`: every
    source reports and nothing waits to be processed, so a zero means that there is nothing.
    """

    orders: Mapping[str, int]
    alerts: Mapping[str, int]
    worst_warehouse: tuple[str, int] | None
    values: Sequence[ValueAtRisk]
    chips: Sequence[SourceChip]
    sources: SourceCounts
    is_evident: bool

    @property
    def has_data(self) -> bool:
        """Whether a source is connected, or orders are known without one."""
        return bool(self.chips or self.orders["open"])


def load_current_figures(board: BoardScope, now: datetime) -> CurrentFigures:
    """Load all figures with five SQL statements, and the states of the sources."""
    hour = now - timedelta(hours=1)
    chips = board.source_chips(now)
    late = past_promise_condition(now)
    orders = Order.objects.filter(
        board.orders.condition(), is_open=True, last_event_at__isnull=False
    )
    counts = orders.aggregate(
        open=Count("pk"),
        came=Count("pk", filter=Q(ordered_at__gte=hour)),
        late=Count("pk", filter=late),
        newly_late=Count("pk", filter=late & ~past_promise_condition(hour)),
        at_risk=Count("pk", filter=at_risk_condition(now)),
        unknown=Count("pk", filter=unknown_status_condition(chips)),
    )
    worst = None
    if counts["late"] and not board.orders.warehouse:
        rows = orders.filter(late).exclude(warehouse="").values_list("warehouse")
        worst = rows.annotate(many=Count("pk")).order_by("-many", "warehouse").first()
    sources = count_sources(chips)
    return CurrentFigures(
        orders=counts,
        alerts=_count_alerts(board, now),
        worst_warehouse=worst,
        values=_load_values_at_risk(board),
        chips=chips,
        sources=sources,
        is_evident=sources.all_report and not processing_lag_notices(now),
    )


def _count_alerts(board: BoardScope, now: datetime) -> dict[str, int]:
    active = visible_alerts(sources_only=board.sources_only).filter(
        board.orders.condition("order__order__"), state__in=ACTIVE_ALERT_STATES
    )
    unassigned = view_condition(InboxViewName.UNASSIGNED, user_id=0, now=now)
    return active.aggregate(
        open=Count("pk", filter=view_condition(InboxViewName.OPEN, user_id=0, now=now)),
        unassigned=Count("pk", filter=unassigned),
        critical=Count("pk", filter=unassigned & Q(severity="critical")),
    )


def _load_values_at_risk(board: BoardScope) -> list[ValueAtRisk]:
    scope, parameters = board.orders.sql("o")
    with connection.cursor() as cursor:
        cursor.execute(VALUE_AT_RISK.format(scope=scope), [*parameters, organization_currency()])
        return [ValueAtRisk(*row) for row in cursor.fetchall()]


def summary_sentence(figures: CurrentFigures) -> str:
    """What is wrong now, in one or two sentences; never good news without evidence."""
    if not figures.has_data:
        return "No source yet. Connect the first one to see orders here."
    orders, alerts = figures.orders, figures.alerts
    if not orders["open"]:
        first = "No open orders"
    elif not orders["late"]:
        first = f"None of {count_with_noun(orders['open'], 'open order')} is past its promise date"
    else:
        verb, dates = ("is", "its") if orders["late"] == 1 else ("are", "their")
        dates += " promise date" if orders["late"] == 1 else " promise dates"
        first = (
            f"{format_number(orders['late'])} of "
            f"{count_with_noun(orders['open'], 'open order')} {verb} past {dates}"
        )
    if figures.worst_warehouse and orders["late"] > 1:
        warehouse, many = figures.worst_warehouse
        share = "all" if many == orders["late"] else format_number(many)
        first += f", {share} at {warehouse}"
    clauses = [_with_verdict(first, figures)]
    if orders["at_risk"]:
        clauses.append(f"{format_number(orders['at_risk'])} at risk today")
    if alerts["unassigned"]:
        clauses.append(count_with_noun(alerts["unassigned"], "unassigned alert"))
    elif not alerts["open"]:
        clauses.append("no open alerts")
    sentence = "; ".join(clauses) + "."
    if figures.orders["unknown"]:
        sentence += f" {format_number(figures.orders['unknown'])} unknown: {silence_text(figures)}."
    elif not figures.sources.all_report:
        sentence += f" {sources_reporting_text(figures.sources).capitalize()}."
    return sentence


def _with_verdict(clause: str, figures: CurrentFigures) -> str:
    """`Today is behind at Dallas: 8 of 850 …`; no verdict that is good without evidence."""
    orders, lowercase = figures.orders, clause[:1].lower() + clause[1:]
    if orders["late"]:
        warehouse, many = figures.worst_warehouse or ("", 0)
        where = f" at {warehouse}" if warehouse and 2 * many > orders["late"] else ""
        return f"Today is behind{where}: {lowercase}"
    if orders["open"] and orders["at_risk"]:
        return f"Today is at risk: {lowercase}"
    if orders["open"] and figures.is_evident and not orders["unknown"]:
        return f"Today is on track: {lowercase}"
    return clause


def silence_text(figures: CurrentFigures) -> str:
    """`3PL North: no data since Mon, Nov 3, 12:04`, or `3 of 7 sources reporting`."""
    silent = [chip for chip in figures.chips if chip.state in NOT_REPORTING]
    if len(silent) != 1:
        return sources_reporting_text(figures.sources)
    chip = silent[0]
    if chip.last_at is None:
        return f"{chip.title} sends no data"
    return f"{chip.title}: no data since {format_timestamp(chip.last_at, organization_time_zone())}"


def sources_reporting_text(sources: SourceCounts) -> str:
    """`6 of 7 sources reporting`, `no source connected`."""
    if not sources.expected:
        return "no source connected"
    counted = count_with_noun(sources.expected, "source")
    if sources.all_report:
        return f"all {counted} reporting" if sources.expected > 1 else f"{counted} reporting"
    return f"{sources.reporting} of {counted} reporting"
