"""Units that were removed from the lines of a Shopify order: cancelled before, or returned after.

`current_quantity` is `quantity` less everything removed. What is still to be sent tells whether
removed units had been sent: nothing, if the line or the order is `fulfilled`, or else
`fulfillable_quantity`, which is 0 on lines on hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.payload import Node
from connectors.systems.shopify.fields import required_id_without_gid_prefix, required_quantity

ZERO = Decimal(0)
# Refunds with this `restock_type` are of units that were not sent.
CANCEL, RETURN, NO_RESTOCK = "cancel", "return", "no_restock"
FULFILLED = "fulfilled"


@dataclass(frozen=True, slots=True)
class CancelledAndReturnedUnits:
    """The removed units of one line.

    `cancelled` were never sent. `returned` came back, 0 if refunds explain all that did.
    `cancelled_without_restock` is the part of `cancelled` that was refunded as `no_restock`.
    """

    cancelled: Decimal = ZERO
    returned: Decimal = ZERO
    cancelled_without_restock: Decimal = ZERO


def cancelled_and_returned_by_line_id(order: Node) -> dict[str, CancelledAndReturnedUnits]:
    """Return the removed units of each line that has any."""
    sent = _sent_by_line_id(order)
    refunded = _refunded_by_line_id_and_restock_type(order)
    is_order_fulfilled = order.text_at("fulfillment_status") == FULFILLED
    result = {}
    for item in order.list_at("line_items"):
        line_id, current = (
            required_id_without_gid_prefix(item, "id"),
            item.decimal_at("current_quantity"),
        )
        removed = ZERO if current is None else required_quantity(item) - current
        if removed > 0:
            is_fulfilled = is_order_fulfilled or item.text_at("fulfillment_status") == FULFILLED
            result[line_id] = _cancelled_and_returned_of_line(
                item,
                removed,
                sent=sent.get(line_id, ZERO),
                refunded=refunded.get(line_id, {}),
                is_fulfilled=is_fulfilled,
            )
    return result


def _cancelled_and_returned_of_line(
    item: Node,
    removed: Decimal,
    *,
    sent: Decimal,
    refunded: Mapping[str, Decimal],
    is_fulfilled: bool,
) -> CancelledAndReturnedUnits:
    returned, not_restocked, unsent = (
        refunded.get(kind, ZERO) for kind in (RETURN, NO_RESTOCK, CANCEL)
    )
    not_sent = max(required_quantity(item) - sent, ZERO)
    to_send = item.decimal_at("fulfillable_quantity") or ZERO
    if is_fulfilled or to_send > 0:
        cancelled = not_sent - (ZERO if is_fulfilled else to_send)
    else:
        cancelled = removed - returned - min(not_restocked, sent)
    cancelled = max(min(cancelled, not_sent, removed - returned), min(unsent, removed), ZERO)
    without_restock = min(not_restocked, max(cancelled - unsent, ZERO))
    unexplained = removed - cancelled - returned - (not_restocked - without_restock)
    came_back = returned + unexplained if unexplained > 0 else ZERO
    return CancelledAndReturnedUnits(cancelled, came_back, without_restock)


def _sent_by_line_id(order: Node) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for fulfillment in order.list_at("fulfillments"):
        if fulfillment.text_at("status") == "success":
            for item in fulfillment.list_at("line_items"):
                line_id = required_id_without_gid_prefix(item, "id")
                totals[line_id] = totals.get(line_id, ZERO) + required_quantity(item)
    return totals


def _refunded_by_line_id_and_restock_type(order: Node) -> dict[str, dict[str, Decimal]]:
    totals: dict[str, dict[str, Decimal]] = {}
    for refund in order.list_at("refunds"):
        for item in refund.list_at("refund_line_items"):
            line_id = required_id_without_gid_prefix(item, "line_item_id")
            by_type = totals.setdefault(line_id, {})
            kind = item.text_at("restock_type")
            kind = kind if kind in {CANCEL, RETURN} else NO_RESTOCK
            by_type[kind] = by_type.get(kind, ZERO) + required_quantity(item)
    return totals
