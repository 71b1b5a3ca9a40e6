"""Enumerations of derived values: order states, line states, line flags, compared fields."""

from enum import StrEnum


class OrderState(StrEnum):
    """A state of an order as customer service describes it; an order can be in several."""

    CREDIT_REVIEW = "credit_review"
    ON_HOLD = "on_hold"
    RELEASED = "released"
    ALLOCATED = "allocated"
    PARTIALLY_ALLOCATED = "partially_allocated"
    BACKORDERED = "backordered"
    STOCK_SHORTAGE = "stock_shortage"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    PARTIALLY_INVOICED = "partially_invoiced"
    INVOICED = "invoiced"
    PARTIALLY_RETURNED = "partially_returned"
    RETURNED = "returned"
    PARTIALLY_CREDITED = "partially_credited"
    CREDITED = "credited"
    CANCELLED = "cancelled"
    SHORT_CANCELLED = "short_cancelled"  # by the seller, short on stock
    SUBSTITUTED = "substituted"
    CONTRADICTION = "contradiction"  # cancelled but shipped anyway
    CONFLICT = "conflict"  # sources differ for longer than the grace period


class LineState(StrEnum):
    """The state of a line, derived from its quantities."""

    UNKNOWN = "unknown"  # no ordered quantity was reported
    UNCOUNTABLE = "uncountable"  # it cannot be counted, see its flags
    ORDERED = "ordered"
    BACKORDERED = "backordered"
    ALLOCATED = "allocated"
    PICKED = "picked"
    PACKED = "packed"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class LineFlag(StrEnum):
    """Something unusual about a line."""

    UNIT = "unit"  # reported in units without a conversion factor
    UNKNOWN_SKU = "unknown_sku"  # the source's item number is not mapped
    OVERSHIP = "overship"
    CONTRADICTION = "contradiction"  # more was shipped than is still wanted
    SHORT_CANCELLED = "short_cancelled"
    SUBSTITUTED = "substituted"  # another item was shipped in its place
    SUBSTITUTE = "substitute"
    KIT = "kit"
    COMPONENT = "component"
    NO_COUNTERPART = "no_counterpart"  # it matches no line of the other systems
    NOT_GOODS = "not_goods"  # never shipped: a service, a tip, a digital gift card


# Why a line cannot be counted; of a line with several of them, the first one counts.
UNCOUNTABLE_FLAGS = (LineFlag.UNIT, LineFlag.UNKNOWN_SKU, LineFlag.NO_COUNTERPART)


class ComparedField(StrEnum):
    """A field that sources make claims about."""

    STATUS = "status"
    PROMISED_AT = "promised_at"
    PRICE = "price"
    ORDERED = "ordered"
    ALLOCATED = "allocated"
    BACKORDERED = "backordered"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    INVOICED = "invoiced"
    RETURNED = "returned"
    CREDITED = "credited"
    CANCELLED = "cancelled"
