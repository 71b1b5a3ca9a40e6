"""Sign-in, sign-out, and the redirect to the home page of each role."""

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

from visibility.web.permissions import HOME_PAGES, UserRole, roles

BACKEND = "django.contrib.auth.backends.ModelBackend"
ROLES_BY_PRIVILEGE = (
    UserRole.ADMIN,
    UserRole.OPERATIONS,
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.INTEGRATOR,
)
# Demo users: username: (role title, description, icon).
DEMO_PEOPLE = {
    "clerk": ("Customer service", "Where is this order, and when will it arrive?", "phone"),
    "operations": ("Operations", "What is late, and who is working on it?", "building-warehouse"),
    "executive": ("Executive", "Are we on time, and where not?", "chart-line"),
    "integrator": (
        "Integrator",
        "Are all integrations healthy?",
        "plug-connected",
    ),
    "admin": ("Administrator", "Everything", "settings"),
}


@require_GET
@login_required
def redirect_to_start_page(request: HttpRequest) -> HttpResponse:
    """Redirect to the home page of the user's role; of several roles, the most privileged one."""
    user_roles = roles(request.user)
    for role in ROLES_BY_PRIVILEGE:
        if role in user_roles:
            return redirect(HOME_PAGES[role])
    raise PermissionDenied("no role")


def local_path_or_empty(url: str) -> str:
    """The path if it is on this site, else ""."""
    inside = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if inside else ""


class SignInView(LoginView):
    """Username and password; in the demo also one click per role."""

    template_name = "accounts/signin.html"
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """The `next` parameter, only if it is a path of this site."""
        asked = request or self.request
        return local_path_or_empty(asked.POST.get("next", asked.GET.get("next", "")))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the demo users."""
        return super().get_context_data(**kwargs) | {
            "demo_people": demo_people(),
            "has_users": User.objects.exists(),
        }


def demo_people() -> list[dict[str, str]]:
    """The users that can sign in with one click; empty outside the demo."""
    if not settings.DEMO:
        return []
    users = User.objects.filter(username__in=DEMO_PEOPLE, is_active=True)
    names = {user.get_username(): user.get_full_name() for user in users}
    return [
        {"who": who, "name": names[who], "title": title, "asks": asks, "icon": icon}
        for who, (title, asks, icon) in DEMO_PEOPLE.items()
        if who in names
    ]


@require_POST
def sign_in_demo(request: HttpRequest) -> HttpResponse:
    """Sign in as a demo user. Raises Http404 outside the demo."""
    who = request.POST.get("who", "")
    if not settings.DEMO or who not in DEMO_PEOPLE:
        raise Http404
    user = User.objects.filter(username=who, is_active=True).first()
    if user is None:
        raise Http404
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(local_path_or_empty(request.POST.get("next", "")) or "/")


urlpatterns = [
    path("", redirect_to_start_page, name="start"),
    path("signin", SignInView.as_view(), name="signin"),
    path("signin/demo", sign_in_demo, name="signin_demo"),
    path("signout", LogoutView.as_view(next_page="/signin"), name="signout"),
]
