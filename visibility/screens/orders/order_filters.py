"""The filters of the order list, declared once for the page, chips, exports, views and the API."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from visibility.formatting import sales_channel_label
from visibility.models import ACTIVE_ALERT_STATES, Alert, Milestone, OrderLine, Shipment, Source
from visibility.models.permission import Permission
from visibility.screens.lists.list_filters import (
    YES,
    AppliedFilters,
    FilterContext,
    FilterKind,
    ListFilter,
    by_name,
    combined_condition,
)
from visibility.screens.orders.at_risk_and_unknown import (
    at_risk_today_condition,
    load_unknown_status_condition,
)
from visibility.screens.orders.promise_time import due_today_condition, past_promise_condition
from visibility.screens.orders.suppress_conflicts_if_silent import unsuppressed_conflict_condition
from visibility.storage.orders_with_events_of_source import reported_by_source_condition
from visibility.timeline.model import MilestoneCode, Status
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import STATE_LABELS, STATUS_LABELS

Condition = Callable[[Sequence[Any], FilterContext], Q]
STATES = {state.value: STATE_LABELS[state] for state in OrderState}
STATUSES = {status.value: STATUS_LABELS[status] for status in Status}
MILESTONES = {code.value: code.value.replace("_", " ").capitalize() for code in MilestoneCode}


def _column(name: str) -> Condition:
    return lambda values, _: Q(**{f"{name}__in": list(values)})


def _customer(values: Sequence[str], context: FilterContext) -> Q:
    named = Q(customer_name__in=values) if Permission.CONTACTS in context.permissions else Q()
    return Q(customer_no__in=values) | named


def _any_state(states: Sequence[str], context: FilterContext) -> Q:
    others = Q(states__overlap=[s for s in states if s != OrderState.CONFLICT])
    return (
        others | unsuppressed_conflict_condition(now=context.now)
        if OrderState.CONFLICT in states
        else others
    )


def _item(values: Sequence[str], _: FilterContext) -> Q:
    return Q(Exists(OrderLine.objects.filter(order_id=OuterRef("pk"), sku__in=values)))


def _reached(values: Sequence[str], _: FilterContext) -> Q:
    reached = Milestone.objects.filter(
        order_id=OuterRef("pk"), code__in=values, reached_at__isnull=False
    )
    return Q(Exists(reached))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _promised_from(values: Sequence[date], _: FilterContext) -> Q:
    """A date without a time is stored as midnight UTC."""
    start = _midnight(values[0], settings.TIME_ZONE)
    return Q(promised_at__gte=start) | Q(promised_at=datetime.combine(values[0], time(), UTC))


def _promised_to(values: Sequence[date], _: FilterContext) -> Q:
    following = values[0] + timedelta(days=1)
    end = _midnight(following, settings.TIME_ZONE)
    last_bare_date = Q(promised_at=datetime.combine(values[0], time(), UTC))
    next_bare_date = Q(promised_at=datetime.combine(following, time(), UTC))
    return (Q(promised_at__lt=end) & ~next_bare_date) | last_bare_date


def _source_title(slug: str) -> str:
    return Source.objects.filter(slug=slug).values_list("title", flat=True).first() or slug


def _why_unknown_source(slug: str) -> str:
    return "" if Source.objects.filter(slug=slug).exists() else "is not the slug of a source"


def _no_scan(_: Sequence[str], __: FilterContext) -> Q:
    shipment = Shipment.objects.filter(
        order_id=OuterRef("pk"),
        shipped_at__isnull=False,
        first_scan_at__isnull=True,
        delivered_at__isnull=True,
    ).exclude(tracking=[])
    return Q(Exists(shipment), is_open=True)


def _with_alert(_: Sequence[str], __: FilterContext) -> Q:
    alert = Alert.objects.filter(order_id=OuterRef("pk"), state__in=ACTIVE_ALERT_STATES)
    return Q(Exists(alert))


def _switch(
    name: str, label: str, description: str, condition: Condition, *, is_in_form: bool = False
) -> ListFilter:
    return ListFilter(
        name,
        label,
        f"`{YES}`: {description}",
        condition,
        FilterKind.SWITCH,
        choices={YES: label},
        is_in_form=is_in_form,
    )


def _choice(
    name: str, label: str, description: str, condition: Condition, choices: Mapping[str, str]
) -> ListFilter:
    return ListFilter(
        name,
        label,
        description,
        condition,
        FilterKind.CHOICE,
        choices=choices,
        is_repeatable=True,
    )


def _known(name: str, label: str, description: str, **options: Any) -> ListFilter:
    """A filter by values of a column, of which the list suggests the frequent ones."""
    return ListFilter(
        name,
        label,
        description,
        options.pop("condition", _column(name)),
        has_suggestions=True,
        is_repeatable=True,
        **options,
    )


ORDER_FILTERS = by_name(
    _choice("status", "Order status", "Order status.", _column("status"), STATUSES),
    _choice(
        "state", "State", "State that applies to the order, such as `conflict`.", _any_state, STATES
    ),
    _choice(
        "without",
        "Without state",
        "State that does not apply to the order; with several, none of them.",
        lambda values, context: ~_any_state(values, context),
        STATES,
    ),
    _known("channel", "Channel", "Sales channel.", value_label=sales_channel_label),
    _known("warehouse", "Warehouse", "Shipping warehouse."),
    _known("carrier", "Carrier", "Carrier."),
    _known(
        "customer",
        "Customer",
        "Customer number. With permission to see contacts, also the name.",
        condition=_customer,
        is_free_text=True,
    ),
    _known("group", "Customer group", "Customer group.", condition=_column("customer_group")),
    _known(
        "item",
        "Item",
        "Number of an item (SKU) on the lines.",
        condition=_item,
        is_free_text=True,
    ),
    _known(
        "source",
        "Source",
        "Slug of a source that reported on the order.",
        condition=lambda values, _: reported_by_source_condition(list(values)),
        value_label=_source_title,
        check=_why_unknown_source,
    ),
    _choice("reached", "Milestone reached", "Milestone that was reached.", _reached, MILESTONES),
    _choice(
        "not_reached",
        "Milestone not reached",
        "Milestone that was not reached; with several, none of them.",
        lambda values, context: ~_reached(values, context),
        MILESTONES,
    ),
    ListFilter(
        "promise_from",
        "Promise date from",
        "Orders promised on this date or later.",
        _promised_from,
        FilterKind.DAY,
    ),
    ListFilter(
        "promise_to",
        "Promise date to",
        "Orders promised on this date or earlier.",
        _promised_to,
        FilterKind.DAY,
    ),
    ListFilter(
        "min_age",
        "Age at least",
        "Days since the order date, at least.",
        lambda values, context: Q(ordered_at__lte=context.now - timedelta(days=values[0])),
        FilterKind.DAYS,
    ),
    ListFilter(
        "max_age",
        "Age at most",
        "Days since the order date, at most.",
        lambda values, context: Q(ordered_at__gte=context.now - timedelta(days=values[0])),
        FilterKind.DAYS,
    ),
    ListFilter(
        "min_value",
        "Order value at least",
        "Order value in the currency of the order, at least. Needs permission to see prices.",
        lambda values, _: Q(total__gte=values[0]),
        FilterKind.AMOUNT,
        permission=Permission.PRICES,
    ),
    ListFilter(
        "max_value",
        "Order value at most",
        "Order value in the currency of the order, at most. Needs permission to see prices.",
        lambda values, _: Q(total__lte=values[0]),
        FilterKind.AMOUNT,
        permission=Permission.PRICES,
    ),
    _switch("alert", "With an open alert", "with an open alert.", _with_alert, is_in_form=True),
    _switch(
        "late",
        "Past promise date",
        "past the promise date.",
        lambda _, context: past_promise_condition(context.now),
    ),
    _switch(
        "undelivered",
        "Not yet delivered",
        "open and not yet delivered, oldest first.",
        lambda _, __: Q(is_open=True, delivered_at__isnull=True, ordered_at__isnull=False),
    ),
    _switch("open", "Open", "open.", lambda _, __: Q(is_open=True)),
    _switch(
        "due_today",
        "Due today",
        "open, and promised for later today.",
        lambda _, context: due_today_condition(context.now),
    ),
    _switch(
        "no_scan",
        "Shipped, no scan",
        "open, with a tracking number that no carrier has scanned.",
        _no_scan,
    ),
    _switch(
        "at_risk",
        "At risk today",
        "at risk today.",
        lambda _, context: at_risk_today_condition(context.now),
    ),
    _switch(
        "unknown",
        "Status unknown",
        "open, and a source that it waits for sends no data.",
        lambda _, context: load_unknown_status_condition(context.now),
    ),
)


def order_filters(**values: Any) -> AppliedFilters:
    """Filters with these values, each a valid value or a sequence of them, for the program."""
    return AppliedFilters(
        {
            name: [value] if isinstance(value, str) else list(value)
            for name, value in values.items()
            if value
        }
    )


def order_condition(filters: AppliedFilters, now: datetime) -> Q:
    """The filters as a database condition; orders without an event are no rows of the list."""
    return Q(last_event_at__isnull=False) & combined_condition(ORDER_FILTERS, filters, now)
