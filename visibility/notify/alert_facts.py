"""What a message says about an alert: its order, its customer and value, what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User

from visibility.formatting import format_timestamp, in_zone
from visibility.models.alerts import ACTIVE_ALERT_STATES, Alert, Subscription
from visibility.models.permission import Permission
from visibility.models.rules_clocks_and_calendars import SlaClock
from visibility.models.sources_and_messages import Source
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import OrderRule
from visibility.storage.organization import organization_time_zone


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Facts of one alert as texts, empty if unknown.

    `order` is the number. `customer` and `value` are only for users who may see them, and
    `value_label` is `Value at risk`, or `Order value` if that is unknown.
    """

    order: str
    customer: str
    value: str
    value_label: str
    missing: str


def load_alert_facts(alerts: Sequence[Alert], readers: Sequence[User]) -> dict[int, AlertFacts]:
    """Return the facts of alerts, by id, that all of these users may read.

    A fixed number of statements for the alerts, and one for each reader.
    """
    sees_customers = _may_all(readers, Permission.CONTACTS)
    sees_prices = _may_all(readers, Permission.PRICES)
    sources = _titles_of_expected_sources(alerts)
    facts = {}
    for alert in alerts:
        order = getattr(alert.order, "order", None)
        label, value = _value_label_and_text(alert)
        facts[alert.pk] = AlertFacts(
            order=order.number if order else "",
            customer=(order.customer_name if sees_customers else "") or order.customer_no
            if order
            else "",
            value=value if sees_prices else "",
            value_label=label if sees_prices else "",
            missing=_missing_step_text(alert, sources.get(alert.pk, ())),
        )
    return facts


def readers_of(subscription: Subscription) -> list[User]:
    """Return who reads the messages: the members of its team, or else who added it."""
    if subscription.team is None:
        return [subscription.user]
    return list(subscription.team.members.filter(is_active=True).order_by("pk"))


def _may_all(readers: Sequence[User], permission: Permission) -> bool:
    """Whether all have a permission; nobody has none."""
    return bool(readers) and all(user.has_perm(f"visibility.{permission}") for user in readers)


def _value_label_and_text(alert: Alert) -> tuple[str, str]:
    """`Value at risk`, `1,200.50 USD`; the order's total if the value at risk is unknown."""
    order = getattr(alert.order, "order", None)
    if alert.money is not None:
        return "Value at risk", _format_money(alert.money, alert.currency)
    if order and order.total is not None:
        return "Order value", _format_money(order.total, order.currency)
    return "", ""


def _format_money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}".strip()


def _missing_step_text(alert: Alert, source_titles: Sequence[str]) -> str:
    """`ship confirmation from Dallas`; empty if no step is missing or the alert is closed."""
    kind = rule_kinds().get(alert.rule.kind) if alert.rule else None
    if kind is None or alert.state not in ACTIVE_ALERT_STATES:
        return ""
    step = kind.awaited_step if isinstance(kind, OrderRule) else ""
    if not step:
        return ""
    return f"{step} from {' or '.join(source_titles)}" if source_titles else step


def _titles_of_expected_sources(alerts: Sequence[Alert]) -> Mapping[int, list[str]]:
    """Return the titles of the sources that could report the missing step, by alert id."""
    of_orders = [alert for alert in alerts if alert.order_id and alert.rule_id]
    if not of_orders:
        return {}
    expected: dict[tuple[int | None, int | None, str], list[str]] = {
        (order, rule, key): slugs
        for order, rule, key, slugs in SlaClock.objects.filter(
            order__in=[alert.order_id for alert in of_orders]
        ).values_list("order", "rule", "subject_key", "expected_sources")
    }
    titles = dict(Source.objects.values_list("slug", "title"))
    return {
        alert.pk: sorted(
            titles[slug]
            for slug in expected.get(
                (alert.order_id or 0, alert.rule_id or 0, alert.subject_key), ()
            )
            if slug in titles
        )
        for alert in of_orders
    }


def local_time(moment: datetime) -> str:
    """`Sat, Nov 28, 22:31 CST`: a time in the time zone of the organization."""
    zone = organization_time_zone()
    return f"{format_timestamp(moment, zone)} {in_zone(moment, zone):%Z}"
