"""Invariant of polls: whatever the system answers, no row is lost and the cursor is never ahead.

The system commits late, repeats times, changes rows while pages are read, and answers some requests
with HTML, half a document, no rows, 401, 429 or 500, or ends the connection.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from tests.builders.polled_systems import PolledSystem, running_system, send_json
from tests.unit.connectors.sdk.manifest.samples import changed
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.models import Cursor, InboundMessage, Source

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)
PAGE = 5
FAULTS = ("html", "half", "empty object", "401", "429", "500", "disconnect")
POLL = """receive:
  poll:
    every: 1 min
    get: "{$base_url}/orders"
    records: rows
    record_key: "{id} {changed}"
    cursor: {field: changed, query: since, overlap: 10 min}
    next: {from_newest: yes, size: "5"}
"""


class DifficultSystem:
    """Orders in the order of their change; `fault`: what one request of the next poll gets."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = START
        self.rows: dict[int, datetime] = {}
        self.versions: set[tuple[int, str]] = set()
        self.fault, self.fault_at = "", 0
        self.requests = 0
        self.changes_while_paging = False

    def change(self, steps: tuple[int, ...] = (1, 30, 90)) -> None:
        """Add rows, change one, and commit one late, by less than the overlap."""
        self.clock += timedelta(seconds=self.random.choice(steps))
        self._write(len(self.rows), self.clock)
        if self.random.random() < 0.5:
            self._write(len(self.rows), self.clock)  # the same time again
        if self.random.random() < 0.6:
            self._write(self.random.randrange(len(self.rows)), self.clock + timedelta(seconds=2))
            self.clock += timedelta(seconds=2)
        if self.random.random() < 0.5:
            late = timedelta(seconds=self.random.randrange(60, 300))
            self._write(len(self.rows), max(self.clock - late, START))

    def _write(self, number: int, at: datetime) -> None:
        # At most two rows have one time, as on a page that can be continued from its newest change.
        while sum(known == at for known in self.rows.values()) >= 2:
            at += timedelta(seconds=1)
        self.clock = max(self.clock, at)
        self.rows[number] = at
        self.versions.add((number, text(at)))

    def respond(self, handler: BaseHTTPRequestHandler, _system: PolledSystem) -> None:
        self.requests += 1
        if self.fault and self.requests == self.fault_at:
            self._answer_with_fault(handler)
            return
        since = parse_qs(urlsplit(handler.path).query).get("since", [""])[0]
        ordered = sorted((at, number) for number, at in self.rows.items() if text(at) >= since)
        page = [{"id": number, "changed": text(at)} for at, number in ordered[:PAGE]]
        if self.changes_while_paging and self.random.random() < 0.5:
            self.change(steps=(1, 2))
        send_json(handler, {"rows": page})

    def _answer_with_fault(self, handler: BaseHTTPRequestHandler) -> None:
        if self.fault.isdigit():
            send_json(handler, {}, status=int(self.fault), headers={"retry-after": "1"})
        elif self.fault == "empty object":
            send_json(handler, {})
        elif self.fault == "disconnect":
            handler.close_connection = True
        else:
            body = b"<html>Sign in</html>" if self.fault == "html" else b'{"rows": [{"id": 1, "chan'
            handler.send_response(200)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)


def text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(params=[1, 2, 3])
def difficult(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DifficultSystem]:
    system = DifficultSystem(request.param)
    with running_system(system.respond) as running:
        settings.OUTGOING_ALLOWED = [running.address]
        manifest = changed(
            ("receive: {webhook: {verify: {bearer: yes}}}\n", POLL),
            ("settings:\n", "settings:\n  base_url: {help: The URL., type: url}\n"),
        )
        kind = make_connector_class_of_manifest(parse_manifest(manifest), Path("sample.yaml"))
        known = {**connectors_by_slug(), "sample": kind}
        for module in (
            "visibility.ingest.add_source_and_rotate_secret",
            "visibility.models.sources_and_messages",
        ):
            monkeypatch.setattr(f"{module}.connectors_by_slug", lambda: known)
        config = {"base_url": running.base_url}
        add_source("erp", connector="sample", config=config, now=database_now())
        yield system


def poll() -> str:
    """Poll once, and return the failure."""
    Source.objects.update(next_poll_at=database_now() - timedelta(minutes=1))
    now = database_now()
    (claimed,) = polling.claim_due_polls(now, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=now)
    return Source.objects.get().poll_error


def stored() -> set[tuple[int, str]]:
    documents: list[dict[str, Any]] = [json.loads(m.body) for m in InboundMessage.objects.all()]
    return {(document["id"], document["changed"]) for document in documents}


def since() -> str:
    cursor = Cursor.objects.first()
    return str(json.loads(cursor.value)["since"]) if cursor and cursor.value else ""


@pytest.mark.slow
def test_no_row_is_lost_and_the_cursor_is_never_ahead(difficult: DifficultSystem) -> None:
    failures = 0
    for _ in range(25):
        for _ in range(difficult.random.randrange(4)):
            difficult.change()
        difficult.changes_while_paging = difficult.random.random() < 0.5
        difficult.requests = 0
        difficult.fault = difficult.random.choice(("", *FAULTS))
        difficult.fault_at = difficult.random.choice((1, 1, 2, 3))
        before = since()
        met_fault = poll()
        if met_fault:
            failures += 1
            assert difficult.fault, met_fault
            if difficult.fault_at == 1:
                assert since() == before, "a poll that got nothing moves no cursor"
        behind = {
            (number, text(at))
            for number, at in difficult.rows.items()
            if since() and text(at + OVERLAP) < since()
        }
        assert behind <= stored(), "rows that the next poll does not ask for are stored"
    assert failures > 5
    difficult.fault, difficult.changes_while_paging = "", False
    assert [poll(), poll()] == ["", ""]
    current = {(number, text(at)) for number, at in difficult.rows.items()}
    assert current <= stored()
    assert stored() <= difficult.versions
    assert since() == max(text(at) for at in difficult.rows.values())
