"""Endpoints of the newest requests of a source, its test event and the test of its connection."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.ingest.fetch_first_page import fetch_first_page
from visibility.ingest.source_secrets import UnreadableSecrets
from visibility.ingest.try_queue import try_queue
from visibility.models.audit import append_audit_entry
from visibility.models.sources_and_messages import Source, UnusableSource
from visibility.screens.sources.newest_requests import list_newest_requests
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.permissions import Permission
from visibility.web.send_test_event import NoTestEvent, send_test_event
from visibility.web.source_lookup import source_or_404

OUTCOMES = ("accepted", "waiting", "parked", "discarded", "refused", "test")


class RequestOrderSerializer(PermissionFilteredSerializer):
    """An order that a request is about."""

    id = serializers.IntegerField()
    number = serializers.CharField()


class SourceRequestSerializer(PermissionFilteredSerializer):
    """A request and what became of it. `message_id` is null if nothing was stored.

    `orders` has at most three of the `order_count` orders.
    """

    received_at = Rfc3339Field()
    verification = serializers.CharField()
    is_verified = serializers.BooleanField()
    outcome = serializers.ChoiceField(OUTCOMES)
    detail = serializers.CharField()
    event_count = serializers.IntegerField()
    event_types = serializers.ListField(child=serializers.CharField())
    orders = RequestOrderSerializer(many=True)
    order_count = serializers.IntegerField()
    message_id = serializers.CharField(allow_null=True)


class SourceRequestListSerializer(PermissionFilteredSerializer):
    """The newest requests, the newest first."""

    items = SourceRequestSerializer(many=True)


class ReadingSerializer(PermissionFilteredSerializer):
    """What was read from one payload. `parked` or `ignored`: why not all of it."""

    event_types = serializers.ListField(child=serializers.CharField())
    parked = serializers.CharField()
    ignored = serializers.CharField()


class EventTestSerializer(ReadingSerializer):
    """The answer of the intake to a test event: its HTTP status, and what was read."""

    status = serializers.IntegerField()
    detail = serializers.CharField()


class ConnectionTestSerializer(PermissionFilteredSerializer):
    """The next page of a poll, or the first files of an SFTP folder.

    `error`: why there is none; empty if there is.
    """

    records = serializers.IntegerField()
    error = serializers.CharField()
    host_key = serializers.CharField(
        help_text="The fingerprint of an SFTP server that nobody has confirmed yet. Compare it, "
        "then set it as `sftp_host_key`."
    )
    readings = ReadingSerializer(many=True)


class QueueTestSerializer(PermissionFilteredSerializer):
    """What the broker answered. `error`: why there is no connection; empty if there is one.

    `waiting_count`: how many messages wait in the queue; null if the broker does not tell.
    """

    waiting_count = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()


class SourceRequestListView(ApiView):
    """`GET /sources/<slug>/requests`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_SEE,)

    @extend_schema(operation_id="source_requests", responses=SourceRequestListSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List the newest 20 requests: stored ones, refused ones and test events."""
        rows = list_newest_requests(source_or_404(slug))
        return Response({"items": serialize_all(SourceRequestSerializer, rows)})


class SourceTestEventView(ApiView):
    """`POST /sources/<slug>/test-event`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_test_event", request=EmptyBody, responses=EventTestSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Send a signed test event through the intake. It changes no order.

        Returns 409 if the source cannot send one.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            source, now = source_or_404(slug), database_now()
            try:
                answer = send_test_event(source, now=now)
            except (NoTestEvent, UnusableSource, UnreadableSecrets) as error:
                raise ConflictError(str(error)) from error
            _audit(request, "source.test_event", source, {"status": answer.status})
            content = {
                "status": answer.status,
                "detail": str(answer.content.get("detail", "")),
                **_reading(answer.content),
            }
            return ApiResponse.with_json_body(serialize(EventTestSerializer, content))

        return run_idempotently(request, body, do)


class SourceTestPollView(ApiView):
    """`POST /sources/<slug>/test-poll`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_test_poll", request=EmptyBody, responses=ConnectionTestSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Fetch the next page of a polled source, and say what it would create.

        Nothing is stored, and the next poll reads the same page.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            source = source_or_404(slug)
            page = fetch_first_page(source, now=database_now())
            _audit(request, "source.test_poll", source, {"error": page.error})
            content = {
                "records": page.records,
                "error": page.error,
                "host_key": page.host_key,
                "readings": [_reading(reading) for reading in page.readings],
            }
            return ApiResponse.with_json_body(serialize(ConnectionTestSerializer, content))

        return run_idempotently(request, body, do)


class SourceTestQueueView(ApiView):
    """`POST /sources/<slug>/test-queue`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_test_queue", request=EmptyBody, responses=QueueTestSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Connect to the broker of a source and ask for its queue. No message is taken."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            source = source_or_404(slug)
            trial = try_queue(source)
            _audit(request, "source.test_queue", source, {"error": trial.error})
            return ApiResponse.with_json_body(serialize(QueueTestSerializer, trial))

        return run_idempotently(request, body, do)


def _reading(reading: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event_types": [str(event["type"]) for event in reading.get("events") or []],
        "parked": str(reading.get("parked", "")),
        "ignored": str(reading.get("ignored", "")),
    }


def _audit(request: Request, action: str, source: Source, detail: dict[str, Any]) -> None:
    append_audit_entry(
        action,
        user=current_user(request),
        object=source.slug,
        detail=detail,
        now=database_now(),
    )
