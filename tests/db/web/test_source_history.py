"""The tabs Jobs, Outgoing and History of a source: polls, their requests, changes of settings."""

from collections.abc import Callable
from datetime import datetime, timedelta

import orjson
import pytest
from django.test import Client

from connectors.sdk.webhook_and_poll_types import HttpRequest, HttpResponse
from tests.builders.alerts import statements
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest import outgoing_requests, polling
from visibility.ingest.source_secrets import SourceSecret, encrypt_secrets
from visibility.models import OutgoingRequest, PollRound, Source
from visibility.screens.sources.settings_form import NEW_SECRET
from visibility.web.permissions import UserRole

# A poll closes its connection while it waits for the system.
pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-bearer-token-of-24-bytes-or-more"
Respond = Callable[[HttpRequest], HttpResponse]


class System:
    """A polled system."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond

    def send(self, request: HttpRequest) -> HttpResponse:
        return self.respond(request)


@pytest.fixture
def erp() -> Source:
    return create_source(
        "erp",
        connector="business_central",
        role="erp",
        config={"base_url": f"https://erp.example.com/{SECRET}/api"},
        sealed_secrets=encrypt_secrets([SourceSecret(SECRET)]),
        next_poll_at=database_now(),
    )


@pytest.fixture
def session() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def poll(respond: Respond, *, now: datetime | None = None) -> None:
    at = now or database_now()
    [claimed] = polling.claim_due_polls(at, limit=1, slow_limit=1)
    polling.poll_source(claimed, now=at, open_client=lambda _budget: System(respond))


def send_order(request: HttpRequest) -> HttpResponse:
    rows = []
    if "/salesOrders" in request.url:
        rows = [{"id": "order-1", "lastModifiedDateTime": "2026-03-04T10:00:00Z"}]
    return HttpResponse(200, {}, orjson.dumps({"value": rows}))


def too_many(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(429, {"retry-after": "120"}, b"")


def refused(_request: HttpRequest) -> HttpResponse:
    raise ConnectionError("refused")


def text(client: Client, tab: str, *, slug: str = "erp") -> str:
    return " ".join(client.get(f"/sources/{slug}?tab={tab}").content.decode().split())


def test_a_poll_is_listed_with_its_result_and_counts(erp: Source, session: Client) -> None:
    poll(send_order)
    stored = PollRound.objects.get()
    assert (stored.new_count, stored.error) == (1, "")
    assert stored.page_count is not None
    assert stored.page_count >= 1
    page = text(session, "jobs")
    assert "1 poll in the last 24 hours: 0 failed, 1 new message." in page
    assert "Succeeded" in page
    assert "Next poll" in page


def test_failed_and_rate_limited_polls_say_why(erp: Source, session: Client) -> None:
    at = database_now()
    poll(too_many, now=at)
    poll(refused, now=at + timedelta(minutes=5))
    page = text(session, "jobs")
    assert "2 polls in the last 24 hours: 1 failed, 1 rate limited" in page
    sent = text(session, "outgoing")
    assert "429, rate limited" in sent
    assert "asked to wait until" in sent
    assert "No response" in sent
    limited = OutgoingRequest.objects.get(status=429)
    assert limited.retry_at is not None
    assert timedelta(seconds=118) < limited.retry_at - limited.sent_at < timedelta(seconds=125)


def test_requests_are_stored_without_secrets_and_query_values(erp: Source, session: Client) -> None:
    asked: list[str] = []

    def respond(request: HttpRequest) -> HttpResponse:
        asked.append(request.url_with_merged_query)
        return send_order(request)

    poll(respond)
    assert any("=" in url for url in asked)
    page = text(session, "outgoing")
    stored = list(OutgoingRequest.objects.values_list("address", flat=True))
    assert len(stored) == len(asked)
    assert all(address.startswith("https://erp.example.com/(hidden)/api/") for address in stored)
    assert SECRET not in page
    assert "lastModifiedDateTime" not in page


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        (
            "https://u:p@erp.example.com:8443/a?key=1&b=&key=2",
            "https://erp.example.com:8443/a?key=…&b=…",
        ),
        ("https://erp.example.com/a/b", "https://erp.example.com/a/b"),
    ],
)
def test_address_without_values(url: str, stored: str) -> None:
    assert outgoing_requests.address_without_values(url) == stored


def test_only_the_newest_requests_of_a_source_are_stored(
    erp: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing_requests, "STORED_PER_SOURCE", 3)
    at = database_now()
    for round_number in range(3):
        poll(send_order, now=at + timedelta(hours=round_number))
    ids = list(OutgoingRequest.objects.order_by("pk").values_list("pk", flat=True))
    assert len(ids) == 3
    assert ids[-1] - ids[0] == 2


def test_a_source_without_polls_has_no_such_tabs(session: Client) -> None:
    create_source()
    page = text(session, "jobs", slug="wms")
    assert "?tab=jobs" not in page
    assert "Current source status" in page


def test_history_shows_who_changed_what_and_no_secret(session: Client) -> None:
    feed = create_source(
        connector="business_central",
        config={"base_url": "https://old.example.com/api"},
        sealed_secrets=encrypt_secrets([SourceSecret(SECRET)]),
    )
    url = f"/sources/{feed.slug}"
    new_secret = "another-token-of-24-bytes-or-more"
    changes = {"base_url": "https://new.example.com/api", NEW_SECRET: new_secret}
    assert session.post(f"{url}/settings", changes).status_code == 302
    session.post(f"{url}/properties", {"title": "Main ERP", "enabled": "on"})
    page = text(session, "history", slug=feed.slug)
    assert "ines" in page
    assert "https://old.example.com/api → https://new.example.com/api" in page
    assert "WMS → Main ERP" in page
    assert new_secret not in page


def test_history_needs_the_right_to_change_the_source(erp: Source) -> None:
    client = signed_in(UserRole.OPERATIONS, "otto")
    assert client.get("/sources/erp?tab=history").status_code == 403
    assert "?tab=history" not in client.get("/sources/erp").content.decode()


def test_older_polls_are_on_further_pages(erp: Source, session: Client) -> None:
    at = database_now()
    PollRound.objects.bulk_create(
        [PollRound(source=erp, ended_at=at - timedelta(minutes=n)) for n in range(60)]
    )
    first = session.get("/sources/erp?tab=jobs")
    assert first.content.decode().count('<th scope="row">') == 50
    before = first.context["older"]
    second = session.get(f"/sources/erp?tab=jobs&before={before}")
    assert second.content.decode().count('<th scope="row">') == 10
    count = statements(session, "/sources/erp?tab=jobs")
    PollRound.objects.filter(source=erp).delete()
    assert statements(session, "/sources/erp?tab=jobs") == count
