"""The base view of the API: authentication, permissions and JSON-only content negotiation."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.filters import BaseFilterBackend
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from visibility.db.data_scope import set_active_scope
from visibility.db.database_time import database_now
from visibility.models import ApiToken
from visibility.web.api.query_params import QueryParameter, parse_query
from visibility.web.api_tokens import find_token_user, still_grants
from visibility.web.audit_denied_requests import record_denied_request
from visibility.web.author import Author
from visibility.web.permissions import (
    Permission,
    UserRole,
    data_scope,
    granted_permissions,
    has_permission,
    roles,
)
from visibility.web.revocable_streams import stop_when_refused

INVALID_TOKEN = "The API token is unknown, expired or revoked."  # noqa: S105  # a sentence
NEEDS_SESSION = "An API token cannot change who has access. Sign in instead."


class PageSessionAuthentication(SessionAuthentication):
    """Session authentication shared with the pages; writes need a CSRF token in `X-CSRFToken`."""

    def enforce_csrf(self, request: Request) -> None:
        """Check the token without parsing the body, which the view reads as it arrives."""
        super().enforce_csrf(getattr(request, "_request", request))


class ApiTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer thr_...`, without a session and without a CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The owner of the token; None without the header. Raises AuthenticationFailed."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        result = find_token_user(text.strip(), database_now())
        if result is None:
            raise AuthenticationFailed(INVALID_TOKEN)
        set_active_scope(data_scope(result[0]))
        return result

    def authenticate_header(self, request: Request) -> str:
        """The `WWW-Authenticate` value of a 401 response."""
        return 'Bearer realm="throughline"'


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

    message = "You do not have permission to do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        permissions = view.required_permissions if isinstance(view, ApiView) else ()
        return bool(request.user.is_authenticated) and all(
            has_permission(request.user, r) for r in permissions
        )


class DeclaredQueryParameterFilter(BaseFilterBackend):
    """Applies and documents the declared query parameters of a view."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        """The rows that match the parameters with a `lookup`."""
        assert isinstance(view, ApiView)
        conditions = {
            parameter.lookup: view.params[parameter.name]
            for parameter in view.declared_query_parameters()
            if parameter.lookup and parameter.name in view.params
        }
        return queryset.filter(**conditions) if conditions else queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """The parameters in the OpenAPI document."""
        assert isinstance(view, ApiView)
        return [parameter.to_openapi() for parameter in view.declared_query_parameters()]


class ApiView(GenericAPIView[Any]):
    """Base class of all API views.

    The user must have all `required_permissions`. A query parameter that is not one of
    `query_parameters` is rejected; `params` has the parsed values. `session_methods` refuse API
    tokens: what gives somebody access would outlive the token.
    """

    required_permissions: tuple[Permission, ...] = ()
    session_methods: frozenset[str] = frozenset()
    query_parameters: Sequence[QueryParameter] = ()
    params: dict[str, Any]
    authentication_classes = [ApiTokenAuthentication, PageSessionAuthentication]
    permission_classes = [HasPermissions]
    content_negotiation_class = JsonOnlyNegotiation
    filter_backends = [DeclaredQueryParameterFilter]
    pagination_class: type[BasePagination] | None = None
    metadata_class = None
    http_method_names = ["get", "head", "post"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the permissions, and then parse the query string."""
        super().initial(request, *args, **kwargs)
        if request.method in self.session_methods and isinstance(request.auth, ApiToken):
            self.permission_denied(request, NEEDS_SESSION)
        if request.method in self.allowed_methods:  # for other methods, 405 is the answer
            self.params = parse_query(request, self.declared_query_parameters())

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Send no file if the token was revoked, or lost a permission, while it was written.

        If that happens while the file is sent, the transfer ends before the end of the file.
        """
        token = request.auth if response.streaming else None
        if isinstance(token, ApiToken):
            still_allowed = partial(_still_grants_now, token, self.required_permissions)
            if still_allowed():
                stop_when_refused(response, still_allowed)
            else:
                response.close()
                response = self.handle_exception(AuthenticationFailed(INVALID_TOKEN))
        return super().finalize_response(request, response, *args, **kwargs)

    def declared_query_parameters(self) -> Sequence[QueryParameter]:
        """The query parameters of this request's method."""
        return self.query_parameters

    def get_serializer_context(self) -> dict[str, Any]:
        """The context of the serializers, with the permissions of the user."""
        return {**super().get_serializer_context(), "permissions": user_permissions(self.request)}

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        """Record the attempt in the audit log and raise the DRF exception."""
        record_denied_request(
            request._request,
            [r.value for r in self.required_permissions],
            token_user=current_user(request) if isinstance(request.auth, ApiToken) else None,
        )
        super().permission_denied(request, message, code)
        raise AssertionError  # pragma: no cover  # super() always raises


def _still_grants_now(token: ApiToken, permissions: Sequence[Permission]) -> bool:
    return still_grants(token, permissions, database_now())


def current_user(request: Request) -> User:
    """The signed-in user, typed."""
    assert isinstance(request.user, User)
    return request.user


def current_author(request: Request) -> Author:
    """The signed-in user, now. One statement."""
    return Author(current_user(request), database_now())


def user_permissions(request: Request) -> frozenset[Permission]:
    """All permissions of the user; some fields are shown only with the matching permission."""
    return granted_permissions(request.user)


def is_integrator_only(request: Request) -> bool:
    """Whether the user sees only source alerts, as integrators do."""
    return roles(request.user) == {UserRole.INTEGRATOR}
