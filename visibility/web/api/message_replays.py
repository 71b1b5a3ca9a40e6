"""Endpoints of the replay of parked messages: its effect before, its start, and its result."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.replay_messages import replay_parked_messages
from visibility.models import Source
from visibility.pipeline import job_functions
from visibility.screens.messages import parked
from visibility.screens.messages.replay_preview import preview_replay
from visibility.screens.messages.replay_results import load_replay_result
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import MAX_ID, RequestBody, parse_body, read_body
from visibility.web.permissions import Permission

SELECTION_PARAMETERS = (
    QueryParameter("source", "Slug of the source; without it, messages of all sources."),
    QueryParameter("reason", "The reason why the messages are parked; without it, any."),
    QueryParameter("detail", "The detail of the reason; without it, any."),
)


class ReplayBody(RequestBody):
    """Which parked messages to replay; without any field, all of them, up to 10,000."""

    source = serializers.CharField(required=False, max_length=60)  # type: ignore[assignment]  # not DRF's `source`
    reason = serializers.CharField(required=False, allow_blank=True, max_length=20)
    detail = serializers.CharField(required=False, allow_blank=True, max_length=600)


class StillParkedSerializer(PermissionFilteredSerializer):
    """Messages that are, or would be, parked again with one cause."""

    reason = serializers.CharField()
    detail = serializers.CharField()
    count = serializers.IntegerField()


class NotTriedSerializer(PermissionFilteredSerializer):
    """Messages that a replay would process, but that the preview left out."""

    why = serializers.CharField(help_text="In words.")
    count = serializers.IntegerField()


class ReplayPreviewSerializer(PermissionFilteredSerializer):
    """What a replay would do now: the newest `tried` of the `selected` messages were read."""

    selected = serializers.IntegerField()
    tried = serializers.IntegerField()
    readable = serializers.IntegerField()
    without_body = serializers.IntegerField(help_text="Retention removed what they contain.")
    events = serializers.IntegerField()
    still_parked = StillParkedSerializer(many=True)
    not_tried = NotTriedSerializer(many=True)
    order_count = serializers.IntegerField(help_text="Known orders that the messages are about.")


class ReplayResultSerializer(PermissionFilteredSerializer):
    """A replay, and the state of its messages now. It is finished when none waits."""

    id = serializers.CharField(source="replay.pk")
    requested_at = Rfc3339Field(source="replay.requested_at")
    requested_by = UserSerializer(source="replay.requested_by", allow_null=True)
    messages = serializers.IntegerField(source="total")
    skipped = serializers.IntegerField(source="replay.skipped_count")
    waiting = serializers.IntegerField()
    applied = serializers.IntegerField()
    still_parked = StillParkedSerializer(many=True)
    not_reached = serializers.IntegerField(
        help_text="Messages that waited when the replay was stopped; parked as before."
    )
    stopped_at = Rfc3339Field(source="replay.stopped_at", allow_null=True)
    orders = serializers.IntegerField()
    finished = serializers.BooleanField(source="is_finished")


def selected_message_ids(source_slug: str | None, reason: str, detail: str | None) -> list[int]:
    """The parked messages of a selection. Raises InvalidInput for an unknown source."""
    return parked.parked_message_ids(source_id_of_slug(source_slug), reason=reason, detail=detail)


def source_id_of_slug(slug: str | None) -> int | None:
    """The ID of a source; None without a slug. Raises InvalidInput for an unknown one."""
    if not slug:
        return None
    source_id = Source.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if source_id is None:
        raise InvalidInput("source", "no source has this slug")
    return source_id


class ReplayPreviewView(ApiView):
    """`GET /messages/replays/preview`."""

    required_permissions = (Permission.PARKED_REPLAY,)
    query_parameters = SELECTION_PARAMETERS

    @extend_schema(operation_id="message_replay_preview", responses=ReplayPreviewSerializer)
    def get(self, request: Request) -> Response:
        """Show what a replay of these parked messages would do. Changes nothing."""
        ids = selected_message_ids(
            self.params.get("source"), self.params.get("reason") or "", self.params.get("detail")
        )
        return Response(serialize(ReplayPreviewSerializer, preview_replay(ids)))


class ReplayListView(ApiView):
    """`POST /messages/replays`."""

    required_permissions = (Permission.PARKED_REPLAY,)

    @extend_schema(
        operation_id="message_replays", request=ReplayBody, responses={202: ReplayResultSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Replay parked messages. Returns 409 if none of the selected can be replayed."""
        body = read_body(request)

        def do() -> ApiResponse:
            wanted: dict[str, Any] = parse_body(ReplayBody, body)
            ids = selected_message_ids(
                wanted.get("source"), wanted.get("reason", ""), wanted.get("detail")
            )
            replay = replay_parked_messages(ids, by=current_user(request), now=database_now())
            if replay is None:
                raise ConflictError("No selected message can be replayed.")
            result = load_replay_result(replay.pk)
            return ApiResponse.with_json_body(serialize(ReplayResultSerializer, result), status=202)

        response = run_idempotently(request, body, do)
        if response.status_code == 202:
            job_functions.ask_worker_to_run_job_now("process")
        return response


class ReplayResultView(ApiView):
    """`GET /messages/replays/<id>`."""

    required_permissions = (Permission.PARKED_SEE,)

    @extend_schema(operation_id="message_replay_result", responses=ReplayResultSerializer)
    def get(self, request: Request, replay_id: int) -> Response:
        """Retrieve how far a replay is, and its result."""
        result = load_replay_result(replay_id) if replay_id <= MAX_ID else None
        if result is None:
            raise Http404
        return Response(serialize(ReplayResultSerializer, result))
