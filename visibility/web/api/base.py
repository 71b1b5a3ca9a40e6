"""The base view of the API: authentication, permissions and JSON-only content negotiation."""

from collections.abc import Iterable
from typing import Any, NoReturn

from django.contrib.auth.models import User
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from visibility.db.clock import database_now
from visibility.models.audit import append_audit_entry
from visibility.web.permissions import Permission, UserRole, has_permission, roles


class PageSessionAuthentication(SessionAuthentication):
    """Session authentication shared with the pages; writes need a CSRF token in `X-CSRFToken`."""

    def authenticate_header(self, request: Request) -> str:
        """The `WWW-Authenticate` value. Without it DRF answers 403 instead of 401."""
        return 'Session realm="throughline"'


class JsonOnlyNegotiation(BaseContentNegotiation):
    """Always JSON: the `Accept` header is ignored, because there is no other format."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HasPermissions(BasePermission):
    """Requires a signed-in user with every permission of the view."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        permissions = view.required_permissions if isinstance(view, ApiView) else ()
        return bool(request.user.is_authenticated) and all(
            has_permission(request.user, r) for r in permissions
        )


class ApiView(APIView):
    """Base class of all API views; the user must have all `required_permissions`."""

    required_permissions: tuple[Permission, ...] = ()
    authentication_classes = [PageSessionAuthentication]
    permission_classes = [HasPermissions]
    content_negotiation_class = JsonOnlyNegotiation
    metadata_class = None
    http_method_names = ["get", "head", "post"]

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        """Record the attempt in the audit log and raise the DRF exception."""
        if request.user.is_authenticated:
            append_audit_entry(
                "denied",
                user=current_user(request),
                object=request.path[:200],
                detail={
                    "method": request.method,
                    "permissions": [r.value for r in self.required_permissions],
                },
                now=database_now(),
            )
        super().permission_denied(request, message="You do not have permission to do this.")
        raise AssertionError  # pragma: no cover  # super() always raises


def current_user(request: Request) -> User:
    """The signed-in user, typed."""
    assert isinstance(request.user, User)
    return request.user


def user_permissions(request: Request) -> frozenset[Permission]:
    """All permissions of the user; some fields are shown only with the matching permission."""
    return frozenset(
        permission for permission in Permission if has_permission(request.user, permission)
    )


def is_integrator_only(request: Request) -> bool:
    """Whether the user sees only source alerts, as integrators do."""
    return roles(request.user) == {UserRole.INTEGRATOR}
