"""Endpoints of single sign-on with SAML: the provider, and a new reading of its metadata."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import SamlProvider, UnknownPeople
from visibility.web.api.account_security import require_confirmation
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.api.single_sign_on import (
    GroupRoleBody,
    GroupRoleSerializer,
    change_provider,
    remove_stored_provider,
)
from visibility.web.people.saml.certificate_facts import certificates_of
from visibility.web.people.saml.change_saml_provider import (
    change_saml_provider,
    current_saml_provider,
    read_metadata_of_address,
    remove_saml_provider,
)
from visibility.web.people.saml.installation import is_saml_installed
from visibility.web.people.saml.read_saml_values import MAX_LENGTHS, METADATA_XML
from visibility.web.people.saml.service_provider import own_entity_id, response_address
from visibility.web.people.single_sign_on.stored_provider import InvalidIdentityProvider
from visibility.web.permissions import Permission


class CertificateSerializer(PermissionFilteredSerializer):
    """A certificate with which the provider signs. `fingerprint`: SHA-256."""

    subject = serializers.CharField()
    expires_at = Rfc3339Field()
    is_expired = serializers.BooleanField()
    fingerprint = serializers.CharField()


class SamlProviderSerializer(PermissionFilteredSerializer):
    """The SAML provider. `version`: 0 until somebody has entered it."""

    name = serializers.CharField(allow_blank=True)
    entity_id = serializers.CharField(allow_blank=True)
    sign_in_address = serializers.CharField(allow_blank=True)
    certificates = serializers.SerializerMethodField()
    metadata_address = serializers.CharField(allow_blank=True)
    metadata_read_at = Rfc3339Field(allow_null=True)
    email_attribute = serializers.CharField(allow_blank=True)
    name_attribute = serializers.CharField(allow_blank=True)
    groups_attribute = serializers.CharField(allow_blank=True)
    group_roles = GroupRoleSerializer(many=True)
    unknown_people = EnumField(UnknownPeople)
    trusts_email_addresses = serializers.BooleanField()
    accepts_second_factor = serializers.BooleanField()
    second_factor_context = serializers.CharField(allow_blank=True)
    is_enabled = serializers.BooleanField()
    is_installed = serializers.SerializerMethodField()
    own_entity_id = serializers.SerializerMethodField()
    response_address = serializers.SerializerMethodField()
    version = serializers.IntegerField()

    @extend_schema_field(CertificateSerializer(many=True))
    def get_certificates(self, row: SamlProvider) -> list[dict[str, Any]]:
        """The certificates of the metadata."""
        facts = certificates_of(row, now=database_now())
        return [serialize(CertificateSerializer, fact) for fact in facts]

    def get_is_installed(self, _: SamlProvider) -> bool:
        """Whether this server has the packages of SAML."""
        return is_saml_installed()

    def get_own_entity_id(self, _: SamlProvider) -> str:
        """The entity ID of this installation, and the address of its metadata."""
        return own_entity_id()

    def get_response_address(self, _: SamlProvider) -> str:
        """The assertion consumer service to register at the provider."""
        return response_address()


class SamlProviderBody(RequestBody):
    """The fields to change. The metadata is given as XML or by its address."""

    name = serializers.CharField(required=False, max_length=MAX_LENGTHS["name"])
    metadata_xml = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS[METADATA_XML]
    )
    metadata_address = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["metadata_address"]
    )
    email_attribute = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["email_attribute"]
    )
    name_attribute = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["name_attribute"]
    )
    groups_attribute = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["groups_attribute"]
    )
    group_roles = GroupRoleBody(many=True, required=False)
    unknown_people = EnumField(UnknownPeople, required=False)
    trusts_email_addresses = serializers.BooleanField(required=False)
    accepts_second_factor = serializers.BooleanField(required=False)
    second_factor_context = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_LENGTHS["second_factor_context"]
    )
    is_enabled = serializers.BooleanField(required=False)
    version = serializers.IntegerField(required=False, min_value=0)


class SamlProviderView(ApiView):
    """`/single-sign-on/saml`."""

    http_method_names = ["get", "head", "patch", "delete"]
    required_permissions = (Permission.ADMINISTER,)
    # Who chooses the identity provider can open every account.
    session_methods = frozenset({"PATCH", "DELETE"})

    @extend_schema(operation_id="saml_provider", responses=SamlProviderSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the SAML provider that was entered."""
        return Response(serialize(SamlProviderSerializer, current_saml_provider()))

    @extend_schema(
        operation_id="saml_provider_change",
        request=SamlProviderBody,
        responses=SamlProviderSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Enter or change the SAML provider. Fields that are not given stay.

        The session must be confirmed: it signed in, or confirmed, within the last 15 minutes.
        """
        return change_provider(
            request, SamlProviderBody, SamlProviderSerializer, change_saml_provider
        )

    @extend_schema(
        operation_id="saml_provider_remove", request=EmptyBody, responses=SamlProviderSerializer
    )
    def delete(self, request: Request) -> HttpResponse:
        """Remove the SAML provider. The session must be confirmed."""
        return remove_stored_provider(
            request, SamlProviderSerializer, remove_saml_provider, current_saml_provider
        )


class SamlMetadataView(ApiView):
    """`/single-sign-on/saml/read`."""

    http_method_names = ["post"]
    required_permissions = (Permission.ADMINISTER,)
    # New certificates of a provider can open every account.
    session_methods = frozenset({"POST"})

    @extend_schema(
        operation_id="saml_metadata_read", request=EmptyBody, responses=SamlProviderSerializer
    )
    def post(self, request: Request) -> HttpResponse:
        """Read the stored address of the metadata. The session must be confirmed."""
        require_confirmation(request)
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            try:
                saved = read_metadata_of_address(by=current_author(request))
            except InvalidIdentityProvider as error:
                raise InvalidFieldsInput(error.errors) from error
            return ApiResponse.with_json_body(serialize(SamlProviderSerializer, saved))

        return run_idempotently(request, body, do)
