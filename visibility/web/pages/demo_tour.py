"""The tour of the demo: `/tour`, and hiding it."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from visibility.preferences.demo_tour import HIDDEN, add_tour_code, show_tour
from visibility.screens.setup.demo_tour import load_tour
from visibility.web.demo_tour_pages import tour_reader
from visibility.web.permissions import signed_in_user

TOUR_URL = "/tour"


@require_safe
@login_required
def tour_page(request: HttpRequest) -> HttpResponse:
    """`/tour`: the steps that the person's role may do. 404 outside a demo."""
    _require_demo()
    user = signed_in_user(request)
    steps, is_hidden = load_tour(tour_reader(user))
    following = next((step for step in steps if not step.is_done), None)
    context = {
        "steps": steps,
        "is_hidden": is_hidden,
        "done": sum(step.is_done for step in steps),
        "following": following,
    }
    return render(request, "setup/demo_tour.html", context)


@require_POST
@login_required
def hide_tour(request: HttpRequest) -> HttpResponse:
    """`POST /tour/hide`: remove the tour from the top bar, for this person."""
    _require_demo()
    add_tour_code(signed_in_user(request).pk, HIDDEN)
    messages.success(request, "The tour is hidden. Your menu at the top right has it again.")
    return HttpResponseRedirect(TOUR_URL)


@require_POST
@login_required
def show_hidden_tour(request: HttpRequest) -> HttpResponse:
    """`POST /tour/show`: show the tour in the top bar again."""
    _require_demo()
    show_tour(signed_in_user(request).pk)
    return HttpResponseRedirect(TOUR_URL)


def _require_demo() -> None:
    if not settings.DEMO:
        raise Http404


urlpatterns = [
    path("tour", tour_page, name="tour"),
    path("tour/hide", hide_tour),
    path("tour/show", show_hidden_tour),
]
