"""A refresh token that the system replaces is stored encrypted, in the transaction of the poll."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.manifest.connector import make_connector_class_of_manifest
from connectors.sdk.manifest.manifest_parser import parse_manifest
from tests.builders.vendor_server import Answer, VendorServer
from tests.unit.connectors.sdk.manifest.samples import changed
from visibility.ingest import polling
from visibility.ingest.access_tokens import AccessTokens
from visibility.ingest.add_source_and_rotate_secret import add_source, change_settings
from visibility.ingest.source_secrets import decrypt_secrets, secret_setting_values_by_name
from visibility.models import Cursor, InboundMessage, Source

pytestmark = pytest.mark.django_db(transaction=True)
POLL = """receive:
  poll:
    every: 5 min
    get: "{$base_url}/orders"
    auth:
      oauth2_refresh_token:
        token_url: "{$base_url}/token"
        client_id: c1
        client_secret: "{$secret}"
        refresh_token: "{$refresh_token}"
    records: rows
    cursor: {field: changed, query: since}
"""
ROW = {"id": "1", "number": "S1", "changed": "2026-03-02T10:01:00Z"}


@pytest.fixture
def vendor(settings: Settings) -> Iterator[VendorServer]:
    server = VendorServer([ROW])
    server.authorize = server.has_current_token
    settings.OUTGOING_ALLOWED = [server.address]
    yield server
    server.close()


@pytest.fixture
def source(vendor: VendorServer, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Source:
    text = changed(
        ("receive: {webhook: {verify: {bearer: yes}}}\n", POLL),
        (
            "settings:\n",
            "settings:\n  base_url: {help: The URL., type: url}\n"
            "  refresh_token: {help: The first refresh token., type: secret}\n",
        ),
    )
    kind = make_connector_class_of_manifest(parse_manifest(text), Path("sample.yaml"))
    known = {**connectors_by_slug(), "sample": kind}
    for module in (
        "visibility.ingest.add_source_and_rotate_secret",
        "visibility.models.sources_and_messages",
    ):
        monkeypatch.setattr(f"{module}.connectors_by_slug", lambda: known)
    config = {"base_url": vendor.url, "refresh_token": "refresh-1"}
    return add_source("erp", connector="sample", config=config, now=now).source


def poll(now: datetime, minutes: int = 0) -> Source:
    at = now + timedelta(minutes=minutes)
    (claimed,) = polling.claim_due_polls(at, limit=1, slow_limit=1)
    # The access token of the poll before has expired.
    with patch.object(polling, "ACCESS_TOKENS", AccessTokens()):
        polling.poll_source(claimed, now=at)
    return Source.objects.get()


def refresh_token(source: Source) -> str:
    return secret_setting_values_by_name(decrypt_secrets(source.sealed_secrets))["refresh_token"]


def test_each_poll_uses_the_refresh_token_of_the_poll_before(source: Source, now: datetime) -> None:
    polled = poll(now)
    assert (polled.poll_error, refresh_token(polled)) == ("", "refresh-2")
    assert "refresh-" not in polled.sealed_secrets + str(polled.config)
    assert InboundMessage.objects.count() == 1
    own = [s.value for s in decrypt_secrets(polled.sealed_secrets) if not s.setting]
    assert own == [s.value for s in decrypt_secrets(source.sealed_secrets) if not s.setting]
    assert refresh_token(poll(now, 10)) == "refresh-3"


def test_the_token_is_stored_although_the_request_after_it_fails(
    source: Source, vendor: VendorServer, now: datetime
) -> None:
    vendor.answers["/orders"] = lambda _: Answer(500, {})
    failed = poll(now)
    assert "HTTP 500" in failed.poll_error
    assert refresh_token(failed) == "refresh-2"
    assert not InboundMessage.objects.exists()


def test_a_token_that_a_person_entered_during_the_poll_stays(
    source: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_page = polling._store_page_and_cursor

    def change_and_store_page(*args: Any, **kwargs: Any) -> int:
        monkeypatch.setattr(polling, "_store_page_and_cursor", store_page)
        change_settings(source, {"refresh_token": "entered"}, now=now)
        return store_page(*args, **kwargs)

    monkeypatch.setattr(polling, "_store_page_and_cursor", change_and_store_page)
    assert refresh_token(poll(now)) == "entered"


def test_the_token_is_stored_in_the_transaction_of_the_cursor(
    source: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise polling.RoundSuperseded

    monkeypatch.setattr(polling, "store_renewed_secrets", fail)
    poll(now)
    assert Cursor.objects.get().value == ""
    assert refresh_token(Source.objects.get()) == "refresh-1"
