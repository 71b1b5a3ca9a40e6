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
from connectors.sdk.oauth_authorization import OAuth2Authorization, RefreshToken
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer
from tests.unit.connectors.sdk.manifest.samples import changed
from visibility.alerts.source_alerts import update_source_alerts
from visibility.ingest import polling
from visibility.ingest.access_tokens import AccessTokens
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    add_source,
    change_settings,
)
from visibility.ingest.source_secrets import decrypt_secrets, secret_setting_values_by_name
from visibility.models import Alert, Cursor, InboundMessage, Source
from visibility.screens.sources.health import load_source_health_reports

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


def test_an_alert_warns_a_week_before_a_refresh_token_ends(
    source: Source, vendor: VendorServer, now: datetime
) -> None:
    answer = vendor.answers["/token"]

    def with_lifetime(request: VendorRequest) -> Answer:
        response = answer(request)
        return Answer(200, {**response.content, "x_refresh_token_expires_in": 100 * 86_400})

    vendor.answers["/token"] = with_lifetime
    row = poll(now)
    end = datetime.fromisoformat(row.secret_ends["refresh_token"])
    assert abs(end - now - timedelta(days=100)) < timedelta(minutes=2)
    # Each renewal moves the end.
    row = poll(now, minutes=24 * 60)
    assert datetime.fromisoformat(row.secret_ends["refresh_token"]) > end + timedelta(hours=23)

    assert alerts_at(now + timedelta(days=93)) == []
    assert alerts_at(now + timedelta(days=95)) == [
        f"The refresh token of {source.title} ends on {end + timedelta(days=1):%Y-%m-%d}"
    ]
    report = load_source_health_reports(now + timedelta(days=95), [row])[0]
    assert "Its refresh token ends on" in report.explanation
    # A token that a person enters has an end that nobody knows yet.
    change_settings(source, {"refresh_token": "refresh-9"}, now=now)
    assert Source.objects.get().secret_ends == {}
    assert alerts_at(now + timedelta(days=95)) == []


def test_an_alert_warns_a_week_before_the_date_that_a_person_entered(
    source: Source, now: datetime
) -> None:
    with pytest.raises(InvalidSource):
        change_settings(source, {"secret_ends": "in spring"}, now=now)
    day = (now + timedelta(days=6)).date().isoformat()
    change_settings(source, {"secret_ends": day}, now=now)
    assert alerts_at(now) == [f"The secret of {source.title} ends on {day}"]


def test_a_manifest_says_how_long_a_replaced_refresh_token_lasts(
    source: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = OAuth2Authorization("t", {}, RefreshToken("refresh_token", "a", lasts_seconds=60.0))
    assert rule.refresh_token is not None
    rule.refresh_token.record_response("", None)
    assert rule.take_renewed_secrets() == ()
    rule.refresh_token.record_response("b", None)
    (renewed,) = rule.take_renewed_secrets()
    assert (renewed.old, renewed.new, renewed.lasts_seconds) == ("a", "b", 60.0)


def alerts_at(moment: datetime) -> list[str]:
    update_source_alerts(now=moment)
    open_alerts = Alert.objects.filter(rule__kind="secret_ending").exclude(state="resolved")
    return list(open_alerts.values_list("title", flat=True))
