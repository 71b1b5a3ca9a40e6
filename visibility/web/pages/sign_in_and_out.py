"""Sign-in, sign-out, and the redirect to the home page of each role."""

import threading
from datetime import timedelta
from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.boards.stored_boards import start_board_slug
from visibility.db.database_time import database_now
from visibility.models.audit import append_audit_entry
from visibility.notify.mail import has_mail_server
from visibility.screens.setup.next_step import load_next_step
from visibility.storage.organization import is_checklist_closed, organization_name
from visibility.web.database_unavailable import RETRY_SECONDS
from visibility.web.people.local_paths import local_path_or_empty as local_path_or_empty
from visibility.web.people.saml.change_saml_provider import enabled_saml_provider
from visibility.web.people.sessions import record_session
from visibility.web.people.single_sign_on.change_identity_provider import (
    enabled_identity_provider,
)
from visibility.web.people.throttle import forgive_attempt, take_attempt, wait_sentence
from visibility.web.permissions import HOME_PAGES, UserRole, roles, signed_in_user

BACKEND = "django.contrib.auth.backends.ModelBackend"
ROLES_BY_PRIVILEGE = (
    UserRole.ADMIN,
    UserRole.OPERATIONS,
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.INTEGRATOR,
)
# Sign-ins that may use a database connection at once, and those that may also wait for that.
MAX_PARALLEL_SIGN_INS, MAX_WAITING_SIGN_INS = 2, 60
MAX_SIGN_IN_WAIT = 10.0  # seconds
_running = threading.BoundedSemaphore(MAX_PARALLEL_SIGN_INS)
_present = threading.BoundedSemaphore(MAX_PARALLEL_SIGN_INS + MAX_WAITING_SIGN_INS)
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
    """Redirect to the board that the user chose, or to the home page of their role.

    Of several roles, the most privileged one counts. An administrator who sets up the installation
    continues with the checklist.
    """
    user_roles = roles(request.user)
    if user_roles and (slug := start_board_slug(signed_in_user(request).pk)):
        return redirect(f"/boards/{slug}")
    if UserRole.ADMIN in user_roles and _is_set_up_unfinished():
        return redirect("/setup")
    for role in ROLES_BY_PRIVILEGE:
        if role in user_roles:
            return redirect(HOME_PAGES[role])
    raise PermissionDenied("no role")


def _is_set_up_unfinished() -> bool:
    """Whether the installation cannot show anything yet, and nobody closed the checklist."""
    is_checklist_open = bool(organization_name()) and not is_checklist_closed()
    return is_checklist_open and load_next_step() is not None


class SignInView(LoginView):
    """Username and password; in the demo also one click per role."""

    template_name = "accounts/signin.html"
    redirect_authenticated_user = True

    def dispatch(
        self, request: HttpRequest, *arguments: Any, **parameters: Any
    ) -> HttpResponseBase:
        """Check a few passwords at a time; answer 503 if too many are waiting."""
        if request.method != "POST":
            return super().dispatch(request, *arguments, **parameters)
        if not _present.acquire(blocking=False):
            return _build_too_many_sign_ins_response()
        try:
            if not _running.acquire(timeout=MAX_SIGN_IN_WAIT):
                return _build_too_many_sign_ins_response()
            try:
                return super().dispatch(request, *arguments, **parameters)
            finally:
                _running.release()
        finally:
            _present.release()

    def post(self, request: HttpRequest, *arguments: Any, **parameters: Any) -> HttpResponse:
        """Check a password, unless the account or the address has to wait: then answer 429."""
        name = request.POST.get("username", "")
        if name and request.POST.get("password"):
            wait = take_attempt(name[:150], client_address(request), database_now())
            if wait is not None:
                return self._render_wait(wait)
        return super().post(request, *arguments, **parameters)

    def _render_wait(self, wait: timedelta) -> HttpResponse:
        form = self.get_form_class()(self.request)
        form.initial["username"] = self.request.POST.get("username", "")[:150]
        context = self.get_context_data(form=form, wait=wait_sentence(wait))
        headers = {"Retry-After": str(int(wait.total_seconds()) + 1)}
        return self.render_to_response(context, status=429, headers=headers)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign the user in, or ask for the second factor. The adapter records the sign-in."""
        user = form.get_user()
        forgive_attempt(user.get_username(), client_address(self.request), database_now())
        login_ = Login(user=user, redirect_url=self.get_redirect_url() or None)
        response: HttpResponse = perform_password_login(
            self.request, {"username": user.get_username()}, login_
        )
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Record the attempt. A name that is no user's is not stored: it may be a password."""
        name = form.cleaned_data.get("username", "")
        if name and form.cleaned_data.get("password"):
            _audit_sign_in("session.refused", User.objects.filter(username=name).first())
        return super().form_invalid(form)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """The `next` parameter, only if it is a path of this site."""
        asked = request or self.request
        return local_path_or_empty(asked.POST.get("next", asked.GET.get("next", "")))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the demo users."""
        return super().get_context_data(**kwargs) | {
            "demo_people": demo_people(),
            "has_users": User.objects.exists(),
            "sends_mail": has_mail_server(),
            "identity_provider": enabled_identity_provider(),
            "saml_provider": enabled_saml_provider(),
        }


def client_address(request: HttpRequest) -> str:
    """The address that sent a request; behind a trusted proxy, the one that it reports."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _build_too_many_sign_ins_response() -> HttpResponse:
    return HttpResponse(
        "Too many people are signing in. Try again in a few seconds.",
        status=503,
        content_type="text/plain",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def _audit_sign_in(action: str, user: User | None) -> None:
    name = user.get_username() if user else "unknown user"
    append_audit_entry(action, user=user, object=name, detail={}, now=database_now())


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
    record_session(request)
    _audit_sign_in("session.signed_in", user)
    return HttpResponseRedirect(local_path_or_empty(request.POST.get("next", "")) or "/")


urlpatterns = [
    path("", redirect_to_start_page, name="start"),
    path("signin", SignInView.as_view(), name="signin"),
    # The name that django-allauth knows.
    path("signin", SignInView.as_view(), name="account_login"),
    path("signin/demo", sign_in_demo, name="signin_demo"),
    path("signout", LogoutView.as_view(next_page="/signin"), name="signout"),
]
