"""Endpoints of notes on the charts of KPIs."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.kpi.notes import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_TEXT,
    InvalidKpiNote,
    KpiNoteChanged,
    KpiNoteEditor,
    KpiNoteValues,
    NotAuthorOfKpiNote,
    add_kpi_note,
    change_kpi_note,
    notes_of_kpis,
    remove_kpi_note,
)
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models import KpiNote
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.query_params import QueryParameter, parse_day
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission, has_permission

Result = TypeVar("Result")


class InvalidKpiNoteInput(InvalidInput):
    """Fields of a note are invalid, each with its sentence."""

    def __init__(self, error: InvalidKpiNote) -> None:
        super().__init__("", str(error))
        self.errors = [{"path": name, "detail": text} for name, text in error.errors.items()]


class KpiNoteSerializer(PermissionFilteredSerializer):
    """A note on the days `start` to `end`. `kpi` is empty if it is on all KPIs."""

    id = serializers.IntegerField(source="pk")
    kpi = serializers.CharField(allow_blank=True)
    start = serializers.DateField()
    end = serializers.DateField()
    text = serializers.CharField()
    author = UserSerializer()
    created_at = Rfc3339Field()
    changed_at = Rfc3339Field()
    version = serializers.IntegerField()


class KpiNoteBody(RequestBody):
    """A new note. Without `end` it is on one day, without `kpi` on all KPIs."""

    kpi = serializers.CharField(required=False, allow_blank=True, default="", max_length=60)
    start = serializers.DateField()
    end = serializers.DateField(required=False)
    text = serializers.CharField(max_length=MAX_TEXT)


class KpiNoteChangeBody(RequestBody):
    """The fields to change. With `version`, it is refused if the note has another one."""

    version = serializers.IntegerField(required=False, min_value=1)
    kpi = serializers.CharField(required=False, allow_blank=True, max_length=60)
    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    text = serializers.CharField(required=False, max_length=MAX_TEXT)


@extend_schema_view(get=extend_schema(operation_id="kpi_notes"))
class KpiNoteListView(ApiListView):
    """List the notes on the charts of KPIs, latest first day first."""

    http_method_names = ["get", "head", "post"]
    serializer_class = KpiNoteSerializer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = _permissions(request)
        super().initial(request, *args, **kwargs)

    def declared_query_parameters(self) -> tuple[QueryParameter, ...]:
        """The KPI and the date range, for reading."""
        if self.request.method == "POST":
            return ()
        return (
            QueryParameter(
                "kpi", "Only notes on this KPI, and on all.", choices=(*kpi_registry(),)
            ),
            QueryParameter("from", "First day.", parse_day, openapi_format="date"),
            QueryParameter("to", "Last day.", parse_day, openapi_format="date"),
            *PAGING,
        )

    def get_queryset(self) -> QuerySet[KpiNote]:
        """The notes that the parameters select."""
        codes = [self.params["kpi"]] if "kpi" in self.params else list(kpi_registry())
        start = self.params.get("from", date(FIRST_YEAR, 1, 1))
        end = self.params.get("to", date(LAST_YEAR, 12, 31))
        return notes_of_kpis(codes, DaySpan(start, end))

    @extend_schema(
        operation_id="kpi_note_add", request=KpiNoteBody, responses={201: KpiNoteSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Add a note on the charts of one KPI, or of all."""
        body = read_body(request)

        def do() -> ApiResponse:
            fields: dict[str, Any] = parse_body(KpiNoteBody, body)
            values = KpiNoteValues(**{"end": fields["start"]} | fields)
            note = _checked(
                lambda: add_kpi_note(values, editor=_editor(request), now=database_now())
            )
            return ApiResponse.with_json_body(serialize(KpiNoteSerializer, note), status=201)

        return run_idempotently(request, body, do)


class KpiNoteView(ApiView):
    """`/kpi-notes/<id>`."""

    http_method_names = ["get", "head", "patch", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_permissions = _permissions(request)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="kpi_note", responses=KpiNoteSerializer)
    def get(self, request: Request, note_id: int) -> Response:
        """Retrieve a note."""
        return Response(serialize(KpiNoteSerializer, _note_or_404(note_id)))

    @extend_schema(
        operation_id="kpi_note_change", request=KpiNoteChangeBody, responses=KpiNoteSerializer
    )
    def patch(self, request: Request, note_id: int) -> HttpResponse:
        """Change a note. For its author or administrators."""
        body = read_body(request)

        def do() -> ApiResponse:
            fields: dict[str, Any] = parse_body(KpiNoteChangeBody, body)
            note, version = _note_or_404(note_id), fields.pop("version", None)
            stored: dict[str, Any] = {
                "kpi": note.kpi,
                "start": note.start,
                "end": note.end,
                "text": note.text,
            }
            changed = _checked(
                lambda: change_kpi_note(
                    note,
                    KpiNoteValues(**stored | fields),
                    editor=_editor(request),
                    now=database_now(),
                    version=version,
                )
            )
            return ApiResponse.with_json_body(serialize(KpiNoteSerializer, changed))

        return run_idempotently(request, body, do)

    @extend_schema(operation_id="kpi_note_remove", request=EmptyBody, responses=KpiNoteSerializer)
    def delete(self, request: Request, note_id: int) -> HttpResponse:
        """Remove a note. Returns it as it was. For its author or administrators."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            note = _note_or_404(note_id)
            removed = serialize(KpiNoteSerializer, note)
            _checked(lambda: remove_kpi_note(note, editor=_editor(request), now=database_now()))
            return ApiResponse.with_json_body(removed)

        return run_idempotently(request, body, do)


def _permissions(request: Request) -> tuple[Permission, ...]:
    is_read = request.method in {"GET", "HEAD"}
    return (Permission.KPIS,) if is_read else (Permission.KPIS, Permission.KPIS_NOTE)


def _editor(request: Request) -> KpiNoteEditor:
    user = current_user(request)
    return KpiNoteEditor(user, has_permission(user, Permission.ADMINISTER))


def _note_or_404(note_id: int) -> KpiNote:
    note = KpiNote.objects.select_related("author").filter(pk=note_id).first()
    if note is None:
        raise Http404
    return note


def _checked(change: Callable[[], Result]) -> Result:
    """Raises InvalidInput, PermissionDenied, ConflictError or Http404 instead of their errors."""
    try:
        return change()
    except InvalidKpiNote as error:
        raise InvalidKpiNoteInput(error) from error
    except NotAuthorOfKpiNote as error:
        raise exceptions.PermissionDenied(str(error)) from error
    except KpiNoteChanged as error:
        raise ConflictError("Someone else has changed the note: read it again.") from error
    except KpiNote.DoesNotExist:
        raise Http404 from None
