"""The orders related to an order: of one PO, in one shipment, duplicates, and of one customer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, Window
from django.utils.http import urlencode

from connectors.sdk.events import IdentifierScheme, ObjectKind
from visibility.db.parse_id_and_time import parse_page_number
from visibility.models import Identifier, ObjectRelation, Order
from visibility.screens.orders.activity_filter import objects_to_filter_by
from visibility.screens.orders.possible_duplicates import duplicates_of_condition
from visibility.timeline import Timeline
from visibility.timeline.model import Status
from visibility.timeline.status_answer import STATUS_LABELS

PAGE_SIZE = 6
RETURN_KINDS = (ObjectKind.RETURN, ObjectKind.RETURN_DELIVERY)


@dataclass(frozen=True, slots=True)
class RelatedGroup:
    """The orders related in one way. `first`: the position of the first row, from 1.

    `list_url`: the list of all of them; empty if no list has them.
    """

    code: str
    title: str
    rows: Sequence[tuple[Any, str]]
    total: int
    page: int
    list_url: str = ""

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        """The position of the last row of the page."""
        return self.first + len(self.rows) - 1


def load_related_groups(
    order: Order, identifiers: Iterable[Identifier], *, has_lists: bool, wanted: str
) -> list[RelatedGroup]:
    """The groups with orders; a statement for each. An order may be in several of them.

    `wanted`: `<code>:<page>` of the group whose page is not the first. `has_lists`: the reader may
    see lists of orders, and so the other orders of the customer.
    """
    code, _, number = wanted.partition(":")
    page = parse_page_number(number)
    groups = (
        ("po", "Same purchase order", _same_po(identifiers), ""),
        ("shipment", "In the same shipment", _same_shipment(order), ""),
        ("duplicate", "Possible duplicates", duplicates_of_condition(order.pk), ""),
        ("customer", "Other open orders of the customer", *_same_customer(order)),
    )
    loaded = [
        _load_group(order, each, title, condition, page if each == code else 1, url)
        for each, title, condition, url in groups
        if condition is not None and (has_lists or each != "customer")
    ]
    return [group for group in loaded if group.rows or group.page > 1]


def _load_group(
    order: Order, code: str, title: str, condition: Q, page: int, list_url: str
) -> RelatedGroup:
    start = (page - 1) * PAGE_SIZE
    others = Order.objects.filter(condition, last_event_at__isnull=False).exclude(pk=order.pk)
    rows: Sequence[Any] = list(
        others.annotate(group_total=Window(Count("*"))).order_by(
            F("ordered_at").desc(nulls_last=True), "-pk"
        )[start : start + PAGE_SIZE]
    )
    return RelatedGroup(
        code,
        title,
        [(row, STATUS_LABELS[Status(row.status)]) for row in rows],
        rows[0].group_total if rows else 0,
        page,
        list_url,
    )


def _same_po(identifiers: Iterable[Identifier]) -> Q | None:
    condition = Q()
    for each in identifiers:
        if each.scheme == IdentifierScheme.CUSTOMER_PO:
            condition |= Q(value=each.value, issuer=each.issuer)
    if not condition:
        return None
    named = Identifier.objects.filter(condition, scheme="customer_po", kind="order")
    return Q(pk__in=named.values("object_id"))


def _same_shipment(order: Order) -> Q:
    shipments = ObjectRelation.objects.filter(parent_id=order.pk).values("child_id")
    return Q(pk__in=ObjectRelation.objects.filter(child_id__in=shipments).values("parent_id"))


def _same_customer(order: Order) -> tuple[Q | None, str]:
    """By number, or else by name. A list filtered by number names nobody."""
    if order.customer_no:
        query = urlencode({"open": "1", "customer": order.customer_no})
        return Q(is_open=True, customer_no=order.customer_no), f"/orders?{query}"
    if order.customer_name:
        return Q(is_open=True, customer_name=order.customer_name), ""
    return None, ""


def returns_of_order(timeline: Timeline) -> list[tuple[str, str]]:
    """The returns of the order as (label, query string of the activity of each)."""
    return [
        (each.label, urlencode({"tab": "timeline", "object": each.value}))
        for each in objects_to_filter_by(timeline)
        if each.value.partition(":")[0] in RETURN_KINDS
    ]
