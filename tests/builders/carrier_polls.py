"""Poll a carrier about packages under way, over HTTP and into PostgreSQL."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from connectors.sdk.webhook_and_poll_types import WebhookRequest
from tests.builders.carrier_server import CarrierServer
from visibility.ingest import polling, source_secrets
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Event, InboundMessage, MessageState, Source
from visibility.pipeline import job_functions


@dataclass
class CarrierPolls:
    """The source of a carrier, and a WMS that confirms packages."""

    server: CarrierServer
    source: Source
    wms: Source
    now: datetime

    @classmethod
    def connect(
        cls, server: CarrierServer, connector: str, now: datetime, secret: str = "", **config: str
    ) -> "CarrierPolls":
        """Add the source of the carrier, and a WMS."""
        config = {"base_url": server.url, **config}
        source = add_source("carrier", connector=connector, config=config, secret=secret, now=now)
        wms = add_source("wms", connector="cloudevents", config={}, now=now)
        return cls(server, source.source, wms.source, now)

    def ship(self, number: str, carrier: str) -> None:
        """Report that packages left yesterday; commas separate their numbers."""
        data: dict[str, Any] = {"order": f"S-{number[:30]}", "tracking": number.split(",")}
        data["attributes"] = {"carrier": carrier} if carrier else {}
        event = {
            "specversion": "1.0",
            "id": f"ship {number}",
            "source": "/wms",
            "type": "shipment.confirmed",
            "time": (self.now - timedelta(days=1)).isoformat(),
            "data": data,
        }
        body = json.dumps(event).encode()
        store_messages([IncomingMessage(self.wms.pk, str(event["id"]), {}, body)])
        job_functions.process_messages_and_refold()

    def poll(self, *, minutes: int = 0) -> Source:
        """Poll until the round ends, and process what it stored. Nothing is parked."""
        at = self.now + timedelta(minutes=minutes)
        Source.objects.filter(pk=self.source.pk).update(next_poll_at=at, throttled_until=None)
        claimed = polling.claim_due_polls(at, limit=5, slow_limit=5)
        (own,) = [c for c in claimed if c.source_id == self.source.pk]
        polling.poll_source(own, now=at)
        job_functions.process_messages_and_refold()
        assert not InboundMessage.objects.filter(state=MessageState.PARKED).exists()
        return Source.objects.get(pk=self.source.pk)

    def receive(self, body: bytes, headers: Mapping[str, str], query: str = "") -> None:
        """Check and store a webhook as the intake does. Raises InvalidSignature."""
        connector = self.source.build_connector()
        sealed = source_secrets.decrypt_secrets(self.source.sealed_secrets)
        secrets = source_secrets.unexpired_signing_secrets(sealed, self.now)
        request = WebhookRequest("POST", "/", dict(parse_qsl(query)), headers, body)
        connector.verify(request, secrets, self.now)
        key = connector.dedupe_key(request) or hashlib.sha256(body).hexdigest()
        store_messages([IncomingMessage(self.source.pk, key, {}, body)])
        job_functions.process_messages_and_refold()

    def events(self) -> list[tuple[str, datetime]]:
        """Types and times of the carrier's events, oldest first."""
        rows = Event.objects.filter(source=self.source).order_by("occurred_at", "pk")
        return list(rows.values_list("type", "occurred_at"))

    def types(self) -> list[str]:
        """Types of the carrier's events, oldest first."""
        return [kind for kind, _ in self.events()]
