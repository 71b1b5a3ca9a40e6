"""Endpoints of calendars: list, create, change from a date, copy, delete."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.alerts import change_calendars
from visibility.alerts.change_calendars import CalendarConflict, UnknownCalendar
from visibility.db.database_time import database_now
from visibility.pipeline import job_functions
from visibility.screens.calendars import queries
from visibility.screens.calendars.queries import CalendarSummary
from visibility.sla.check_calendar import MAX_TITLE_LENGTH, InvalidCalendarValues
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import (
    ApiResponse,
    ConflictError,
    InvalidInput,
)
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class InvalidCalendarInput(InvalidInput):
    """Fields of a calendar are invalid, each with its sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("", " ".join(errors.values()))
        self.errors = [{"path": name, "detail": text} for name, text in errors.items()]


class CutoffSerializer(PermissionFilteredSerializer):
    """Until when orders must leave. `warehouse`, `carrier`: empty for any."""

    warehouse = serializers.CharField(allow_blank=True)
    carrier = serializers.CharField(allow_blank=True)
    # By weekday: `{"mon": "17:00"}`.
    times = serializers.DictField(child=serializers.CharField())


class CalendarVersionSerializer(PermissionFilteredSerializer):
    """A definition. `starts_on`: null for the first. Times are local, `24:00` ends a day."""

    starts_on = serializers.DateField(allow_null=True)
    zone = serializers.CharField()
    # By weekday: `{"mon": [["08:00", "12:00"]]}`. Hours over midnight belong to their first day.
    hours = serializers.JSONField()
    # Country code of public holidays, and the code of a part of the country.
    holidays = serializers.CharField(allow_blank=True)
    subdivision = serializers.CharField(allow_blank=True)
    # `[{"day": "12-24", "title": ""}]`, every year, or one day: `2026-12-24`.
    closed_days = serializers.JSONField()
    # `[{"date": "2026-12-31", "hours": [["08:00", "12:00"]], "title": ""}]`; no hours: closed.
    exceptions = serializers.JSONField()
    cutoffs = CutoffSerializer(many=True)


class CalendarSerializer(PermissionFilteredSerializer):
    """A calendar with its versions by date, and how many rules and locations use it."""

    code = serializers.CharField(source="calendar.code")
    title = serializers.CharField(source="calendar.title")
    version = serializers.IntegerField(source="calendar.version")
    versions = CalendarVersionSerializer(many=True)
    rules = serializers.IntegerField()
    locations = serializers.IntegerField()


class CalendarBody(RequestBody):
    """A calendar. The fields are those of its versions."""

    title = serializers.CharField(max_length=MAX_TITLE_LENGTH)
    zone = serializers.CharField(required=False, max_length=60)
    hours = serializers.DictField(required=False)
    holidays = serializers.CharField(required=False, allow_blank=True, max_length=10)
    subdivision = serializers.CharField(required=False, allow_blank=True, max_length=20)
    closed_days = serializers.ListField(required=False)
    exceptions = serializers.ListField(required=False)
    cutoffs = serializers.ListField(required=False)


class CalendarChangeBody(CalendarBody):
    """The fields to change, from a date on. Without `effective_from`: from today.

    With `version`, the change is refused if the calendar has another one.
    """

    title = serializers.CharField(required=False, max_length=MAX_TITLE_LENGTH)
    version = serializers.IntegerField(required=False, min_value=1)
    effective_from = serializers.DateField(required=False)


class CalendarCopyBody(RequestBody):
    """The title of the copy."""

    title = serializers.CharField(max_length=MAX_TITLE_LENGTH)


class CalendarApiView(ApiView):
    """Base of the endpoints of one calendar."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = _required_permissions(request)
        super().initial(request, *args, **kwargs)


@extend_schema_view(get=extend_schema(operation_id="calendars"))
class CalendarListView(ApiListView):
    """List the calendars in the order of their codes."""

    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = CalendarSerializer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = _required_permissions(request)
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """The calendars, loaded page by page."""
        now = database_now()
        return KeysetRowLoader(
            lambda limit, *after: queries.list_calendars(now, after="".join(after), limit=limit),
            lambda summary: [summary.calendar.code],
        )

    @extend_schema(
        operation_id="calendar_create", request=CalendarBody, responses={201: CalendarSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a calendar. Its code is made of the title."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(CalendarBody, body)
            try:
                created = change_calendars.create_calendar(
                    values, by=current_user(request), now=database_now()
                )
            except InvalidCalendarValues as error:
                raise InvalidCalendarInput(error.errors) from error
            return _answer(created.code, status=201)

        return run_idempotently(request, body, do)


class CalendarView(CalendarApiView):
    """`/calendars/<code>`."""

    http_method_names = ["get", "head", "patch", "delete"]

    @extend_schema(operation_id="calendar", responses=CalendarSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve a calendar with all its versions."""
        return Response(serialize(CalendarSerializer, _summary_or_404(code)))

    @extend_schema(
        operation_id="calendar_change", request=CalendarChangeBody, responses=CalendarSerializer
    )
    def patch(self, request: Request, code: str) -> HttpResponse:
        """Change a calendar from a date on. Fields that are not given stay.

        If its hours change, all orders are checked again.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(CalendarChangeBody, body)
            try:
                result = change_calendars.change_calendar(
                    code,
                    values,
                    effective_from=values.pop("effective_from", None),
                    version=values.pop("version", None),
                    by=current_user(request),
                    now=database_now(),
                )
            except InvalidCalendarValues as error:
                raise InvalidCalendarInput(error.errors) from error
            except CalendarConflict as error:
                raise ConflictError(str(error)) from error
            except UnknownCalendar as error:
                raise Http404 from error
            if result.rechecked_orders:
                job_functions.ask_worker_to_run_job_now("refold")
            return _answer(code)

        return run_idempotently(request, body, do)

    @extend_schema(operation_id="calendar_delete", request=EmptyBody, responses=CalendarSerializer)
    def delete(self, request: Request, code: str) -> HttpResponse:
        """Delete a calendar that no rule and no location uses."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            answer = _answer(code)
            try:
                change_calendars.delete_calendar(code, by=current_user(request), now=database_now())
            except CalendarConflict as error:
                raise ConflictError(str(error)) from error
            except UnknownCalendar as error:
                raise Http404 from error
            return answer

        return run_idempotently(request, body, do)


class CalendarCopyView(CalendarApiView):
    """`POST /calendars/<code>/copy`."""

    @extend_schema(
        operation_id="calendar_copy", request=CalendarCopyBody, responses={201: CalendarSerializer}
    )
    def post(self, request: Request, code: str) -> HttpResponse:
        """Copy the hours that are in effect today. Cut-offs are not copied."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(CalendarCopyBody, body)
            try:
                created = change_calendars.create_calendar(
                    values,
                    by=current_user(request),
                    now=database_now(),
                    copy_of=_summary_or_404(code).calendar,
                )
            except InvalidCalendarValues as error:
                raise InvalidCalendarInput(error.errors) from error
            return _answer(created.code, status=201)

        return run_idempotently(request, body, do)


class CalendarVersionView(CalendarApiView):
    """`DELETE /calendars/<code>/versions/<date>`."""

    http_method_names = ["delete"]

    @extend_schema(
        operation_id="calendar_version_remove", request=EmptyBody, responses=CalendarSerializer
    )
    def delete(self, request: Request, code: str, starts_on: str) -> HttpResponse:
        """Remove a change that has not taken effect."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            try:
                result = change_calendars.remove_calendar_version(
                    code,
                    date.fromisoformat(starts_on),
                    version=None,
                    by=current_user(request),
                    now=database_now(),
                )
            except CalendarConflict as error:
                raise ConflictError(str(error)) from error
            except (UnknownCalendar, ValueError) as error:
                raise Http404 from error
            if result.rechecked_orders:
                job_functions.ask_worker_to_run_job_now("refold")
            return _answer(code)

        return run_idempotently(request, body, do)


def _required_permissions(request: Request) -> tuple[Permission, ...]:
    is_read = request.method in {"GET", "HEAD"}
    return (Permission.RULES_SEE if is_read else Permission.RULES_EDIT,)


def _answer(code: str, *, status: int = 200) -> ApiResponse:
    content = serialize(CalendarSerializer, _summary_or_404(code))
    return ApiResponse.with_json_body(content, status=status)


def _summary_or_404(code: str) -> CalendarSummary:
    summary = queries.load_calendar_summary(code, database_now())
    if summary is None:
        raise Http404
    return summary
