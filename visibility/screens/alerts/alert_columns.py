"""The list of alerts: its columns and sort orders, for the page, the exports and the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict

from visibility.db.database_time import database_now
from visibility.db.sorted_pages import SortOrder
from visibility.formatting import format_duration
from visibility.models import Alert, AlertState, Severity, SlaRule
from visibility.models.permission import Permission
from visibility.screens.alerts.choices_of_forms import user_display_name
from visibility.screens.alerts.grouping import MAX_KEY, AlertGrouping, GroupSort, grouping_of_key
from visibility.screens.alerts.groups import load_group
from visibility.screens.alerts.inbox import (
    BY_SEVERITY,
    BY_VALUE,
    LAST_RESOLVED_FIRST,
    NEWEST_FIRST,
    RELATED_FIELDS,
    VIEW_TITLES,
    InboxQuery,
    InboxViewName,
    alerts_of_view,
    annotate_sort_keys,
)
from visibility.screens.lists.list_definition import (
    SORT_PARAMETER,
    ListColumn,
    ListDefinition,
    Viewer,
)
from visibility.screens.orders.order_scope import SCOPE_PARAMETERS_OF_INBOX, OrderScope


def _order_number(alert: Alert, _: Viewer) -> str:
    return alert.order.order.number if alert.order and hasattr(alert.order, "order") else ""


def _customer(alert: Alert, viewer: Viewer) -> str:
    if not alert.order or not hasattr(alert.order, "order"):
        return ""
    order = alert.order.order
    return (order.customer_name if viewer.may(Permission.CONTACTS) else "") or order.customer_no


def _overdue(alert: Any, _: Viewer) -> str:
    end = alert.resolved_at or alert.as_of
    return format_duration(end - alert.due_at) if end > alert.due_at else ""


def _owner(alert: Alert, _: Viewer) -> str:
    return user_display_name(alert.owner) if alert.owner else ""


def _group_text(query: InboxQuery) -> str:
    group = load_group(query, database_now()) if query.group else None
    return group.text if group else query.group


def _by_time(code: str, *, nullable: bool = False) -> SortOrder:
    return SortOrder(code, (code, "id"), (datetime, int), nullable)


ALERT_COLUMNS = (
    ListColumn(
        "severity",
        "Severity",
        lambda alert, _: Severity(alert.severity).label,
        BY_SEVERITY,
        is_default=True,
        template="alerts/cells/severity.html",
    ),
    ListColumn(
        "alert",
        "Alert",
        lambda alert, _: alert.title_with_age(alert.as_of),
        is_default=True,
        template="alerts/cells/alert.html",
    ),
    ListColumn(
        "value",
        "At risk",
        lambda alert, _: alert.money,
        BY_VALUE,
        is_default=True,
        is_number=True,
        permission=Permission.PRICES,
        template="alerts/cells/value.html",
    ),
    ListColumn(
        "due_at",
        "Overdue",
        _overdue,
        _by_time("due_at"),
        is_default=True,
        is_number=True,
        template="alerts/cells/due_at.html",
    ),
    ListColumn(
        "owner",
        "Owner",
        _owner,
        SortOrder("owner", ("owner__username", "id"), (str, int), is_first_nullable=True),
        is_default=True,
        template="alerts/cells/owner.html",
    ),
    ListColumn(
        "team",
        "Team",
        lambda alert, _: alert.team,
        SortOrder("team", ("team", "id"), (str, int)),
        is_default=True,
        template="alerts/cells/team.html",
    ),
    ListColumn(
        "status",
        "Alert status",
        lambda alert, _: AlertState(alert.state).label,
        is_default=True,
        template="alerts/cells/status.html",
    ),
    ListColumn(
        "currency", "Currency", lambda alert, _: alert.currency, permission=Permission.PRICES
    ),
    ListColumn("order", "Order", _order_number),
    ListColumn("customer", "Customer", _customer),
    ListColumn("source", "Source", lambda alert, _: alert.source.title if alert.source else ""),
    ListColumn("rule", "SLA rule", lambda alert, _: alert.rule.title if alert.rule else ""),
    ListColumn("deadline", "Due", lambda alert, _: alert.due_at),
    ListColumn("opened_at", "Opened", lambda alert, _: alert.opened_at, NEWEST_FIRST),
    ListColumn("resolved_at", "Resolved", lambda alert, _: alert.resolved_at, LAST_RESOLVED_FIRST),
)


class AlertListDefinition(ListDefinition):
    """The alerts of one view of the inbox."""

    code = "alerts"
    title = "Alerts"
    url = "/alerts"
    nouns = ("alert", "alerts")
    permission = Permission.ALERTS_SEE
    columns = ALERT_COLUMNS
    fixed_column = "alert"
    parameters = frozenset(
        {"view", "severity", "rule", "team", "group", "by", *SCOPE_PARAMETERS_OF_INBOX}
    )
    # The codes of groups, too: a link from groups to their alerts keeps the order.
    sort_aliases: ClassVar = {
        GroupSort.SEVERITY.value: "severity",
        GroupSort.VALUE.value: "-value",
        GroupSort.NEWEST.value: "-opened_at",
        GroupSort.OVERDUE.value: "due_at",
        GroupSort.SIZE.value: "severity",
    }

    def inbox_query(self, query: QueryDict, viewer: Viewer) -> InboxQuery:
        """Which alerts a query string asks for; unknown values are the defaults."""
        view, severity = query.get("view", ""), query.get("severity", "")
        by, group = query.get("by", ""), query.get("group", "")[: MAX_KEY + 1]
        default = AlertGrouping.NONE if group else AlertGrouping.CAUSE
        return InboxQuery(
            user_id=viewer.user_id,
            view=InboxViewName(view) if view in set(InboxViewName) else InboxViewName.OPEN,
            severity=severity if severity in set(Severity) else "",
            rule=query.get("rule", "")[:50],
            team=query.get("team", "")[:80],
            group_sort=self._group_sort(query.get(SORT_PARAMETER, ""), viewer),
            sources_only=viewer.sources_only,
            scope=OrderScope.from_inbox_query(query.dict()),
            by=AlertGrouping(by) if by in set(AlertGrouping) else default,
            group=group,
            contacts=viewer.may(Permission.CONTACTS),
        )

    def _group_sort(self, code: str, viewer: Viewer) -> GroupSort:
        """The order of groups that `sort` asks for; without one, that of the same alerts."""
        if code not in set(GroupSort):
            codes = {listed: of_groups for of_groups, listed in reversed(self.sort_aliases.items())}
            code = codes.get(code, GroupSort.SEVERITY)
        is_hidden = code == GroupSort.VALUE and not viewer.may(Permission.PRICES)
        return GroupSort.SEVERITY if is_hidden else GroupSort(code)

    def default_sort(self, query: QueryDict) -> SortOrder:
        """The most severe first; resolved ones by the time of their end."""
        is_resolved = query.get("view") == InboxViewName.RESOLVED
        return LAST_RESOLVED_FIRST if is_resolved else BY_SEVERITY

    def filter_errors(self, query: QueryDict, viewer: Viewer) -> Sequence[str]:
        """Unknown views, severities and rules."""
        known = {
            "view": {view.value for view in InboxViewName},
            "severity": set(Severity.values),
            "by": {by.value for by in AlertGrouping},
        }
        errors = [
            f"“{value[:40]}” is not a value of the filter {name}."
            for name, values in known.items()
            for value in query.getlist(name)
            if value not in values
        ]
        errors += [
            f"“{value[:40]}” is not a group of alerts."
            for value in query.getlist("group")
            if grouping_of_key(value) is None
        ]
        rules = query.getlist("rule")
        codes = set(SlaRule.objects.filter(code__in=rules).values_list("code", flat=True))
        return errors + [f"There is no rule “{rule[:40]}”." for rule in rules if rule not in codes]

    def filter_texts(self, query: QueryDict, viewer: Viewer) -> Sequence[str]:
        """The view, and the other filters with their values."""
        inbox_query = self.inbox_query(query, viewer)
        rule = SlaRule.objects.filter(code=inbox_query.rule).first() if inbox_query.rule else None
        others = {
            "Severity": Severity(inbox_query.severity).label if inbox_query.severity else "",
            "SLA rule": rule.title if rule else inbox_query.rule,
            "Team": inbox_query.team,
            "Orders": inbox_query.scope.text,
            "Group": _group_text(inbox_query),
        }
        return [
            VIEW_TITLES[inbox_query.view],
            *(f"{name}: {value}" for name, value in others.items() if value),
        ]

    def queryset(self, query: QueryDict, viewer: Viewer, now: datetime) -> QuerySet[Any]:
        """The alerts of the view that match the filters."""
        alerts = alerts_of_view(self.inbox_query(query, viewer), now)
        return annotate_sort_keys(alerts, now).select_related(*RELATED_FIELDS)

    def rows_of_objects(self, objects: Sequence[Any], viewer: Viewer, now: datetime) -> list[Any]:
        """The alerts themselves."""
        return list(objects)


ALERT_LIST = AlertListDefinition()
