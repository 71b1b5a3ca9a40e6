"""Words for what follows from events: states of orders and of lines, fields that are compared."""

from enum import StrEnum


class State(StrEnum):
    """What customer service says of an order; several may hold at once."""

    CREDIT_REVIEW = "credit_review"
    HELD = "held"
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
    SHORT_CANCELLED = "short_cancelled"  # by us, for want of stock
    SUBSTITUTED = "substituted"
    CONTRADICTION = "contradiction"  # cancelled, and shipped all the same
    CONFLICT = "conflict"  # two sources' claims differ for longer than they may


class LineState(StrEnum):
    """Where one line stands, by its quantities."""

    UNKNOWN = "unknown"  # nobody has said how much was ordered
    ASIDE = "aside"  # it can't be counted: see its flags
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
    """What is unusual about a line."""

    UNIT = "unit"  # told in units that nobody has related to each other
    UNKNOWN_SKU = "unknown_sku"  # the source's word for the article is not mapped
    OVERSHIP = "overship"
    CONTRADICTION = "contradiction"  # more left than is still wanted
    SHORT_CANCELLED = "short_cancelled"
    SUBSTITUTED = "substituted"  # another article was sent in its place
    SUBSTITUTE = "substitute"
    KIT = "kit"
    COMPONENT = "component"


class Field(StrEnum):
    """What sources make claims about."""

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
