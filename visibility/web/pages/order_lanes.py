"""The forms of the person's own timeline: its lanes, and the order of the activity list."""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_POST

from visibility.models import Source
from visibility.preferences.order_lanes import (
    MAX_LANES,
    TEAM_LANE,
    choose_activity_order,
    choose_lanes,
    load_lane_choice,
    reset_lanes,
)
from visibility.web.permissions import Permission, require_permission, signed_in_user

STEPS = {"up": -1, "down": 1}


@require_POST
@require_permission(Permission.ORDERS)
def choose_lanes_view(request: HttpRequest) -> HttpResponse:
    """`POST /order-lanes`: `lane` of all lanes of the page, `do` is `up:<lane>` and the like.

    `hide:<lane>`, `show:<lane>`, `up:<lane>`, `down:<lane>` or `reset`.
    """
    user_id = signed_in_user(request).pk
    action, _, lane = request.POST.get("do", "").partition(":")
    keys = list(dict.fromkeys(request.POST.getlist("lane")[:MAX_LANES]))
    if action == "reset":
        reset_lanes(user_id)
    elif lane in keys and not unknown_lanes(keys):
        choice = load_lane_choice(user_id)
        if action in STEPS:
            choice = choice.moved(keys, lane, STEPS[action])
        elif action == "hide":
            choice = replace(choice, hidden=choice.hidden | {lane})
        elif action == "show":
            choice = replace(choice, hidden=choice.hidden - {lane})
        choose_lanes(user_id, choice)
    return HttpResponseRedirect(_return_url(request))


@require_POST
@require_permission(Permission.ORDERS)
def choose_activity_order_view(request: HttpRequest) -> HttpResponse:
    """`POST /order-activity`: `sort` is oldest or newest; the page of the form shows it so."""
    oldest_first = request.POST.get("sort") == "oldest"
    choose_activity_order(signed_in_user(request).pk, oldest_first=oldest_first)
    sort = urlencode({"sort": "oldest" if oldest_first else "newest"})
    address = _return_url(request)
    return HttpResponseRedirect(f"{address}{'&' if '?' in address else '?'}{sort}#activity-head")


def unknown_lanes(keys: list[str]) -> set[str]:
    """Those that are neither a source nor the lane of the team."""
    known = Source.objects.filter(slug__in=keys).values_list("slug", flat=True)
    return set(keys) - {*known, TEAM_LANE}


def _return_url(request: HttpRequest) -> str:
    """The page of the form, or the list of orders; only paths of this site."""
    requested = request.POST.get("next", "")
    is_safe = requested and url_has_allowed_host_and_scheme(requested, None)
    return requested if is_safe else "/orders"


urlpatterns = [
    path("order-lanes", choose_lanes_view, name="order_lanes"),
    path("order-activity", choose_activity_order_view, name="order_activity"),
]
