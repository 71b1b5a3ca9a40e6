"""Links that show customers where their orders are: create, list and revoke them."""

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.events import IdentifierScheme
from visibility.db.data_scope import active_scope
from visibility.models import Identifier, Order, TrackingLink
from visibility.models.audit import append_audit_entry
from visibility.screens.tracking.orders_of_link import NAME_LENGTH, tracking_path
from visibility.web.author import Author

MIN_DAYS, DEFAULT_DAYS, MAX_DAYS = 1, 30, 366
MAX_LISTED = 50
WITHOUT_PO = (
    "The order has no PO or no customer number, or you do not see all orders of the customer, so a "
    "link can show only this order."
)


class TrackingLinkRejected(Exception):
    """The link cannot be created; the text says why. `field`: the field that is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def create_tracking_link(
    order: Order, *, covers_po: bool, days: int, by: Author
) -> tuple[TrackingLink, str]:
    """Create a link to an order, or to all orders of its PO; the path is not stored anywhere.

    Raises TrackingLinkRejected.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        sentence = f"A link is valid for {MIN_DAYS} to {MAX_DAYS} days."
        raise TrackingLinkRejected("days", sentence)
    if covers_po and not may_show_po(order):
        raise TrackingLinkRejected("covers_po", WITHOUT_PO)
    po = _purchase_order_number(order) if covers_po else ""
    if covers_po and not po:
        raise TrackingLinkRejected("covers_po", WITHOUT_PO)
    with transaction.atomic():
        link = TrackingLink.objects.create(
            name=secrets.token_urlsafe(NAME_LENGTH * 3 // 4),
            order_id=order.pk,
            customer_po=po,
            customer_no=order.customer_no if covers_po else "",
            created_by=by.user,
            created_at=by.now,
            expires_at=by.now + timedelta(days=days),
        )
        _audit("tracking_link.created", link, by)
    return link, tracking_path(link)


def may_show_po(order: Order) -> bool:
    """Whether a link can show all orders of the PO, which may be more than its creator sees."""
    scope = active_scope()
    sees_all = scope is None or not (scope.channels or scope.warehouses)
    return sees_all and bool(order.customer_po and order.customer_no)


def revoke_tracking_link(order_id: int, number: int, *, by: Author) -> TrackingLink | None:
    """Revoke a link of an order; None if there is none. A revoked link stays as it is."""
    with transaction.atomic():
        rows = TrackingLink.objects.select_for_update(of=("self",))
        link = rows.filter(_order_or_merged_into_it(order_id), pk=number).first()
        if link is not None and link.revoked_at is None:
            link.revoked_at = by.now
            link.save(update_fields=["revoked_at"])
            _audit("tracking_link.revoked", link, by)
    return link


def tracking_links_of_order(order_id: int, now: datetime | None = None) -> list[TrackingLink]:
    """The links of an order, the newest first; with `now` only those that are valid then."""
    rows = TrackingLink.objects.filter(_order_or_merged_into_it(order_id))
    if now is not None:
        rows = rows.filter(revoked_at=None, expires_at__gt=now)
    return list(rows.select_related("created_by").order_by("-created_at", "-pk")[:MAX_LISTED])


def _purchase_order_number(order: Order) -> str:
    """The PO number of the order as it is stored for searches; "" without one."""
    rows = Identifier.objects.filter(
        object_id=order.pk, scheme=IdentifierScheme.CUSTOMER_PO, kind="order", rejected=False
    )
    return rows.order_by("pk").values_list("value", flat=True).first() or ""


def _order_or_merged_into_it(order_id: int) -> Q:
    return Q(order_id=order_id) | Q(order__merged_into_id=order_id)


def _audit(action: str, link: TrackingLink, by: Author) -> None:
    scope = f"purchase order {link.customer_po}" if link.customer_po else "this order"
    append_audit_entry(
        action,
        user=by.user,
        object=f"order {link.order_id}",
        detail={"link": link.pk, "shows": scope, "expires": format_rfc3339(link.expires_at)},
        now=by.now,
    )
