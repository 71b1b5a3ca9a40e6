"""Endpoints of single sign-on: the identity provider, and a test that reads what it publishes."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import IdentityProvider, SignInProvider, UnknownPeople
from visibility.web.api.account_security import require_confirmation
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.people import person_action
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidFieldsInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.people.single_sign_on.allauth_provider import redirect_address
from visibility.web.people.single_sign_on.change_identity_provider import (
    change_identity_provider,
    current_identity_provider,
    remove_identity_provider,
)
from visibility.web.people.single_sign_on.check_identity_provider import check_identity_provider
from visibility.web.people.single_sign_on.links import unlink_person
from visibility.web.people.single_sign_on.read_provider_values import (
    MAX_GROUP_LENGTH,
    MAX_LENGTHS,
    SECRET,
)
from visibility.web.people.single_sign_on.stored_provider import (
    ChangeProvider,
    IdentityProviderConflict,
    InvalidIdentityProvider,
)
from visibility.web.permissions import Permission, UserRole


class GroupRoleSerializer(PermissionFilteredSerializer):
    """A group of the identity provider, and the role of its members."""

    group = serializers.CharField()
    role = EnumField(UserRole)


class GroupRoleBody(RequestBody):
    """A group of the identity provider, and the role of its members."""

    group = serializers.CharField(max_length=MAX_GROUP_LENGTH)
    role = EnumField(UserRole)


class SingleSignOnSerializer(PermissionFilteredSerializer):
    """The identity provider without its secret. `version`: 0 until somebody has entered it."""

    name = serializers.CharField(allow_blank=True)
    issuer = serializers.CharField(allow_blank=True)
    client_id = serializers.CharField(allow_blank=True)
    has_client_secret = serializers.SerializerMethodField()
    scopes = serializers.CharField()
    groups_claim = serializers.CharField(allow_blank=True)
    group_roles = GroupRoleSerializer(many=True)
    unknown_people = EnumField(UnknownPeople)
    accepts_second_factor = serializers.BooleanField()
    second_factor_acr = serializers.CharField(allow_blank=True)
    is_enabled = serializers.BooleanField()
    tested_at = Rfc3339Field(allow_null=True)
    redirect_address = serializers.SerializerMethodField(
        help_text="The address to register at the identity provider."
    )
    version = serializers.IntegerField()

    def get_has_client_secret(self, row: IdentityProvider) -> bool:
        """Whether a secret is stored."""
        return bool(row.sealed_client_secret)

    def get_redirect_address(self, _: IdentityProvider) -> str:
        """Where the provider sends the browser back to."""
        return redirect_address()


class SingleSignOnBody(RequestBody):
    """The fields to change. A blank secret leaves the stored one."""

    name = serializers.CharField(required=False, max_length=MAX_LENGTHS["name"])
    issuer = serializers.CharField(required=False, max_length=MAX_LENGTHS["issuer"])
    client_id = serializers.CharField(required=False, max_length=MAX_LENGTHS["client_id"])
    client_secret = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS[SECRET]
    )
    scopes = serializers.CharField(required=False, max_length=MAX_LENGTHS["scopes"])
    groups_claim = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["groups_claim"]
    )
    group_roles = GroupRoleBody(many=True, required=False)
    unknown_people = EnumField(UnknownPeople, required=False)
    accepts_second_factor = serializers.BooleanField(required=False)
    second_factor_acr = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["second_factor_acr"]
    )
    is_enabled = serializers.BooleanField(required=False)
    version = serializers.IntegerField(required=False, min_value=0)


class ProviderFactSerializer(PermissionFilteredSerializer):
    """A line of what the provider publishes."""

    name = serializers.CharField()
    text = serializers.CharField()


class ProviderCheckSerializer(PermissionFilteredSerializer):
    """Whether the provider could be read, why not, and what was read."""

    successful = serializers.BooleanField(source="is_successful")
    detail = serializers.CharField()
    facts = ProviderFactSerializer(many=True)


def change_provider(
    request: Request,
    body_serializer: type[RequestBody],
    serializer: type[PermissionFilteredSerializer],
    change: ChangeProvider,
) -> HttpResponse:
    """Change the fields that the body gives. The session must be confirmed."""
    require_confirmation(request)
    body = read_body(request)

    def do() -> ApiResponse:
        values: dict[str, Any] = parse_body(body_serializer, body)
        try:
            saved = change(values, version=values.pop("version", None), by=current_author(request))
        except InvalidIdentityProvider as error:
            raise InvalidFieldsInput(error.errors) from error
        except IdentityProviderConflict as error:
            raise ConflictError(str(error)) from error
        return ApiResponse.with_json_body(serialize(serializer, saved))

    return run_idempotently(request, body, do)


def remove_stored_provider(
    request: Request,
    serializer: type[PermissionFilteredSerializer],
    remove: Callable[..., bool],
    current: Callable[[], SignInProvider],
) -> HttpResponse:
    """Remove the provider; the body is what is stored then. The session must be confirmed."""
    require_confirmation(request)
    body = read_body(request)

    def do() -> ApiResponse:
        parse_body(EmptyBody, body)
        remove(by=current_author(request))
        return ApiResponse.with_json_body(serialize(serializer, current()))

    return run_idempotently(request, body, do)


class SingleSignOnView(ApiView):
    """`/single-sign-on`."""

    http_method_names = ["get", "head", "patch", "delete"]
    required_permissions = (Permission.ADMINISTER,)
    # Who chooses the identity provider can open every account.
    session_methods = frozenset({"PATCH", "DELETE"})

    @extend_schema(operation_id="single_sign_on", responses=SingleSignOnSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the identity provider that was entered."""
        return Response(serialize(SingleSignOnSerializer, current_identity_provider()))

    @extend_schema(
        operation_id="single_sign_on_change",
        request=SingleSignOnBody,
        responses=SingleSignOnSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Enter or change the identity provider. Fields that are not given stay.

        The session must be confirmed: it signed in, or confirmed, within the last 15 minutes.
        """
        return change_provider(
            request, SingleSignOnBody, SingleSignOnSerializer, change_identity_provider
        )

    @extend_schema(
        operation_id="single_sign_on_remove", request=EmptyBody, responses=SingleSignOnSerializer
    )
    def delete(self, request: Request) -> HttpResponse:
        """Remove the identity provider and its secret. The session must be confirmed."""
        return remove_stored_provider(
            request, SingleSignOnSerializer, remove_identity_provider, current_identity_provider
        )


UnlinkPersonView = person_action(
    "person_unlink",
    unlink_person,
    "Remove the link of an account to the identity provider, and end all sessions.",
    session_methods=frozenset({"POST"}),
)


class SingleSignOnTestView(ApiView):
    """`/single-sign-on/test`."""

    http_method_names = ["post"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(
        operation_id="single_sign_on_test", request=EmptyBody, responses=ProviderCheckSerializer
    )
    def post(self, request: Request) -> HttpResponse:
        """Read the discovery document and the keys of the identity provider."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            check = check_identity_provider(current_identity_provider(), by=current_author(request))
            return ApiResponse.with_json_body(serialize(ProviderCheckSerializer, check))

        return run_idempotently(request, body, do)
