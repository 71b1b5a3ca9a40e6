"""Endpoints of parked messages: causes, discards, edited copies, and the stop of a replay."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.discard_messages import discard_parked_messages, undo_discard
from visibility.ingest.edit_parked_message import CannotBeEdited, store_edited_copy
from visibility.ingest.replay_messages import stop_replay
from visibility.models import InboundMessage, MessageReplay
from visibility.pipeline import job_functions
from visibility.screens.messages.discards import load_discard_result
from visibility.screens.messages.parked import group_parked_messages_by_cause
from visibility.screens.messages.replay_results import load_replay_result
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.message_replays import (
    SELECTION_PARAMETERS,
    ReplayBody,
    ReplayResultSerializer,
    selected_message_ids,
    source_id_of_slug,
)
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission, has_permission


class DiscardBody(ReplayBody):
    """Which parked messages to discard, and why. `message`: only this one."""

    message = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    why = serializers.CharField(max_length=2_000)


class EditedCopyBody(RequestBody):
    """The corrected payload, as text, and the reason."""

    body = serializers.CharField(trim_whitespace=False, max_length=60_000)
    why = serializers.CharField(max_length=2_000)


class CauseSourceSerializer(PermissionFilteredSerializer):
    """A source with messages that are parked for a cause."""

    source = serializers.CharField(source="slug")  # type: ignore[assignment]  # not DRF's `source`
    count = serializers.IntegerField()


class MoneySerializer(PermissionFilteredSerializer):
    """An amount in a currency."""

    amount = serializers.CharField()
    currency = serializers.CharField()


class ParkedCauseSerializer(PermissionFilteredSerializer):
    """Parked messages with one cause. `detail` is null if details do not count."""

    reason = serializers.CharField()
    detail = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()
    sources = CauseSourceSerializer(many=True)
    first_received_at = Rfc3339Field(source="first_at")
    last_received_at = Rfc3339Field(source="last_at")
    newest_message = serializers.CharField(source="sample")
    orders = serializers.IntegerField(
        allow_null=True, help_text="Known orders; null if no event could be read."
    )
    order_values = MoneySerializer(
        many=True, help_text="The value of these orders; only for those who see prices."
    )


class ParkedCauseListSerializer(PermissionFilteredSerializer):
    """The causes, the most messages first."""

    items = ParkedCauseSerializer(many=True)


class DiscardSerializer(PermissionFilteredSerializer):
    """A discard. `discarded`: how many of its messages are still discarded."""

    id = serializers.CharField(source="discard.pk")
    discarded_at = Rfc3339Field(source="discard.discarded_at")
    discarded_by = UserSerializer(source="discard.discarded_by")
    why = serializers.CharField(source="discard.why")
    messages = serializers.IntegerField(source="total")
    discarded = serializers.IntegerField()
    undone_at = Rfc3339Field(source="discard.undone_at", allow_null=True)
    undone_by = UserSerializer(source="discard.undone_by", allow_null=True)


class EditedCopySerializer(PermissionFilteredSerializer):
    """An edited copy of a parked message: `id` is the message, `original` the parked one."""

    id = serializers.CharField(source="message_id")
    original = serializers.CharField(source="original_id")
    edited_at = Rfc3339Field()
    edited_by = UserSerializer()
    why = serializers.CharField()


class ParkedCauseListView(ApiView):
    """`GET /messages/parked`."""

    required_permissions = (Permission.PARKED_SEE,)
    query_parameters = SELECTION_PARAMETERS[:1]

    @extend_schema(operation_id="parked_causes", responses=ParkedCauseListSerializer)
    def get(self, request: Request) -> Response:
        """List why messages are parked, with the orders affected and their value."""
        sees_prices = has_permission(current_user(request), Permission.PRICES)
        items = [
            {
                "reason": cause.reason,
                "detail": cause.detail,
                "count": cause.count,
                "sources": [{"slug": slug, "count": count} for slug, _, count in cause.sources],
                "first_at": cause.first_at,
                "last_at": cause.last_at,
                "sample": cause.sample,
                "orders": cause.orders,
                "order_values": [
                    {"amount": str(amount), "currency": currency}
                    for amount, currency in cause.values
                    if sees_prices
                ],
            }
            for cause in group_parked_messages_by_cause(
                source_id_of_slug(self.params.get("source"))
            )
        ]
        return Response(serialize(ParkedCauseListSerializer, {"items": items}))


class DiscardListView(ApiView):
    """`POST /messages/discards`."""

    required_permissions = (Permission.PARKED_REPLAY,)

    @extend_schema(
        operation_id="message_discards", request=DiscardBody, responses={201: DiscardSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Discard parked messages. Returns 409 if none of the selected is parked."""
        body = read_body(request)

        def do() -> ApiResponse:
            wanted: dict[str, Any] = parse_body(DiscardBody, body)
            ids = (
                [wanted["message"]]
                if "message" in wanted
                else selected_message_ids(
                    wanted.get("source"), wanted.get("reason", ""), wanted.get("detail")
                )
            )
            discard = discard_parked_messages(
                ids, why=wanted["why"], by=current_user(request), now=database_now()
            )
            if discard is None:
                raise ConflictError("No selected message is parked.")
            result = load_discard_result(discard.pk)
            return ApiResponse.with_json_body(serialize(DiscardSerializer, result), status=201)

        return run_idempotently(request, body, do)


class DiscardView(ApiView):
    """`GET /messages/discards/<id>`."""

    required_permissions = (Permission.PARKED_SEE,)

    @extend_schema(operation_id="message_discard", responses=DiscardSerializer)
    def get(self, request: Request, discard_id: int) -> Response:
        """Retrieve a discard, and how many of its messages are still discarded."""
        result = load_discard_result(discard_id) if discard_id <= MAX_ID else None
        if result is None:
            raise Http404
        return Response(serialize(DiscardSerializer, result))


class UndoDiscardView(ApiView):
    """`POST /messages/discards/<id>/undo`."""

    required_permissions = (Permission.PARKED_REPLAY,)

    @extend_schema(
        operation_id="message_discard_undo", request=EmptyBody, responses=DiscardSerializer
    )
    def post(self, request: Request, discard_id: int) -> HttpResponse:
        """Park the messages as before. Returns 409 if it is undone, or no payload is stored."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            if discard_id > MAX_ID or load_discard_result(discard_id) is None:
                raise Http404
            if not undo_discard(discard_id, by=current_user(request), now=database_now()):
                raise ConflictError("No message of this discard can be parked again.")
            result = load_discard_result(discard_id)
            return ApiResponse.with_json_body(serialize(DiscardSerializer, result), status=200)

        return run_idempotently(request, body, do)


class EditedCopyListView(ApiView):
    """`POST /messages/<id>/edited-copies`."""

    required_permissions = (Permission.PARKED_REPLAY, Permission.MESSAGE_BODIES)

    @extend_schema(
        operation_id="message_edited_copies",
        request=EditedCopyBody,
        responses={201: EditedCopySerializer},
    )
    def post(self, request: Request, message_id: int) -> HttpResponse:
        """Store a corrected copy of a parked message and queue it; the original stays parked."""
        body = read_body(request)

        def do() -> ApiResponse:
            wanted: dict[str, Any] = parse_body(EditedCopyBody, body)
            message = InboundMessage.objects.filter(id=min(message_id, MAX_ID)).first()
            if message is None:
                raise Http404
            try:
                edited = store_edited_copy(
                    message,
                    wanted["body"].encode(),
                    why=wanted["why"],
                    by=current_user(request),
                    now=database_now(),
                )
            except CannotBeEdited as error:
                raise ConflictError(str(error)) from error
            return ApiResponse.with_json_body(serialize(EditedCopySerializer, edited), status=201)

        response = run_idempotently(request, body, do)
        if response.status_code == 201:
            job_functions.ask_worker_to_run_job_now("process")
        return response


class StopReplayView(ApiView):
    """`POST /messages/replays/<id>/stop`."""

    required_permissions = (Permission.PARKED_REPLAY,)

    @extend_schema(
        operation_id="message_replay_stop", request=EmptyBody, responses=ReplayResultSerializer
    )
    def post(self, request: Request, replay_id: int) -> HttpResponse:
        """Park the messages that still wait, as before. Returns 409 if none waits."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            known = replay_id <= MAX_ID and MessageReplay.objects.filter(pk=replay_id).exists()
            if not known:
                raise Http404
            if not stop_replay(replay_id, by=current_user(request), now=database_now()):
                raise ConflictError("No message of this replay waits.")
            result = load_replay_result(replay_id)
            return ApiResponse.with_json_body(serialize(ReplayResultSerializer, result), status=200)

        return run_idempotently(request, body, do)
