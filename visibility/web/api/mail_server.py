"""Endpoints of the mail server and its test message."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models.mail_server import MailSecurity, MailServer
from visibility.notify.change_mail_server import (
    MAX_LENGTHS,
    PASSWORD,
    InvalidMailServer,
    MailServerConflict,
    change_mail_server,
    current_mail_server,
    remove_mail_server,
    send_test_email,
)
from visibility.notify.mail import is_mail_server_in_environment
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidFieldsInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class MailServerSerializer(PermissionFilteredSerializer):
    """The mail server without its password. `version`: 0 until somebody has entered it."""

    host = serializers.CharField(allow_blank=True)
    port = serializers.IntegerField()
    security = EnumField(MailSecurity)
    username = serializers.CharField(allow_blank=True)
    has_password = serializers.SerializerMethodField()
    sender = serializers.CharField(allow_blank=True)
    tested_at = Rfc3339Field(allow_null=True)
    is_overridden = serializers.SerializerMethodField(
        help_text="Whether EMAIL_HOST of the environment is used in place of this server."
    )
    version = serializers.IntegerField()

    def get_has_password(self, row: MailServer) -> bool:
        """Whether a password is stored."""
        return bool(row.sealed_password)

    def get_is_overridden(self, _: MailServer) -> bool:
        """Whether the environment names another server."""
        return is_mail_server_in_environment()


class MailServerBody(RequestBody):
    """The fields to change. A blank password leaves the stored one."""

    host = serializers.CharField(required=False, max_length=MAX_LENGTHS["host"])
    port = serializers.IntegerField(required=False)
    security = EnumField(MailSecurity, required=False)
    username = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["username"]
    )
    password = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS[PASSWORD]
    )
    sender = serializers.CharField(required=False, max_length=MAX_LENGTHS["sender"])
    version = serializers.IntegerField(required=False, min_value=0)


class MailTestBody(RequestBody):
    """Who receives the test message."""

    to = serializers.CharField(max_length=250)


class MailTestResultSerializer(PermissionFilteredSerializer):
    """Whether a server accepted the test message, and what it answered."""

    accepted = serializers.BooleanField(source="is_accepted")
    detail = serializers.CharField()


class MailServerView(ApiView):
    """`/mail-server`."""

    http_method_names = ["get", "head", "patch", "delete"]
    required_permissions = (Permission.ADMINISTER,)
    # Links that set a password are sent through this server.
    session_methods = frozenset({"PATCH", "DELETE"})

    @extend_schema(operation_id="mail_server", responses=MailServerSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the mail server that was entered."""
        return Response(serialize(MailServerSerializer, current_mail_server()))

    @extend_schema(
        operation_id="mail_server_change", request=MailServerBody, responses=MailServerSerializer
    )
    def patch(self, request: Request) -> HttpResponse:
        """Enter or change the mail server. Fields that are not given stay."""
        body = read_body(request)

        def do() -> ApiResponse:
            values: dict[str, Any] = parse_body(MailServerBody, body)
            try:
                saved = change_mail_server(
                    values,
                    version=values.pop("version", None),
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidMailServer as error:
                raise InvalidFieldsInput(error.errors) from error
            except MailServerConflict as error:
                raise ConflictError(str(error)) from error
            return ApiResponse.with_json_body(serialize(MailServerSerializer, saved))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="mail_server_remove", request=EmptyBody, responses=MailServerSerializer
    )
    def delete(self, request: Request) -> HttpResponse:
        """Remove the mail server and its password."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            remove_mail_server(by=current_user(request), now=database_now())
            content = serialize(MailServerSerializer, current_mail_server())
            return ApiResponse.with_json_body(content)

        return run_idempotently(request, body, do)


class MailServerTestView(ApiView):
    """`/mail-server/test`."""

    http_method_names = ["post"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(
        operation_id="mail_server_test", request=MailTestBody, responses=MailTestResultSerializer
    )
    def post(self, request: Request) -> HttpResponse:
        """Send a test message, and return what the server answered."""
        body = read_body(request)

        def do() -> ApiResponse:
            to = parse_body(MailTestBody, body)["to"]
            try:
                result = send_test_email(to, by=current_user(request), now=database_now())
            except InvalidMailServer as error:
                raise InvalidFieldsInput(error.errors) from error
            return ApiResponse.with_json_body(serialize(MailTestResultSerializer, result))

        return run_idempotently(request, body, do)
