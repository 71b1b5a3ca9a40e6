"""The form that hides and moves the lanes of order timelines, for the person who sends it."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from visibility.models import Source
from visibility.preferences.order_lanes import (
    MAX_LANES,
    TEAM_LANE,
    LaneChoice,
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
            choice = LaneChoice(choice.lanes, choice.hidden | {lane})
        elif action == "show":
            choice = LaneChoice(choice.lanes, choice.hidden - {lane})
        choose_lanes(user_id, choice)
    return HttpResponseRedirect(_return_url(request))


def unknown_lanes(keys: list[str]) -> set[str]:
    """Those that are neither a source nor the lane of the team."""
    known = Source.objects.filter(slug__in=keys).values_list("slug", flat=True)
    return set(keys) - {*known, TEAM_LANE}


def _return_url(request: HttpRequest) -> str:
    """The page of the form, or the list of orders; only paths of this site."""
    requested = request.POST.get("next", "")
    is_safe = requested and url_has_allowed_host_and_scheme(requested, None)
    return requested if is_safe else "/orders"


urlpatterns = [path("order-lanes", choose_lanes_view, name="order_lanes")]
