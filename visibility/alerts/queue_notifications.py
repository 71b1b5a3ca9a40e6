"""Queue a notification for each subscription that selects an alert.

Alerts about demo data notify nobody, and neither do alerts about KPIs and about other alerts while
demo data is counted with own data.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists

from visibility.db.data_scope import DataScope, limited_to
from visibility.models.alerts import NOT_STOPPED, Alert, Notification, Subscription
from visibility.models.demo_data import DemoData
from visibility.models.orders import Order
from visibility.models.rules_clocks_and_calendars import SlaRule
from visibility.models.sources_and_messages import Source
from visibility.sla.rule import RuleSubject
from visibility.storage.demo_data import orders_of_demo_sources
from visibility.storage.person_scopes import load_scopes

TEAM = "team"
INTEGRATOR = "integrator"  # the role of this name
HAS_DEMO_DATA = "has_demo_data"
# What counts demo orders together with others.
FIGURES = frozenset({RuleSubject.KPI.value, RuleSubject.ALERT.value})


def queue_notifications_of_alert(alert: Alert, transition: str) -> None:
    """Queue notifications of one alert; see queue_notifications()."""
    queue_notifications([alert], transition)


def queue_notifications(alerts: Sequence[Alert], transition: str) -> None:
    """Add a notification to the outbox for each alert and matching subscription.

    Subscriptions of deactivated people match nothing. The scope of the person who caused the
    transition does not matter: all who subscribed are notified, each within their own scope.
    """
    with limited_to(None):
        _queue_notifications_to_all(alerts, transition)


@limited_to(None)  # whether somebody subscribes is no secret of any order
def is_subscribed_to_now(alert: Alert) -> bool:
    """Whether a subscription selects this alert as both are now."""
    return bool(_select_alerts([alert]))


def _queue_notifications_to_all(alerts: Sequence[Alert], transition: str) -> None:
    Notification.objects.bulk_create(
        [
            Notification(alert=a, episode=a.episode, transition=transition, subscription=s)
            for s, a in _select_alerts(alerts)
        ],
        ignore_conflicts=True,
    )


def _select_alerts(alerts: Sequence[Alert]) -> list[tuple[Subscription, Alert]]:
    """Each enabled subscription with each alert that it selects; none of demo data."""
    enabled = Subscription.objects.filter(NOT_STOPPED, enabled=True).annotate(
        **{HAS_DEMO_DATA: Exists(DemoData.objects.all())}
    )
    subscriptions = list(enabled) if alerts else []
    if subscriptions and getattr(subscriptions[0], HAS_DEMO_DATA):
        alerts = _without_demo_data(alerts)
    codes = {code for s in subscriptions for code in s.rules}
    rules: dict[int | None, str] = (
        dict(SlaRule.objects.filter(code__in=codes).values_list("pk", "code")) if codes else {}
    )
    scopes = load_scopes(s.user_id for s in subscriptions) if subscriptions else {}
    needs_orders = scopes or any(set(s.scope) - {TEAM} for s in subscriptions)
    orders = _orders_of(alerts) if needs_orders else {}
    limited = _users_limited_to_sources(subscriptions, alerts)
    return [
        (s, a)
        for s in subscriptions
        for a in alerts
        if (a.source_id or s.team_id or s.user_id not in limited)
        and (not s.severities or a.severity in s.severities)
        and (rules.get(a.rule_id) in s.rules if s.rules else s.rule_id in {None, a.rule_id})
        and _is_in_scope(s.scope, a, orders.get(a.order_id or 0, {}))
        and _is_visible(scopes.get(s.user_id), orders.get(a.order_id or 0))
    ]


def _without_demo_data(alerts: Sequence[Alert]) -> list[Alert]:
    """Return the alerts about own orders, sources and rules. Two statements."""
    orders = orders_of_demo_sources({alert.order_id for alert in alerts if alert.order_id})
    sources = set(Source.objects.filter(is_demo=True).values_list("pk", flat=True))
    return [
        alert
        for alert in alerts
        if alert.order_id not in orders
        and alert.source_id not in sources
        and alert.subject not in FIGURES
    ]


def _users_limited_to_sources(
    subscriptions: Sequence[Subscription], alerts: Sequence[Alert]
) -> set[int]:
    """Return the users whose only role is that of an integrator: they see alerts about sources."""
    if all(alert.source_id for alert in alerts):
        return set()
    users = {subscription.user_id for subscription in subscriptions}
    roles = User.groups.through.objects.filter(user__in=users)
    names: dict[int, set[str]] = {}
    for user_id, name in roles.values_list("user_id", "group__name"):
        names.setdefault(user_id, set()).add(name)
    return {user_id for user_id in users if names.get(user_id) == {INTEGRATOR}}


def _orders_of(alerts: Sequence[Alert]) -> dict[int, Mapping[str, Any]]:
    """Return the fields of a scope by order. One statement."""
    ids = {alert.order_id for alert in alerts if alert.order_id}
    fields = ("warehouse", "channel", "customer_group", "customer_no")
    return {
        row["object_id"]: row
        for row in Order.objects.filter(object__in=ids).values("object_id", *fields)
    }


def _is_in_scope(scope: Mapping[str, str], alert: Alert, order: Mapping[str, Any]) -> bool:
    """Whether an alert has all values of a scope; one without an order has none of an order."""
    return all(
        (alert.team if name == TEAM else order.get(name)) == value for name, value in scope.items()
    )


def _is_visible(scope: DataScope | None, order: Mapping[str, Any] | None) -> bool:
    """Whether the person who added a subscription sees the order of an alert.

    A person with a scope sees no alert without an order.
    """
    return scope is None or (order is not None and scope.covers(order))
