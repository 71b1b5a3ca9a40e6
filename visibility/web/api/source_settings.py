"""Endpoint of the settings of a source: read and change them, as the page of the source does."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.settings import SettingError, SettingType
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    change_settings_and_secret,
)
from visibility.ingest.check_new_source import SECRET
from visibility.ingest.check_source_settings import stored_setting_errors
from visibility.models import Source
from visibility.screens.setting_fields import SettingField
from visibility.screens.sources import settings_form
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class InvalidSettingsInput(InvalidInput):
    """Settings are invalid, each with its sentence."""

    def __init__(self, errors: list[SettingError] | tuple[SettingError, ...]) -> None:
        super().__init__("", "; ".join(f"{error.name}: {error.sentence}" for error in errors))
        self.errors = [
            {
                "path": e.name if e.name == SECRET else f"settings.{e.name}",
                "detail": e.sentence,
            }
            for e in errors
        ]


class SourceSettingSerializer(PermissionFilteredSerializer):
    """A setting of a source. `value` is null if it is not set, and for secrets.

    A setting of a family, such as `customer.7`, has the declared name `customer.<ISA id>` in
    `family`. `warning`: why a valid value has no effect, or names a source that does not exist.
    """

    name = serializers.CharField()
    family = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not the label of a DRF field
    type = EnumField(SettingType, source="setting.type")
    help = serializers.CharField(source="setting.help")
    value = serializers.SerializerMethodField(method_name="text_of_value")
    default = serializers.CharField(source="setting.default")
    is_required = serializers.BooleanField(source="setting.required")
    choices = serializers.ListField(child=serializers.CharField(), source="setting.choices")
    minimum = serializers.SerializerMethodField()
    maximum = serializers.SerializerMethodField()
    is_secret = serializers.BooleanField()
    is_set = serializers.BooleanField(source="is_stored")
    error = serializers.CharField()
    warning = serializers.CharField()

    @extend_schema_field({"type": ["string", "null"]})
    def text_of_value(self, field: SettingField) -> str | None:
        """The stored text; null if there is none, and for secrets."""
        return field.value if field.is_stored and not field.is_secret else None

    @extend_schema_field({"type": ["string", "null"]})
    def get_minimum(self, field: SettingField) -> str | None:
        """The lowest allowed number."""
        return _bound_as_text(field.setting.minimum)

    @extend_schema_field({"type": ["string", "null"]})
    def get_maximum(self, field: SettingField) -> str | None:
        """The highest allowed number."""
        return _bound_as_text(field.setting.maximum)


class SourceSettingsSerializer(PermissionFilteredSerializer):
    """The settings of a source. `families` are declared names such as `customer.<ISA id>`."""

    slug = serializers.CharField()
    connector = serializers.CharField()
    settings = SourceSettingSerializer(many=True)
    families = serializers.ListField(child=serializers.CharField())


@extend_schema_field({"type": ["string", "number", "boolean", "null"]})
class SettingValueField(serializers.Field[Any, Any, Any, Any]):
    """A value as text, number or yes/no; null removes the setting."""

    def to_internal_value(self, data: Any) -> str:
        """The value as a person enters it."""
        if isinstance(data, bool):
            return "yes" if data else "no"
        if not isinstance(data, str | int | float | Decimal):
            raise serializers.ValidationError("must be a text, a number, true, false or null")
        return str(data).strip()


class SourceSettingsBody(RequestBody):
    """The settings to change. Settings that are not given stay; null or "" removes one.

    `secret` replaces the secret of the source; the old one stays valid for 24 hours.
    """

    settings = serializers.DictField(child=SettingValueField(allow_null=True), required=False)
    secret = serializers.CharField(max_length=1000, required=False, write_only=True)


class SourceSettingsView(ApiView):
    """`/sources/<slug>/settings`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(operation_id="source_settings", responses=SourceSettingsSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve the settings of a source with their declarations. Secrets are not included."""
        return Response(_settings_content(source_or_404(slug)))

    @extend_schema(
        operation_id="source_settings_change",
        request=SourceSettingsBody,
        responses=SourceSettingsSerializer,
    )
    def patch(self, request: Request, slug: str) -> HttpResponse:
        """Change settings of a source: all of the given ones, or none if one is invalid."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SourceSettingsBody, body)
            given = values.get("settings", {})
            source = source_or_404(slug)
            changes = {name: "" if value is None else value for name, value in given.items()}
            try:
                change_settings_and_secret(
                    source,
                    changes,
                    secret=values.get("secret", ""),
                    now=database_now(),
                    user=current_user(request),
                )
            except InvalidSource as error:
                raise InvalidSettingsInput(error.errors) from error
            return ApiResponse.with_json_body(_settings_content(source_or_404(slug)))

        return run_idempotently(request, body, do)


def _settings_content(source: Source) -> dict[str, Any]:
    fields = settings_form.setting_fields(source, errors=stored_setting_errors(source))
    return {
        "slug": source.slug,
        "connector": source.connector,
        "settings": serialize_all(SourceSettingSerializer, fields),
        "families": [
            s.name for s in settings_form.declared_settings_of_source(source) if s.is_family
        ],
    }


def _bound_as_text(bound: Decimal | int | None) -> str | None:
    return None if bound is None else str(bound)
