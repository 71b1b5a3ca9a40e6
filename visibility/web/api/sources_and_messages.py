"""Endpoints of integration health: sources, messages and the replay of parked messages."""

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.export.list_files import ListFileFormat
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import InboundMessage, MessageState, Source
from visibility.pipeline import job_functions
from visibility.screens.messages import message_queries
from visibility.screens.messages.message_columns import MESSAGE_LIST
from visibility.screens.sources import health as sources
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    MessageSerializer,
    PermissionFilteredSerializer,
    Rfc3339Field,
    SourceSerializer,
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.list_export import (
    COLUMNS,
    LIST_FILE_RESPONSES,
    list_export_response,
    requested_sort_order,
    sort_parameter,
)
from visibility.web.api.list_filter_parameters import (
    filter_parameters,
    list_query,
    requested_filters,
)
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.query_params import QueryParameter, enum_param
from visibility.web.api.request_body_serializers import MAX_ID, EmptyBody, parse_body, read_body
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission

LIST_PARAMETERS = (
    *filter_parameters(MESSAGE_LIST),
    sort_parameter(MESSAGE_LIST),
    *PAGING,
)


class SourceListSerializer(PermissionFilteredSerializer):
    """All sources, worst health first."""

    items = SourceSerializer(many=True)


class MessageCountsSerializer(PermissionFilteredSerializer):
    """Messages by outcome: accepted = applied + duplicate + parked + waiting."""

    accepted = serializers.IntegerField()
    applied = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    parked = serializers.IntegerField()
    waiting = serializers.IntegerField()


class SourceHealthSerializer(SourceSerializer):
    """A source with its message volume and outcomes."""

    hours = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Messages per hour for the last 24 hours, oldest first.",
    )
    next_poll_at = Rfc3339Field(source="source.next_poll_at", allow_null=True)
    message_counts = MessageCountsSerializer()


class ReplayedMessageSerializer(PermissionFilteredSerializer):
    """A message queued for reprocessing."""

    id = serializers.CharField()
    state = EnumField([MessageState.WAITING])
    replay = serializers.CharField(help_text="The ID of the replay, for its result.")


class SourceHealthListView(ApiView):
    """`GET /sources`."""

    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = (
        QueryParameter(
            "archived", "`yes`: archived sources instead of the others.", choices=("yes", "no")
        ),
    )

    @extend_schema(operation_id="sources", responses=SourceListSerializer)
    def get(self, request: Request) -> Response:
        """List the sources with the health of their feeds, worst first."""
        return Response(
            {
                "items": serialize_all(
                    SourceSerializer,
                    sources.load_source_health_reports(
                        database_now(), archived=self.params.get("archived") == "yes"
                    ),
                )
            }
        )


class SourceHealthView(ApiView):
    """`GET /sources/<slug>/health`."""

    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_health", responses=SourceHealthSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve the health of a source and the outcomes of its messages."""
        source = Source.objects.filter(slug=slug).first()
        if source is None:
            raise Http404
        health = sources.load_source_health_reports(database_now(), [source])[0]
        values: dict[str, Any] = serialize(SourceSerializer, health)
        return Response(
            values
            | {
                "hours": list(health.hours),
                "next_poll_at": Rfc3339Field(allow_null=True).to_representation(source.next_poll_at)
                if source.next_poll_at
                else None,
                "message_counts": serialize(
                    MessageCountsSerializer, sources.count_message_outcomes(source)
                ),
            }
        )


@extend_schema_view(get=extend_schema(operation_id="messages"))
class MessageListView(ApiListView):
    """List messages and their outcomes, newest first. Message bodies are not in the API."""

    required_permissions = (Permission.PARKED_SEE,)
    query_parameters = LIST_PARAMETERS
    serializer_class = MessageSerializer

    def get_queryset(self) -> Any:
        """The messages that match the filters, in the requested order. Raises InvalidInput."""
        viewer, now = viewer_of_request(self.request._request), database_now()
        requested_filters(MESSAGE_LIST, self.params, viewer)
        query = list_query(MESSAGE_LIST, self.params)
        rows = KeysetRowLoader.from_sort_order(
            MESSAGE_LIST.queryset(query, viewer, now),
            requested_sort_order(MESSAGE_LIST, query, viewer),
        )
        return KeysetRowLoader(
            lambda limit, *after: MESSAGE_LIST.rows_of_objects(
                rows.load(limit, *after), viewer, now
            ),
            rows.sort_key,
        )


class MessageExportView(ApiView):
    """`GET /messages/export`."""

    required_permissions = (Permission.PARKED_SEE, Permission.SOURCES_SEE, Permission.EXPORT)
    query_parameters = (
        enum_param("format", "File format. Default: `csv`.", ListFileFormat),
        *filter_parameters(MESSAGE_LIST),
        sort_parameter(MESSAGE_LIST),
        COLUMNS,
    )

    @extend_schema(operation_id="messages_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request) -> HttpResponseBase:
        """Export messages as CSV, or as XLSX with at most 50,000 rows, without their payloads."""
        return list_export_response(request, MESSAGE_LIST, self.params)


class ReplayMessageView(ApiView):
    """`POST /messages/<id>/replay`."""

    required_permissions = (Permission.PARKED_REPLAY,)

    @extend_schema(
        operation_id="message_replay", request=EmptyBody, responses={202: ReplayedMessageSerializer}
    )
    def post(self, request: Request, message_id: int) -> HttpResponse:
        """Reprocess a parked message. Returns 409 if it is not parked, or its body is removed."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            known = message_id <= MAX_ID
            if not (known and InboundMessage.objects.filter(id=message_id).exists()):
                raise Http404
            if sentence := message_queries.why_message_cannot_be_replayed(message_id):
                raise ConflictError(sentence)
            replay = replay_parked_messages(
                [message_id], by=current_user(request), now=database_now()
            )
            if replay is None:
                raise ConflictError("This message is not parked.")
            return ApiResponse.with_json_body(
                {"id": str(message_id), "state": "waiting", "replay": str(replay.pk)}, status=202
            )

        response = run_idempotently(request, body, do)
        if response.status_code == 202:
            job_functions.ask_worker_to_run_job_now("process")
        return response
