"""Query the alert inbox: views, their counts, and pages of alerts with keyset cursors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Case, Count, DateTimeField, IntegerField, Min, Q, QuerySet, Value, When

from visibility.db.sorted_pages import SortOrder, load_sorted_rows
from visibility.formatting import start_of_day
from visibility.models import ACTIVE_ALERT_STATES, Alert, AlertState, Severity, SlaClock, SlaRule

PAGE_SIZE = 50
SEVERITY_RANK = {severity.value: rank for rank, severity in enumerate(reversed(list(Severity)))}
NEEDS_ATTENTION = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
CLOSED = (AlertState.RESOLVED, AlertState.WITHDRAWN)


class InboxViewName(StrEnum):
    """The views of the inbox. Each active alert is in at least one of them."""

    MINE = "mine"
    UNASSIGNED = "team"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"


VIEW_TITLES = {
    InboxViewName.MINE: "Mine",
    InboxViewName.UNASSIGNED: "Unassigned",
    InboxViewName.OPEN: "All open",
    InboxViewName.ACKNOWLEDGED: "Acknowledged",
    InboxViewName.SNOOZED: "Snoozed",
    InboxViewName.SUPPRESSED: "On hold: no data from source",
    InboxViewName.RESOLVED: "Resolved today",
}


# The last key is the id, so that no two rows have equal keys. "-" means descending.
BY_SEVERITY = SortOrder("severity", ("rank", "due_at", "id"), (int, datetime, int))
BY_VALUE = SortOrder("-value", ("-money", "due_at", "id"), (Decimal, datetime, int), True)
NEWEST_FIRST = SortOrder("-opened_at", ("-opened_at", "-id"), (datetime, int))
LAST_RESOLVED_FIRST = SortOrder("-resolved_at", ("-resolved_at", "-id"), (datetime, int), True)
RELATED_FIELDS = ("rule", "source", "owner", "acknowledged_by", "order__order")


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """Which alerts to list: view, filters, sort order, and the id of the user."""

    user_id: int
    view: InboxViewName = InboxViewName.OPEN
    severity: str = ""
    rule: str = ""
    team: str = ""
    sort: SortOrder = BY_SEVERITY
    # Integrators see source alerts only. They get 404 for all others.
    sources_only: bool = False


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


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The options of the filters."""

    rules: Sequence[SlaRule] = field(default_factory=list)
    teams: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Assignee:
    """A user who can be assigned alerts. `load` is how many active alerts they have."""

    id: int
    name: str
    load: int


def visible_alerts(*, sources_only: bool) -> QuerySet[Alert]:
    """The alerts that a user may see; `sources_only` for integrators."""
    alerts = Alert.objects.all()
    return alerts.filter(source__isnull=False) if sources_only else alerts


def view_condition(view: InboxViewName, *, user_id: int, now: datetime) -> Q:
    """The condition of a view."""
    return {
        InboxViewName.MINE: Q(owner=user_id, state__in=NEEDS_ATTENTION),
        InboxViewName.UNASSIGNED: Q(owner=None, state=AlertState.OPEN),
        InboxViewName.OPEN: Q(state=AlertState.OPEN),
        InboxViewName.ACKNOWLEDGED: Q(state=AlertState.ACKNOWLEDGED),
        InboxViewName.SNOOZED: Q(state=AlertState.SNOOZED),
        InboxViewName.SUPPRESSED: Q(state=AlertState.SUPPRESSED),
        InboxViewName.RESOLVED: Q(
            state__in=CLOSED, resolved_at__gte=start_of_day(now, settings.TIME_ZONE)
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
    return alerts


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
    rows = load_sorted_rows(
        alerts_of_view(query, now=now),
        order,
        limit=limit + 1,
        after=order.sort_key_from_cursor(after),
    )
    more = len(rows) > limit
    return InboxPage(rows[:limit], order.cursor_after(rows[limit - 1]) if more else "")


def alerts_of_view(query: InboxQuery, *, now: datetime) -> QuerySet[Any]:
    """The alerts of a view that match the filters, with their sort keys and `as_of`."""
    alerts = alerts_matching_filters_in_any_view(query)
    condition = view_condition(query.view, user_id=query.user_id, now=now)
    return annotate_sort_keys(alerts.filter(condition), now).select_related(*RELATED_FIELDS)


def annotate_sort_keys(alerts: QuerySet[Alert], now: datetime) -> QuerySet[Any]:
    """The alerts with the rank of their severity, and `as_of`, the time at which they are shown."""
    ranks = (When(severity=name, then=Value(rank)) for name, rank in SEVERITY_RANK.items())
    rows: QuerySet[Any] = alerts.annotate(
        rank=Case(*ranks, default=Value(len(SEVERITY_RANK)), output_field=IntegerField()),
        as_of=Value(now, output_field=DateTimeField()),
    )
    return rows


def load_visible_alerts_with_ids(query: InboxQuery, ids: Sequence[int]) -> list[Alert]:
    """These alerts, whatever view they are in now: an open page shows alerts that have left it."""
    alerts = visible_alerts(sources_only=query.sources_only).select_related(*RELATED_FIELDS)
    return list(alerts.filter(pk__in=ids).order_by("pk")[:100])


def list_matching_alert_ids(query: InboxQuery, *, now: datetime, limit: int) -> list[int]:
    """The ids of the matching alerts, up to `limit`, the longest overdue first."""
    alerts = alerts_matching_filters_in_any_view(query).filter(
        view_condition(query.view, user_id=query.user_id, now=now)
    )
    return list(alerts.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


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


def all_rules_and_teams_as_filter_choices() -> FilterChoices:
    """All rules and their teams. One SQL statement."""
    rules = list(SlaRule.objects.order_by("title")[:200])
    return FilterChoices(rules, sorted({rule.team for rule in rules if rule.team}))


def assignable_users(roles: Sequence[str]) -> list[Assignee]:
    """The users an alert can be assigned to, with their load. Two SQL statements."""
    users = (
        User.objects.filter(Q(groups__name__in=roles) | Q(is_superuser=True), is_active=True)
        .distinct()
        .order_by("first_name", "username")[:200]
    )
    loads = dict(
        Alert.objects.filter(owner__isnull=False, state__in=NEEDS_ATTENTION)
        .values_list("owner")
        .annotate(many=Count("pk"))
    )
    return [Assignee(user.pk, user_display_name(user), loads.get(user.pk, 0)) for user in users]


def user_display_name(user: User) -> str:
    """The display name of a user."""
    return user.get_full_name() or user.get_username()
