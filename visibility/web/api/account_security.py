"""Endpoints of sign-in security: second factors, sessions, and checks of passwords."""

from collections.abc import Mapping
from typing import Any

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.web.api.base import ApiView, current_author, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.author import Author
from visibility.web.people import second_factor, sessions
from visibility.web.people.passwords.change_checks import (
    MAX_TERM_LENGTH,
    MAX_TERMS,
    MAX_URL_LENGTH,
    InvalidPasswordChecks,
    change_password_checks,
    current_password_checks,
)
from visibility.web.people.session_limits import (
    MAX_IDLE_MINUTES,
    MAX_SESSION_HOURS,
    MIN_IDLE_MINUTES,
    MIN_SESSION_HOURS,
    InvalidLimits,
    change_session_limits,
    current_limits,
)
from visibility.web.permissions import Permission

UNCONFIRMED = "Confirm your password or a code on the page /account/confirm, and try again."
FIXED = "REQUIRE_SECOND_FACTOR is off on this server, so a second factor cannot be required."


class SecuritySerializer(PermissionFilteredSerializer):
    """`is_fixed_by_server`: whether a second factor is required cannot be changed here."""

    second_factor_is_required = serializers.BooleanField()
    is_fixed_by_server = serializers.BooleanField()
    idle_minutes = serializers.IntegerField(help_text="How long a session lasts without activity.")
    session_hours = serializers.IntegerField(help_text="How long a session lasts in total.")
    checks_breached_passwords = serializers.BooleanField(
        help_text="Whether new passwords are compared with those of breaches."
    )
    breach_check_url = serializers.CharField(
        help_text="The range API of Pwned Passwords or of a copy, up to the hash."
    )
    refused_password_terms = serializers.ListField(
        child=serializers.CharField(), help_text="Words that passwords must not mainly consist of."
    )


class SecurityBody(RequestBody):
    """What changes. The limits are 5 minutes to 14 days, and 1 hour to 90 days."""

    second_factor_is_required = serializers.BooleanField(required=False)
    idle_minutes = serializers.IntegerField(
        required=False, min_value=MIN_IDLE_MINUTES, max_value=MAX_IDLE_MINUTES
    )
    session_hours = serializers.IntegerField(
        required=False, min_value=MIN_SESSION_HOURS, max_value=MAX_SESSION_HOURS
    )
    checks_breached_passwords = serializers.BooleanField(required=False)
    breach_check_url = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_URL_LENGTH - 1
    )
    refused_password_terms = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TERM_LENGTH),
        required=False,
        max_length=MAX_TERMS,
    )


class SessionSerializer(PermissionFilteredSerializer):
    """A session of yours. `is_current`: the one that asks."""

    id = serializers.IntegerField(source="pk")
    address = serializers.CharField(source="ip")
    browser = serializers.CharField(source="user_agent")
    signed_in_at = Rfc3339Field(source="created_at")
    is_current = serializers.SerializerMethodField()

    def get_is_current(self, session: UserSession) -> bool:
        """Whether this request belongs to the session."""
        return bool(session.session_key == self.context.get("session_key"))


class SecurityView(ApiView):
    """`/security`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ADMINISTER,)
    session_methods = frozenset({"PATCH"})

    @extend_schema(operation_id="security", responses=SecuritySerializer)
    def get(self, request: Request) -> Response:
        """Retrieve whether a second factor is required, limits of sessions, checks of passwords."""
        return Response(_security())

    @extend_schema(
        operation_id="security_change", request=SecurityBody, responses=SecuritySerializer
    )
    def patch(self, request: Request) -> HttpResponse:
        """Require a second factor or make it optional, limit sessions, check new passwords.

        The session must be confirmed: it signed in, or confirmed, within the last 15 minutes.
        """
        require_confirmation(request)
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SecurityBody, body)
            by = current_author(request)
            with transaction.atomic():
                _change(values, by)
            return ApiResponse.with_json_body(_security())

        return run_idempotently(request, body, do)


def _change(values: Mapping[str, Any], by: Author) -> None:
    limits = {name: values[name] for name in ("idle_minutes", "session_hours") if name in values}
    if limits:
        try:
            change_session_limits(**{**current_limits(), **limits}, by=by)
        except InvalidLimits as error:
            raise ValidationError({"idle_minutes": [str(error)]}) from None
    try:
        change_password_checks(values, by=by)
    except InvalidPasswordChecks as error:
        raise ValidationError({e.name: [e.sentence] for e in error.errors}) from None
    if "second_factor_is_required" in values:
        try:
            second_factor.change_requirement(values["second_factor_is_required"], by=by)
        except second_factor.FixedByServer:
            raise ConflictError(FIXED) from None


@extend_schema_view(get=extend_schema(operation_id="sessions"))
class SessionListView(ApiListView):
    """List your sessions, the newest first."""

    query_parameters = PAGING
    serializer_class = SessionSerializer

    def get_queryset(self) -> Any:
        """The sessions, loaded page by page."""
        return KeysetRowLoader(
            lambda limit, before=None: sessions.list_sessions(
                current_user(self.request), before=before, limit=limit
            ),
            lambda session: [session.pk],
        )

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the session of the request."""
        key = None if self.request.auth else self.request.session.session_key
        return {**super().get_serializer_context(), "session_key": key}


class SessionView(ApiView):
    """`/sessions/<id>`."""

    http_method_names = ["delete"]

    @extend_schema(
        operation_id="session_end", request=EmptyBody, responses={200: SessionSerializer}
    )
    def delete(self, request: Request, session_id: int) -> HttpResponse:
        """End one of your sessions: it is signed out within seconds."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            ended = sessions.end_session(current_user(request), session_id)
            if ended is None:
                raise Http404
            return ApiResponse.with_json_body(serialize(SessionSerializer, ended))

        return run_idempotently(request, body, do)


def _security() -> dict[str, Any]:
    content = {
        "second_factor_is_required": second_factor.is_required(),
        "is_fixed_by_server": second_factor.is_fixed_by_server(),
        **current_limits(),
        **current_password_checks(),
    }
    return serialize(SecuritySerializer, content)


def require_confirmation(request: Request) -> None:
    """Raise PermissionDenied unless the session was confirmed within the last 15 minutes."""
    if is_reauthentication_required(request._request, app="allauth.mfa"):
        raise PermissionDenied(UNCONFIRMED)
