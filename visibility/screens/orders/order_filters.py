"""The filters of the order list, declared once for the page, chips, exports, views and the API."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from visibility.formatting import sales_channel_label
from visibility.models.permission import Permission
from visibility.screens.lists.list_filters import (
    YES,
    AppliedFilters,
    FilterKind,
    ListFilter,
    by_name,
    combined_condition,
)
from visibility.screens.lists.sources_of_filters import source_title, why_unknown_source
from visibility.screens.orders.at_risk_and_unknown import (
    at_risk_condition,
    load_unknown_status_condition,
)
from visibility.screens.orders.cutoff_orders import CutoffFilter
from visibility.screens.orders.order_filter_conditions import (
    Condition,
    alert_condition,
    any_state_condition,
    column_condition,
    customer_condition,
    cutoff_condition,
    item_condition,
    no_scan_condition,
    promised_from_condition,
    promised_to_condition,
    reached_condition,
)
from visibility.screens.orders.possible_duplicates import possible_duplicate_condition
from visibility.screens.orders.promise_time import due_today_condition, past_promise_condition
from visibility.storage.orders_with_events_of_source import reported_by_source_condition
from visibility.timeline.model import MilestoneCode, Status
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.timeline.status_answer import STATE_LABELS, STATUS_LABELS

STATES = {state.value: STATE_LABELS[state] for state in OrderState}
STATUSES = {status.value: STATUS_LABELS[status] for status in Status}
MILESTONES = {code.value: code.value.replace("_", " ").capitalize() for code in MilestoneCode}


def _cutoff_label(text: str) -> str:
    cutoff = CutoffFilter.from_text(text)
    return cutoff.label if cutoff else text


def _why_unknown_cutoff(text: str) -> str:
    return "" if CutoffFilter.from_text(text) else "is not a value of this filter"


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
        options.pop("condition", column_condition(name)),
        has_suggestions=True,
        is_repeatable=True,
        **options,
    )


ORDER_FILTERS = by_name(
    _choice("status", "Order status", "Order status.", column_condition("status"), STATUSES),
    _choice(
        "state",
        "State",
        "State that applies to the order, such as `conflict`.",
        any_state_condition,
        STATES,
    ),
    _choice(
        "without",
        "Without state",
        "State that does not apply to the order; with several, none of them.",
        lambda values, context: ~any_state_condition(values, context),
        STATES,
    ),
    _known("channel", "Channel", "Sales channel.", value_label=sales_channel_label),
    _known("warehouse", "Warehouse", "Shipping warehouse."),
    _known("carrier", "Carrier", "Carrier."),
    _known(
        "customer",
        "Customer",
        "Customer number. With permission to see contacts, also the name.",
        condition=customer_condition,
        is_free_text=True,
    ),
    _known(
        "group", "Customer group", "Customer group.", condition=column_condition("customer_group")
    ),
    _known(
        "item",
        "Item",
        "Number of an item (SKU) on the lines.",
        condition=item_condition,
        is_free_text=True,
    ),
    _known(
        "source",
        "Source",
        "Slug of a source that reported on the order.",
        condition=lambda values, _: reported_by_source_condition(list(values)),
        value_label=source_title,
        check=why_unknown_source,
    ),
    _choice(
        "reached", "Milestone reached", "Milestone that was reached.", reached_condition, MILESTONES
    ),
    _choice(
        "not_reached",
        "Milestone not reached",
        "Milestone that was not reached; with several, none of them.",
        lambda values, context: ~reached_condition(values, context),
        MILESTONES,
    ),
    ListFilter(
        "promise_from",
        "Promise date from",
        "Orders promised on this date or later.",
        promised_from_condition,
        FilterKind.DAY,
    ),
    ListFilter(
        "promise_to",
        "Promise date to",
        "Orders promised on this date or earlier.",
        promised_to_condition,
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
    ListFilter(
        "since",
        "Last update from",
        "Orders whose latest event occurred at or after this time.",
        lambda values, _: Q(last_event_at__gte=values[0]),
        FilterKind.TIME,
        is_in_form=False,
    ),
    ListFilter(
        "until",
        "Last update before",
        "Orders whose latest event occurred before this time.",
        lambda values, _: Q(last_event_at__lt=values[0]),
        FilterKind.TIME,
        is_in_form=False,
    ),
    ListFilter(
        "cutoff",
        "Cut-off",
        "`<stage>:<warehouse>:<carrier>`: the orders that must leave by this cut-off; the stage is "
        "`gone`, `ready`, `not_picked`, `at_risk` or `all`, and `*` is any warehouse or carrier.",
        cutoff_condition,
        value_label=_cutoff_label,
        check=_why_unknown_cutoff,
        is_in_form=False,
    ),
    _switch("alert", "With an open alert", "with an open alert.", alert_condition, is_in_form=True),
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
        no_scan_condition,
    ),
    _switch(
        "at_risk",
        "At risk",
        "at risk: not late, and an SLA alert is open, or an SLA timer, a cut-off or the promise of "
        "an order on hold is close.",
        lambda _, context: at_risk_condition(context.now),
    ),
    _switch(
        "unknown",
        "Status unknown",
        "open, and a source that it waits for sends no data.",
        lambda _, context: load_unknown_status_condition(context.now),
    ),
    _switch(
        "duplicate",
        "Possible duplicate",
        "open, with the customer, customer PO and total of another order, ordered within 2 days.",
        lambda _, __: possible_duplicate_condition(),
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
