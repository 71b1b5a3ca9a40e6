"""Endpoint of the organization: name, time zone, currency, week, fiscal year and calendar."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models.organization import MAX_NAME_LENGTH, Organization, WeekStart
from visibility.pipeline import job_functions
from visibility.preferences import change_organization
from visibility.preferences.change_organization import InvalidOrganization, OrganizationConflict
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission


class InvalidOrganizationInput(InvalidInput):
    """Fields of the organization are invalid, each with its sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("", " ".join(errors.values()))
        self.errors = [{"path": name, "detail": text} for name, text in errors.items()]


class OrganizationSerializer(PermissionFilteredSerializer):
    """The organization. `version`: 0 until somebody has entered it."""

    name = serializers.CharField(allow_blank=True)
    time_zone = serializers.CharField(help_text="IANA name, such as `America/Chicago`.")
    currency = serializers.CharField(help_text="ISO 4217 code.")
    week_start = EnumField(WeekStart)
    fiscal_year_start = serializers.IntegerField(help_text="The month, from 1 to 12.")
    calendar = serializers.SerializerMethodField(help_text="The code of the calendar, or empty.")
    is_checklist_closed = serializers.BooleanField()
    version = serializers.IntegerField()

    def get_calendar(self, row: Organization) -> str:
        """The code of the calendar; empty without one."""
        return row.calendar.code if row.calendar else ""


class OrganizationBody(RequestBody):
    """The fields to change. With `version`, the change is refused if there is another one."""

    name = serializers.CharField(required=False, max_length=MAX_NAME_LENGTH)
    time_zone = serializers.CharField(required=False, max_length=60)
    currency = serializers.CharField(required=False, max_length=3)
    week_start = EnumField(WeekStart, required=False)
    fiscal_year_start = serializers.IntegerField(required=False, min_value=1, max_value=12)
    calendar = serializers.CharField(required=False, allow_blank=True, max_length=50)
    is_checklist_closed = serializers.BooleanField(required=False)
    version = serializers.IntegerField(required=False, min_value=0)


class OrganizationView(ApiView):
    """`/organization`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="organization", responses=OrganizationSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the organization, or what is in force until somebody enters it."""
        return Response(
            serialize(OrganizationSerializer, change_organization.current_organization())
        )

    @extend_schema(
        operation_id="organization_change",
        request=OrganizationBody,
        responses=OrganizationSerializer,
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change the organization. Fields that are not given stay.

        With a new time zone, all orders are checked again.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            values: dict[str, Any] = parse_body(OrganizationBody, body)
            try:
                result = change_organization.change_organization(
                    values,
                    version=values.pop("version", None),
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidOrganization as error:
                raise InvalidOrganizationInput(error.errors) from error
            except OrganizationConflict as error:
                raise ConflictError(str(error)) from error
            if result.refolded_orders:
                job_functions.ask_worker_to_run_job_now("refold")
            content = serialize(OrganizationSerializer, result.organization)
            return ApiResponse.with_json_body(content)

        return run_idempotently(request, body, do)
