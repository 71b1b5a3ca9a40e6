"""The panel "Tracking page" of the order page: create a link for the customer, and revoke it."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST

from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import BusinessObject, Order, TrackingLink
from visibility.web.author import author_of
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
)
from visibility.web.tracking_links import (
    DEFAULT_DAYS,
    MAX_DAYS,
    MIN_DAYS,
    TrackingLinkRejected,
    create_tracking_link,
    may_show_po,
    revoke_tracking_link,
    tracking_links_of_order,
)


@dataclass(frozen=True, slots=True)
class TrackingPanel:
    """The valid links of an order, and what a new one can be."""

    links: list[TrackingLink]
    may_show_po: bool
    days: int = DEFAULT_DAYS
    min_days: int = MIN_DAYS
    max_days: int = MAX_DAYS


def tracking_panel(request: HttpRequest, order: Order, now: datetime) -> TrackingPanel | None:
    """The panel of an order; None for users who may not share orders. One statement."""
    if not has_permission(request.user, Permission.ORDERS_SHARE):
        return None
    return TrackingPanel(tracking_links_of_order(order.pk, now), may_show_po(order))


@require_POST
@require_permission(Permission.ORDERS_SHARE)
def create_link(request: HttpRequest, order_id: int) -> HttpResponse:
    """`POST /orders/<id>/tracking-links`: create a link and show it once.

    The response is the page itself: a redirect would have to store the link in the session.
    """
    order = _surviving_order_or_404(order_id)
    days = parse_row_id(request.POST.get("days", "")) or 0
    covers_po = request.POST.get("scope") == "po"
    by = author_of(request)
    try:
        link, address = create_tracking_link(order, covers_po=covers_po, days=days, by=by)
    except TrackingLinkRejected as rejected:
        messages.error(request, str(rejected))
        return HttpResponseRedirect(f"/orders/{order.pk}")
    context = {"order": order, "link": link, "address": request.build_absolute_uri(address)}
    return render(request, "tracking/created.html", context)


@require_POST
@require_permission(Permission.ORDERS_SHARE)
def revoke_link(request: HttpRequest, order_id: int, number: int) -> HttpResponse:
    """`POST /orders/<id>/tracking-links/<number>/revoke`, and redirect to the order."""
    order = _surviving_order_or_404(order_id)
    by = author_of(request)
    if revoke_tracking_link(order.pk, number, by=by) is None:
        raise Http404
    messages.success(request, "The tracking link is revoked. It opens nothing any more.")
    return HttpResponseRedirect(f"/orders/{order.pk}")


def _surviving_order_or_404(order_id: int) -> Order:
    winner = BusinessObject.objects.filter(pk=order_id, kind="order").first()
    order = winner and Order.objects.filter(pk=winner.merged_into_id or winner.pk).first()
    if not order:
        raise Http404
    return order


urlpatterns = [
    path("orders/<int:order_id>/tracking-links", create_link, name="tracking_link_create"),
    path(
        "orders/<int:order_id>/tracking-links/<int:number>/revoke",
        revoke_link,
        name="tracking_link_revoke",
    ),
]
