"""Endpoints of integration health: sources, messages and the replay of parked messages."""

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import InboundMessage, MessageState
from visibility.pipeline import job_functions
from visibility.screens.messages import message_queries
from visibility.screens.messages.message_columns import MESSAGE_LIST
from visibility.screens.sources import health as sources
from visibility.screens.sources.queue_state import load_queue_state
from visibility.screens.sources.source_columns import SOURCE_LIST
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    MessageSerializer,
    PermissionFilteredSerializer,
    Rfc3339Field,
    SourceSerializer,
    serialize,
)
from visibility.web.api.declared_lists import (
    export_parameters,
    page_parameters,
    requested_rows,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.list_export import (
    LIST_FILE_RESPONSES,
    list_export_response,
)
from visibility.web.api.pagination import ApiListView
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import MAX_ID, EmptyBody, parse_body, read_body
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class MessageCountsSerializer(PermissionFilteredSerializer):
    """Messages by outcome: accepted = all others together."""

    accepted = serializers.IntegerField()
    applied = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    parked = serializers.IntegerField()
    discarded = serializers.IntegerField()
    waiting = serializers.IntegerField()


class SourceQueueSerializer(PermissionFilteredSerializer):
    """The queue of a message broker that a source receives from.

    `connected_at` is null while it is not connected, and `waiting_count` if the broker does not
    tell it. `paused_reason`: why messages are left at the broker for now.
    """

    broker = serializers.CharField()
    name = serializers.CharField()
    connected_at = Rfc3339Field(allow_null=True)
    last_message_at = Rfc3339Field(allow_null=True)
    waiting_count = serializers.IntegerField(allow_null=True)
    counted_at = Rfc3339Field(allow_null=True)
    reconnect_count = serializers.IntegerField()
    paused_reason = serializers.CharField()
    error = serializers.CharField()


class SourceHealthSerializer(SourceSerializer):
    """A source with its message volume and outcomes."""

    hours = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Messages per hour for the last 24 hours, oldest first.",
    )
    next_poll_at = Rfc3339Field(source="source.next_poll_at", allow_null=True)
    message_counts = MessageCountsSerializer()
    queue = SourceQueueSerializer(allow_null=True)


class ReplayedMessageSerializer(PermissionFilteredSerializer):
    """A message queued for reprocessing."""

    id = serializers.CharField()
    state = EnumField([MessageState.WAITING])
    replay = serializers.CharField(help_text="The ID of the replay, for its result.")


@extend_schema_view(get=extend_schema(operation_id="sources"))
class SourceHealthListView(ApiListView):
    """List the sources with the health of their feeds, worst first."""

    required_permissions = (Permission.SOURCES_SEE,)
    query_parameters = page_parameters(SOURCE_LIST)
    serializer_class = SourceSerializer

    def get_queryset(self) -> Any:
        """The sources that match the filters, in the requested order. Raises InvalidInput."""
        return requested_rows(SOURCE_LIST, self.request, self.params)


class SourceExportView(ApiView):
    """`GET /sources/export`."""

    required_permissions = (Permission.SOURCES_SEE, Permission.EXPORT)
    query_parameters = export_parameters(SOURCE_LIST)

    @extend_schema(operation_id="sources_export", responses=LIST_FILE_RESPONSES)
    def get(self, request: Request) -> HttpResponseBase:
        """Export the sources with the health of their feeds as CSV or XLSX."""
        return list_export_response(request, SOURCE_LIST, self.params)


class SourceHealthView(ApiView):
    """`GET /sources/<slug>/health`."""

    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_health", responses=SourceHealthSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve the health of a source and the outcomes of its messages."""
        source, now = source_or_404(slug), database_now()
        health = sources.load_source_health_reports(now, [source])[0]
        queue = load_queue_state(source, now)
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
                "queue": serialize(SourceQueueSerializer, queue) if queue else None,
            }
        )


@extend_schema_view(get=extend_schema(operation_id="messages"))
class MessageListView(ApiListView):
    """List messages and their outcomes, newest first. Message bodies are not in the API."""

    required_permissions = (Permission.PARKED_SEE,)
    query_parameters = page_parameters(MESSAGE_LIST)
    serializer_class = MessageSerializer

    def get_queryset(self) -> Any:
        """The messages that match the filters, in the requested order. Raises InvalidInput."""
        return requested_rows(MESSAGE_LIST, self.request, self.params)


class MessageExportView(ApiView):
    """`GET /messages/export`."""

    required_permissions = (Permission.PARKED_SEE, Permission.SOURCES_SEE, Permission.EXPORT)
    query_parameters = export_parameters(MESSAGE_LIST)

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
