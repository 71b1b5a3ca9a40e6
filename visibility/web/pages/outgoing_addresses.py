"""Page of the private addresses that outgoing requests may call."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models.allowed_addresses import AllowedAddress
from visibility.outbound.allowed_addresses import (
    InvalidAllowedAddress,
    allow_address,
    disallow_address,
)
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.permissions import Permission, require_permission, signed_in_user

URL = "/outgoing-addresses"
PAGE_SIZE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def outgoing_addresses(request: HttpRequest) -> HttpResponse:
    """`/outgoing-addresses`: the allowed addresses; POST allows one more."""
    if request.method != "POST":
        return _render_list(request)
    entered = {name: request.POST.get(name, "") for name in ("host", "port", "note")}
    try:
        address = allow_address(**entered, now=database_now(), user=signed_in_user(request))
    except InvalidAllowedAddress as error:
        return _render_list(request, entered, error)
    messages.success(request, f"{address} is allowed.")
    return HttpResponseRedirect(URL)


@require_POST
@require_permission(Permission.ADMINISTER)
def remove_address(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /outgoing-addresses/<id>/remove`."""
    address = disallow_address(number, now=database_now(), user=signed_in_user(request))
    if address is None:
        raise Http404
    messages.success(request, f"{address} is no longer allowed.")
    return HttpResponseRedirect(URL)


def _render_list(
    request: HttpRequest,
    entered: dict[str, str] | None = None,
    error: InvalidAllowedAddress | None = None,
) -> HttpResponse:
    now, after = database_now(), parse_row_id(request.GET.get("after", "")) or 0
    addresses = AllowedAddress.objects.select_related("added_by").filter(pk__gt=after)
    rows = list(addresses.order_by("pk")[: PAGE_SIZE + 1])
    context = {
        "addresses": [(row, displayed_time(row.added_at, now)) for row in rows[:PAGE_SIZE]],
        "next": rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else "",
        "is_first": not after,
        "configured": settings.OUTGOING_ALLOWED,
        "entered": entered or {},
        "errors": {e.name: e.sentence for e in error.errors} if error else {},
    }
    return render(request, "outgoing_addresses/list.html", context, status=422 if error else 200)


urlpatterns = [
    path("outgoing-addresses", outgoing_addresses, name="outgoing-addresses"),
    path("outgoing-addresses/<int:number>/remove", remove_address),
]
