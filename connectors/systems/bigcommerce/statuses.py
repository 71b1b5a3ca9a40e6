"""Order statuses of BigCommerce by id. Merchants rename them, but the ids stay.

https://developer.bigcommerce.com/docs/rest-management/orders/order-status
"""

from collections.abc import Mapping
from enum import StrEnum

from connectors.sdk.events import EventType

INCOMPLETE = "0"
# The order was not paid yet, so it is only received.
UNPAID = frozenset({"1", "7"})
# The newest status decides between these.
STATES: Mapping[str, EventType] = {
    "2": EventType.ORDER_ACCEPTED,  # Shipped
    "3": EventType.ORDER_ACCEPTED,  # Partially Shipped
    "4": EventType.ORDER_ACCEPTED,  # Refunded: the refunds report that
    "5": EventType.ORDER_CANCELLED,
    "6": EventType.ORDER_REJECTED,  # Declined
    "8": EventType.ORDER_ACCEPTED,  # Awaiting Pickup
    "9": EventType.ORDER_ACCEPTED,  # Awaiting Shipment
    "10": EventType.ORDER_ACCEPTED,  # Completed
    "11": EventType.ORDER_ACCEPTED,  # Awaiting Fulfillment
    "12": EventType.ORDER_HELD,  # Manual Verification Required
    "13": EventType.ORDER_HELD,  # Disputed
    "14": EventType.ORDER_ACCEPTED,  # Partially Refunded
}
# What a status also reports, and which stays true afterwards.
STEPS: Mapping[str, EventType] = {
    "8": EventType.AVAILABLE_FOR_PICKUP,
    "9": EventType.PACK_COMPLETED,  # "pulled and packaged"
}
# Statuses in which an order can have shipments or refunds, whatever its counters say.
SHIPPED = frozenset({"2", "3", "10"})
REFUNDED = frozenset({"4", "14"})


class WebhookScope(StrEnum):
    """Scopes of webhooks that contain more than the id of what changed."""

    STATUS = "store/order/statusUpdated"
    SHIPMENT_DELETED = "store/shipment/deleted"
