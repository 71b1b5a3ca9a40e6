"""By what alerts are grouped: the columns of a group, its key, and the alerts in it.

A cause is a rule and what its alerts have in common:

- an alert about an order: the warehouse of the order, or nothing while that is unknown;
- a status without a mapping: the source and the status text;
- any other alert, such as of a silent source or a failing rule: the source, if there is one.

The key of a group is text for a URL: `cause:sla:12:0:DAL`, `order:4711`, `customer:C100`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import Case, CharField, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Coalesce, Left, NullIf

from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Alert, AlertKind

# Of a status text, so much counts; longer ones that begin alike are one cause.
MAX_SHARED_VALUE = 200
MAX_KEY = 400


class AlertGrouping(StrEnum):
    """By what the inbox is grouped."""

    CAUSE = "cause"
    ORDER = "order"
    CUSTOMER = "customer"
    NONE = "one"


class MoneySum(NamedTuple):
    """A sum in one currency."""

    amount: Decimal
    currency: str


Money = Sequence[MoneySum]


class GroupSort(StrEnum):
    """The order of the groups in a view."""

    SEVERITY = "worst"
    VALUE = "money"
    NEWEST = "newest"
    OVERDUE = "overdue"
    SIZE = "size"


# The columns that make a group, in the order of its key.
COLUMNS: Mapping[AlertGrouping, tuple[str, ...]] = {
    AlertGrouping.CAUSE: ("kind", "rule_id", "source_id", "shared_value"),
    AlertGrouping.ORDER: ("order_id",),
    AlertGrouping.CUSTOMER: ("shared_value",),
}
NUMBERS = frozenset({"rule_id", "source_id", "order_id"})


def annotate_shared_value(
    alerts: QuerySet[Alert], by: AlertGrouping, *, contacts: bool
) -> QuerySet[Alert]:
    """Add `shared_value`, the text that the alerts of a group have in common.

    `contacts`: whether the reader may see the names of customers.
    """
    if by is AlertGrouping.ORDER:
        return alerts
    if by is AlertGrouping.CAUSE:
        shared_value: Any = Case(
            When(kind=AlertKind.UNMAPPED_STATUS, then=Left("subject_key", MAX_SHARED_VALUE)),
            When(order__isnull=False, then=Coalesce(F("order__order__warehouse"), Value(""))),
            default=Value(""),
            output_field=TextField(),
        )
    else:
        number = F("order__order__customer_no")
        name = (F("order__order__customer_name"),) if contacts else ()
        shared_value = Coalesce(
            NullIf(number, Value("")), *name, Value(""), output_field=CharField()
        )
    return alerts.annotate(shared_value=shared_value)


def group_key(by: AlertGrouping, row: Mapping[str, Any]) -> str:
    """The key of a group from its columns."""
    values = (str(row[name] or (0 if name in NUMBERS else "")) for name in COLUMNS[by])
    return f"{by}:{':'.join(values)}"


def grouping_of_key(key: str) -> AlertGrouping | None:
    """By what the group of a key is made; None if no group has such a key."""
    by = key.partition(":")[0]
    return AlertGrouping(by) if by in set(AlertGrouping) - {AlertGrouping.NONE} else None


def alerts_in_group(alerts: QuerySet[Alert], key: str, *, contacts: bool) -> QuerySet[Alert]:
    """The alerts of a group; none for a key that no group has."""
    by = grouping_of_key(key)
    if by is None or len(key) > MAX_KEY:
        return alerts.none()
    columns = COLUMNS[by]
    values = key.split(":", len(columns))[1:]
    if len(values) != len(columns):
        return alerts.none()
    condition = Q()
    for name, value in zip(columns, values, strict=True):
        if name not in NUMBERS:
            condition &= Q(**{name: value})
        elif value == "0":
            condition &= Q(**{f"{name}__isnull": True})
        else:
            number = parse_row_id(value)
            if not number:
                return alerts.none()
            condition &= Q(**{name: number})
    return annotate_shared_value(alerts, by, contacts=contacts).filter(condition)
