"""Endpoints of the private addresses that outgoing requests may call."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.models.allowed_addresses import AllowedAddress
from visibility.outbound.allowed_addresses import (
    InvalidAllowedAddress,
    allow_address,
    disallow_address,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class AllowedAddressSerializer(PermissionFilteredSerializer):
    """An allowed host and port of the private network."""

    id = serializers.IntegerField(source="pk")
    host = serializers.CharField()
    port = serializers.IntegerField()
    note = serializers.CharField()
    added_by = UserSerializer()
    added_at = Rfc3339Field()


class AllowedAddressBody(RequestBody):
    """An address as in the URL, and why it is allowed."""

    host = serializers.CharField(max_length=253)
    port = serializers.IntegerField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


@extend_schema_view(get=extend_schema(operation_id="outgoing_addresses"))
class AllowedAddressListView(ApiListView):
    """List the private addresses that outgoing requests may call."""

    http_method_names = ["get", "head", "post"]
    required_permissions = (Permission.ADMINISTER,)
    query_parameters = PAGING
    serializer_class = AllowedAddressSerializer

    def get_queryset(self) -> Any:
        """The addresses in the order in which they were added."""
        return AllowedAddress.objects.select_related("added_by").order_by("pk")

    @extend_schema(
        operation_id="outgoing_address_allow",
        request=AllowedAddressBody,
        responses={201: AllowedAddressSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Allow an address. Loopback, link-local and metadata addresses cannot be allowed."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(AllowedAddressBody, body)
            try:
                address = allow_address(
                    values["host"],
                    str(values["port"]),
                    values["note"],
                    now=database_now(),
                    user=current_user(request),
                )
            except InvalidAllowedAddress as error:
                raise InvalidFieldsInput(error.errors) from error
            address.refresh_from_db()
            content = serialize(AllowedAddressSerializer, address)
            return ApiResponse.with_json_body(content, status=201)

        return run_idempotently(request, body, do)


class AllowedAddressView(ApiView):
    """`/outgoing-addresses/<id>`."""

    http_method_names = ["delete"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(
        operation_id="outgoing_address_disallow",
        request=EmptyBody,
        responses={200: AllowedAddressSerializer},
    )
    def delete(self, request: Request, address_id: int) -> HttpResponse:
        """Remove an address. Open connections to it are closed within half a minute."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            address = disallow_address(address_id, now=database_now(), user=current_user(request))
            if address is None:
                raise Http404
            return ApiResponse.with_json_body(serialize(AllowedAddressSerializer, address))

        return run_idempotently(request, body, do)
