"""The preview of an order, which `list.js` shows beside the list."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path

from visibility.db.database_time import database_now
from visibility.models import Order
from visibility.screens.orders.order_preview import load_order_preview
from visibility.web.permissions import Permission, has_permission, require_permission


@require_permission(Permission.ORDERS)
def order_preview_view(request: HttpRequest, order_id: int) -> HttpResponse:
    """GET /orders/<id>/preview: a page with the element #preview only."""
    order = get_object_or_404(Order, pk=order_id)
    now = database_now()
    prices = has_permission(request.user, Permission.PRICES)
    contacts = has_permission(request.user, Permission.CONTACTS)
    context = {
        "preview": load_order_preview(order, prices=prices, contacts=contacts, now=now),
        "prices": prices,
        "contacts": contacts,
        "now": now,
    }
    return render(request, "orders/preview.html", context)


urlpatterns = [path("orders/<int:order_id>/preview", order_preview_view, name="order_preview")]
