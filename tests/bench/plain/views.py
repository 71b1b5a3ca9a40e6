"""The webhook and batch endpoints as DRF views."""

import json
import time
from datetime import UTC, datetime
from typing import Any, cast

from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors.sdk import standard_webhooks
from connectors.sdk.auth import (
    InvalidSignature,
    MalformedSignatureHeader,
    check_token_matches_a_secret,
)
from tests.bench.plain.models import Event
from tests.bench.plain.tasks import process
from tests.bench.workload import SECRET


class PlainWebhookView(APIView):
    """POST /hooks/<source>: verify the signature, store the event, enqueue its task."""

    def post(self, request: Request, source: str) -> Response:
        """Receive one event."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = datetime.fromtimestamp(time.time(), UTC)
        try:
            standard_webhooks.verify_signature(headers, request.body, [SECRET.encode()], now)
        except (InvalidSignature, MalformedSignatureHeader):
            return Response({"detail": "bad signature"}, status=401)
        document = cast("dict[str, Any]", request.data)
        try:
            event = Event.objects.create(
                source=source,
                external_id=headers["webhook-id"],
                type=document["type"],
                occurred_at=document["timestamp"],
                payload=document,
            )
        except IntegrityError:
            return Response({"status": "duplicate"}, status=202)
        process.delay(event.pk)
        return Response({"message_id": event.pk, "status": "accepted"}, status=202)


class PlainBatchView(APIView):
    """POST /api/v1/events: one event per line."""

    def post(self, request: Request) -> Response:
        """Receive all events in one transaction."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            check_token_matches_a_secret(token, [SECRET.encode()])
        except InvalidSignature:
            return Response({"detail": "bad token"}, status=401)
        documents = [json.loads(line) for line in request.body.splitlines() if line.strip()]
        with transaction.atomic():
            events = [self._store(document) for document in documents]
        for event in events:
            process.delay(event.pk)
        return Response({"results": [{"message_id": event.pk} for event in events]}, status=202)

    def _store(self, document: dict[str, Any]) -> Event:
        event, _ = Event.objects.get_or_create(
            source=document["source"],
            external_id=document["id"],
            defaults={
                "type": document["type"],
                "occurred_at": document["time"],
                "payload": document,
            },
        )
        return event
