"""Endpoint of the brand on the tracking page: name, accent color and logo."""

import base64
import binascii
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models.customer_brand import MAX_DISPLAY_NAME, CustomerBrand
from visibility.preferences.customer_brand import (
    BrandChange,
    BrandConflict,
    InvalidBrand,
    change_brand,
    current_brand,
)
from visibility.preferences.logo_file import MAX_LOGO_BYTES, NOT_AN_IMAGE
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.organization import InvalidOrganizationInput
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission


class CustomerBrandSerializer(PermissionFilteredSerializer):
    """The brand. `version`: 0 until somebody has entered it."""

    display_name = serializers.CharField(
        allow_blank=True, help_text="If empty, the page shows the name of the organization."
    )
    accent_color = serializers.CharField(allow_blank=True, help_text="Such as `#0b5cad`.")
    logo_path = serializers.SerializerMethodField(
        help_text="The path of the logo, which is public; empty without a logo."
    )
    version = serializers.IntegerField()

    def get_logo_path(self, row: CustomerBrand) -> str:
        """The path of the logo."""
        return f"/brand/{row.logo_name}" if row.logo_name else ""


class CustomerBrandBody(RequestBody):
    """The fields to change. With `version`, the change is refused if there is another one."""

    display_name = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_DISPLAY_NAME
    )
    accent_color = serializers.CharField(required=False, allow_blank=True, max_length=7)
    logo = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=MAX_LOGO_BYTES * 4 // 3 + 4,
        help_text="A PNG, JPEG or WebP image in Base64; empty removes the logo.",
    )
    version = serializers.IntegerField(required=False, min_value=0)


class CustomerBrandView(ApiView):
    """`/organization/brand`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="customer_brand", responses=CustomerBrandSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the brand on the tracking page."""
        return Response(serialize(CustomerBrandSerializer, current_brand()))

    @extend_schema(
        operation_id="customer_brand_change",
        request=CustomerBrandBody,
        responses=CustomerBrandSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change the brand on the tracking page. Fields that are not given stay."""
        body = read_body(request)

        def do() -> ApiResponse:
            values: dict[str, Any] = parse_body(CustomerBrandBody, body)
            version = values.pop("version", None)
            if "logo" in values:
                values["logo"] = _decode(values["logo"])
            try:
                brand = change_brand(
                    BrandChange(**values),
                    version=version,
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidBrand as error:
                raise InvalidOrganizationInput(error.errors) from error
            except BrandConflict as error:
                raise ConflictError(str(error)) from error
            return ApiResponse.with_json_body(serialize(CustomerBrandSerializer, brand))

        return run_idempotently(request, body, do)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidOrganizationInput({"logo": NOT_AN_IMAGE}) from None
