"""Where a tracking link leads: its address, and the orders that it shows.

The address is `/track/<name><seal>`; the name is random, and the seal is a keyed hash of the row.
Neither the seal nor the address is stored. Unknown, expired and revoked links look alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import IdentifierScheme
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.models import Identifier, Order, TrackingLink

PURPOSE = KeyPurpose.TRACKING_LINK
# Characters of the name (96 bits) and of the seal (160 bits) in an address.
NAME_LENGTH, SEAL_LENGTH = 16, 40
# A page shows an order until so long after it was closed.
SHOWN_AFTER_CLOSE = timedelta(days=90)
MAX_ORDERS = 20


def tracking_path(link: TrackingLink) -> str:
    """The path of a link. Only the response to its creation contains it."""
    seal = seal_text(_sealed_text(link), purpose=PURPOSE)
    return f"/track/{link.name}{seal[:SEAL_LENGTH]}"


def find_valid_link(token: str, now: datetime) -> TrackingLink | None:
    """The link of an address, if it is valid now. One statement and one seal, whatever it is."""
    name, seal = token[:NAME_LENGTH], token[NAME_LENGTH:]
    link = TrackingLink.objects.filter(name=name).select_related("order").first()
    expected = link or TrackingLink(name=name, order_id=0, created_at=now, expires_at=now)
    is_authentic = is_valid_seal(seal, _sealed_text(expected), purpose=PURPOSE, length=SEAL_LENGTH)
    return link if link is not None and is_authentic and link.is_valid_at(now) else None


@dataclass(frozen=True, slots=True)
class OrdersOfLink:
    """The orders that a page shows, and counts over all orders of the link."""

    shown: Sequence[Order]
    total: int
    delivered: int

    @property
    def hidden(self) -> int:
        """How many orders the page has no room for."""
        return self.total - len(self.shown)


def orders_of_link(link: TrackingLink, now: datetime) -> OrdersOfLink:
    """The orders of a link, the newest first; a merged order is its survivor.

    Orders that were closed long ago are left out, and not counted.
    """
    if link.customer_po:
        named = Identifier.objects.filter(
            value=link.customer_po,
            scheme=IdentifierScheme.CUSTOMER_PO,
            kind="order",
            rejected=False,
        )
        rows = Order.objects.filter(pk__in=named.values("object_id"), customer_no=link.customer_no)
    else:
        rows = Order.objects.filter(pk=link.order.merged_into_id or link.order_id)
    recently = Q(is_open=True) | Q(status_since__gt=now - SHOWN_AFTER_CLOSE) | Q(status_since=None)
    rows = rows.filter(recently)
    shown = list(rows.order_by("-pk")[: MAX_ORDERS + 1])
    if len(shown) <= MAX_ORDERS:
        return OrdersOfLink(shown, len(shown), sum(o.delivered_at is not None for o in shown))
    counts = rows.aggregate(total=Count("pk"), delivered=Count("delivered_at"))
    return OrdersOfLink(shown[:MAX_ORDERS], **counts)


def _sealed_text(link: TrackingLink) -> str:
    scope = (link.name, str(link.order_id), link.customer_po, link.customer_no)
    times = (format_rfc3339(link.created_at), format_rfc3339(link.expires_at))
    return "\0".join((*scope, *times))
