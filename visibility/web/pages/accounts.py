"""Signing in and out, and the page each role starts on."""

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from visibility.web.permissions import START, Role, roles

BACKEND = "django.contrib.auth.backends.ModelBackend"
MOST_FIRST = (
    Role.ADMIN,
    Role.OPERATIONS,
    Role.CUSTOMER_SERVICE,
    Role.EXECUTIVE,
    Role.INTEGRATOR,
)
# The people of the demonstration: name, what they do, icon.
DEMO_PEOPLE = {
    "clerk": ("Customer service", "Where is this order, and when will it arrive?", "phone"),
    "operations": ("Operations", "What is late, and who is on it?", "building-warehouse"),
    "executive": ("Executive", "Are promises kept, and where not?", "chart-line"),
    "integrator": (
        "Integrator",
        "Does every system speak, and is it understood?",
        "plug-connected",
    ),
    "admin": ("Administrator", "Everything", "settings"),
}


@require_GET
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """To the first page of the person's role; with several roles, of the one that may most."""
    held = roles(request.user)
    for role in MOST_FIRST:
        if role in held:
            return redirect(START[role])
    raise PermissionDenied("no role")


def own_path(wanted: str) -> str:
    """An address of this site, or nothing."""
    inside = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if inside else ""


class SignIn(LoginView):
    """Name and password; in the demonstration also one click per role."""

    template_name = "accounts/signin.html"
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Where the person wanted to go, never to another site."""
        asked = request or self.request
        return own_path(asked.POST.get("next", asked.GET.get("next", "")))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form, and the people of the demonstration."""
        return super().get_context_data(**kwargs) | {"demo_people": demo_people()}


def demo_people() -> list[dict[str, str]]:
    """Who can be entered with one click: nobody, except in the demonstration."""
    if not settings.DEMO:
        return []
    found = User.objects.filter(username__in=DEMO_PEOPLE, is_active=True)
    names = {user.get_username(): user.get_full_name() for user in found}
    return [
        {"who": who, "name": names[who], "title": title, "asks": asks, "icon": icon}
        for who, (title, asks, icon) in DEMO_PEOPLE.items()
        if who in names
    ]


@require_POST
def sign_in_demo(request: HttpRequest) -> HttpResponse:
    """One click; outside the demonstration this address does not exist."""
    who = request.POST.get("who", "")
    if not settings.DEMO or who not in DEMO_PEOPLE:
        raise Http404
    user = User.objects.filter(username=who, is_active=True).first()
    if user is None:
        raise Http404
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(own_path(request.POST.get("next", "")) or "/")


urlpatterns = [
    path("", start, name="start"),
    path("signin", SignIn.as_view(), name="signin"),
    path("signin/demo", sign_in_demo, name="signin_demo"),
    path("signout", LogoutView.as_view(next_page="/signin"), name="signout"),
]
