"""Query the alert inbox: views, their counts, and pages of alerts with keyset cursors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    Exists,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)

from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.formatting import start_of_day
from visibility.models import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertState,
    ClockState,
    Severity,
    SlaClock,
)
from visibility.screens.alerts.grouping import AlertGrouping, GroupSort, alerts_in_group
from visibility.screens.orders.order_scope import ALL_ORDERS, OrderScope
from visibility.storage.organization import organization_time_zone

PAGE_SIZE = 50
SEVERITY_RANK = {severity.value: rank for rank, severity in enumerate(reversed(list(Severity)))}
NEEDS_ATTENTION = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
UNASSIGNED = Q(owner=None, state=AlertState.OPEN)
CLOSED = (AlertState.RESOLVED, AlertState.WITHDRAWN)


class InboxViewName(StrEnum):
    """The views of the inbox. Each active alert is in at least one of them."""

    MINE = "mine"
    UNASSIGNED = "team"
    MINE_OR_UNASSIGNED = "mine-or-unassigned"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"


VIEW_TITLES = {
    InboxViewName.MINE: "Mine",
    InboxViewName.UNASSIGNED: "Unassigned",
    InboxViewName.MINE_OR_UNASSIGNED: "Mine or unassigned",
    InboxViewName.OPEN: "All open",
    InboxViewName.ACKNOWLEDGED: "Acknowledged",
    InboxViewName.SNOOZED: "Snoozed",
    InboxViewName.SUPPRESSED: "On hold: no data",
    InboxViewName.RESOLVED: "Resolved today",
}


# The last key is the id, so that no two rows have equal keys. "-" means descending.
BY_SEVERITY = SortOrder("severity", ("rank", "due_at", "id"), (int, datetime, int))
BY_VALUE = SortOrder("-value", ("-money", "due_at", "id"), (Decimal, datetime, int), True)
NEWEST_FIRST = SortOrder("-opened_at", ("-opened_at", "-id"), (datetime, int))
LAST_RESOLVED_FIRST = SortOrder("-resolved_at", ("-resolved_at", "-id"), (datetime, int), True)
RANK = Case(
    *(When(severity=name, then=Value(rank)) for name, rank in SEVERITY_RANK.items()),
    default=Value(len(SEVERITY_RANK)),
    output_field=IntegerField(),
)
RELATED_FIELDS = ("rule", "source", "owner", "acknowledged_by", "order__order")


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """Which alerts to list: view, filters, sort orders, and the id of the user."""

    user_id: int
    view: InboxViewName = InboxViewName.OPEN
    severity: str = ""
    rule: str = ""
    team: str = ""
    # Of the alerts one by one, and of groups.
    sort: SortOrder = BY_SEVERITY
    group_sort: GroupSort = GroupSort.SEVERITY
    # Integrators see source alerts only. They get 404 for all others.
    sources_only: bool = False
    # Only alerts about these orders.
    scope: OrderScope = ALL_ORDERS
    # By what the page groups, and the key of the group that the alerts are in, or "".
    by: AlertGrouping = AlertGrouping.NONE
    group: str = ""
    # Whether the user may see the names of customers, by which alerts can be grouped.
    contacts: bool = False

    @property
    def has_filters(self) -> bool:
        """Whether the query is narrower than its view."""
        return bool(self.severity or self.rule or self.team or self.group or self.scope)


@dataclass(frozen=True, slots=True)
class InboxPage:
    """One page of alerts. `next` is the cursor of the next page, "" on the last page."""

    alerts: Sequence[Alert]
    next: str


@dataclass(frozen=True, slots=True)
class EmptyInboxFacts:
    """What an empty inbox shows: the last breach, the running timers, and the next one due."""

    last_breach_at: datetime | None = None
    running: int = 0
    next_due_at: datetime | None = None
    next_rule: str = ""


def visible_alerts(*, sources_only: bool) -> QuerySet[Alert]:
    """The alerts that a user may see; `sources_only` for integrators."""
    alerts = Alert.objects.all()
    return alerts.filter(source__isnull=False) if sources_only else alerts


def mine_or_unassigned(user_id: int) -> Q:
    """The condition of the alerts that the user takes care of, or nobody does."""
    return Q(owner=user_id, state__in=NEEDS_ATTENTION) | UNASSIGNED


def view_condition(view: InboxViewName, *, user_id: int, now: datetime) -> Q:
    """The condition of a view."""
    return {
        InboxViewName.MINE: Q(owner=user_id, state__in=NEEDS_ATTENTION),
        InboxViewName.UNASSIGNED: UNASSIGNED,
        InboxViewName.MINE_OR_UNASSIGNED: mine_or_unassigned(user_id),
        InboxViewName.OPEN: Q(state=AlertState.OPEN),
        InboxViewName.ACKNOWLEDGED: Q(state=AlertState.ACKNOWLEDGED),
        InboxViewName.SNOOZED: Q(state=AlertState.SNOOZED),
        InboxViewName.SUPPRESSED: Q(state=AlertState.SUPPRESSED),
        InboxViewName.RESOLVED: Q(
            state__in=CLOSED, resolved_at__gte=start_of_day(now, organization_time_zone())
        ),
    }[view]


def alerts_matching_filters_in_any_view(query: InboxQuery) -> QuerySet[Alert]:
    """The alerts that match the filters, in any view."""
    alerts = visible_alerts(sources_only=query.sources_only)
    if query.severity:
        alerts = alerts.filter(severity=query.severity)
    if query.rule:
        alerts = alerts.filter(rule__code=query.rule)
    if query.team:
        alerts = alerts.filter(team=query.team)
    if query.scope:
        alerts = alerts.filter(query.scope.condition("order__order__"))
    if query.group:
        alerts = alerts_in_group(alerts, query.group, contacts=query.contacts)
    return alerts


def alerts_of_view(query: InboxQuery, now: datetime) -> QuerySet[Alert]:
    """The alerts of the view that match the filters."""
    return alerts_matching_filters_in_any_view(query).filter(
        view_condition(query.view, user_id=query.user_id, now=now)
    )


def count_by_view(query: InboxQuery, now: datetime) -> dict[InboxViewName, int]:
    """The number of alerts in each view, with the same filters. Two SQL statements."""
    alerts = alerts_matching_filters_in_any_view(query)
    views = [view for view in InboxViewName if view is not InboxViewName.RESOLVED]
    totals = alerts.filter(state__in=ACTIVE_ALERT_STATES).aggregate(
        **{
            view.value: Count("pk", filter=view_condition(view, user_id=query.user_id, now=now))
            for view in views
        }
    )
    resolved = alerts.filter(
        view_condition(InboxViewName.RESOLVED, user_id=query.user_id, now=now)
    ).count()
    return {view: totals.get(view.value, resolved) for view in InboxViewName}


def load_inbox_page_of_view(
    query: InboxQuery, *, now: datetime, after: str = "", limit: int = PAGE_SIZE
) -> InboxPage:
    """One page of a view in its sort order; one statement, on last pages two.

    Raises InvalidCursor.
    """
    order = query.sort
    alerts = annotate_sort_keys(alerts_of_view(query, now), now).select_related(*RELATED_FIELDS)
    rows = load_sorted_rows(alerts, order, limit=limit + 1, after=order.sort_key_from_cursor(after))
    more = len(rows) > limit
    return InboxPage(rows[:limit], order.cursor_after(rows[limit - 1]) if more else "")


def annotate_sort_keys(alerts: QuerySet[Alert], now: datetime) -> QuerySet[Any]:
    """The alerts with the rank of their severity, and `as_of`, the time at which they are shown."""
    rows: QuerySet[Any] = alerts.annotate(rank=RANK, as_of=Value(now, output_field=DateTimeField()))
    return rows


def load_visible_alerts_with_ids(query: InboxQuery, ids: Sequence[int]) -> list[Alert]:
    """These alerts, whatever view they are in now: an open page shows alerts that have left it."""
    alerts = visible_alerts(sources_only=query.sources_only).select_related(*RELATED_FIELDS)
    return list(alerts.filter(pk__in=ids).order_by("pk")[:100])


def list_matching_alert_ids(query: InboxQuery, *, now: datetime, limit: int) -> list[int]:
    """The ids of the matching alerts, up to `limit`, the longest overdue first."""
    alerts = alerts_of_view(query, now)
    return list(alerts.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def count_alerts_that_would_reopen(ids: Sequence[int]) -> int:
    """How many of the alerts are about an order whose deadline is still missed."""
    still_missed = SlaClock.objects.filter(
        order=OuterRef("order"),
        rule=OuterRef("rule"),
        subject_key=OuterRef("subject_key"),
        state=ClockState.BREACHED,
        stopped_at=None,
    )
    active = Alert.objects.filter(pk__in=ids, state__in=ACTIVE_ALERT_STATES)
    return active.filter(Exists(still_missed)).count()


def load_last_breach_running_timers_and_next_due(
    now: datetime, *, sources_only: bool
) -> EmptyInboxFacts:
    """Summarize the timers while no alert is open. Three SQL statements."""
    last = visible_alerts(sources_only=sources_only).order_by("-opened_at").first()
    running = SlaClock.objects.filter(state="running", stopped_at=None, due_at__gt=now)
    many = running.aggregate(many=Count("pk"), due=Min("due_at"))
    following = running.select_related("rule").order_by("due_at").first() if many["many"] else None
    return EmptyInboxFacts(
        last_breach_at=last.opened_at if last else None,
        running=many["many"],
        next_due_at=many["due"],
        next_rule=following.rule.title if following else "",
    )
