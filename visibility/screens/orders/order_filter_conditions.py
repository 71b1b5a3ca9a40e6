"""The conditions of the filters of the order list."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from visibility.models import ACTIVE_ALERT_STATES, Alert, Milestone, OrderLine, Shipment
from visibility.models.permission import Permission
from visibility.screens.lists.list_filters import (
    FilterContext,
)
from visibility.screens.orders.cutoff_orders import CutoffFilter
from visibility.screens.orders.suppress_conflicts_if_silent import unsuppressed_conflict_condition
from visibility.storage.organization import organization_time_zone
from visibility.timeline.state_and_flag_enums import OrderState

Condition = Callable[[Sequence[Any], FilterContext], Q]


def column_condition(name: str) -> Condition:
    return lambda values, _: Q(**{f"{name}__in": list(values)})


def customer_condition(values: Sequence[str], context: FilterContext) -> Q:
    named = Q(customer_name__in=values) if Permission.CONTACTS in context.permissions else Q()
    return Q(customer_no__in=values) | named


def any_state_condition(states: Sequence[str], context: FilterContext) -> Q:
    others = Q(states__overlap=[s for s in states if s != OrderState.CONFLICT])
    return (
        others | unsuppressed_conflict_condition(now=context.now)
        if OrderState.CONFLICT in states
        else others
    )


def item_condition(values: Sequence[str], _: FilterContext) -> Q:
    return Q(Exists(OrderLine.objects.filter(order_id=OuterRef("pk"), sku__in=values)))


def reached_condition(values: Sequence[str], _: FilterContext) -> Q:
    reached = Milestone.objects.filter(
        order_id=OuterRef("pk"), code__in=values, reached_at__isnull=False
    )
    return Q(Exists(reached))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def promised_from_condition(values: Sequence[date], _: FilterContext) -> Q:
    """A date without a time is stored as midnight UTC."""
    start = _midnight(values[0], organization_time_zone())
    return Q(promised_at__gte=start) | Q(promised_at=datetime.combine(values[0], time(), UTC))


def promised_to_condition(values: Sequence[date], _: FilterContext) -> Q:
    following = values[0] + timedelta(days=1)
    end = _midnight(following, organization_time_zone())
    last_bare_date = Q(promised_at=datetime.combine(values[0], time(), UTC))
    next_bare_date = Q(promised_at=datetime.combine(following, time(), UTC))
    return (Q(promised_at__lt=end) & ~next_bare_date) | last_bare_date


def no_scan_condition(_: Sequence[str], __: FilterContext) -> Q:
    shipment = Shipment.objects.filter(
        order_id=OuterRef("pk"),
        shipped_at__isnull=False,
        first_scan_at__isnull=True,
        delivered_at__isnull=True,
    ).exclude(tracking=[])
    return Q(Exists(shipment), is_open=True)


def alert_condition(_: Sequence[str], __: FilterContext) -> Q:
    alert = Alert.objects.filter(order_id=OuterRef("pk"), state__in=ACTIVE_ALERT_STATES)
    return Q(Exists(alert))


def cutoff_condition(values: Sequence[str], context: FilterContext) -> Q:
    """Each value is one that `CutoffFilter` can read."""
    filters = [CutoffFilter.from_text(text) for text in values]
    return reduce(or_, (each.condition(context.now) for each in filters if each))
