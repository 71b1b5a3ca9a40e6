"""Replay of parked messages: the effect before, the progress, and the result."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import order, statements
from tests.builders.cloudevents import cloudevent
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.models import (
    Event,
    Identifier,
    InboundMessage,
    MessageReplay,
    RefoldRequest,
    Source,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def integrator() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def session(integrator: Client) -> Client:
    """The integrator, signed in, in a client that checks CSRF tokens."""
    known = signed_in(UserRole.INTEGRATOR, "ines")
    integrator.force_login(User.objects.get(username="ines"))
    assert known.cookies
    return integrator


@pytest.fixture
def parked_messages() -> Source:
    """Four parked messages that can be read now, about one known order, and two torn ones."""
    source = create_source(config={"order_number": "sales_order@erp"})
    placed = order("SO-1")
    Identifier.objects.create(
        kind="order",
        scheme="sales_order",
        issuer="erp",
        value="SO-1",
        raw="SO-1",
        is_identity=True,
        object=placed.object,
    )
    for number in range(4):
        body = orjson.dumps(
            cloudevent("order.released", {"order": {"number": "SO-1"}}, event_id=f"e{number}")
        )
        message(source, state="parked", reason="mapping", detail="PRT_SHP", body=body)
    for _ in range(2):
        message(source, state="parked", reason="syntax", detail="torn", body=b'{"id": ')
    return source


def post(client: Client, url: str, values: dict[str, Any]) -> Any:
    """Post a form with the CSRF token of the page before it."""
    client.get("/messages/replay")
    token = client.cookies["csrftoken"].value
    return client.post(url, {**values, "csrfmiddlewaretoken": token}, follow=True)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_effect_is_shown_before_and_nothing_is_stored(
    session: Client, parked_messages: Source
) -> None:
    page = text(session.get("/messages/replay?source=wms"))
    assert "Replay 6 messages" in page
    assert "6 messages, 1 known order. Nothing has changed yet." in page
    assert "Would be parked again" in page
    assert "SO-1" in page
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"parked"}
    assert not Event.objects.exists()
    assert not RefoldRequest.objects.exists()
    assert not MessageReplay.objects.exists()


def test_result_says_what_was_applied_and_what_is_still_parked(
    session: Client, parked_messages: Source
) -> None:
    page = text(post(session, "/messages/replays", {"source": "wms"}))
    assert "Replay of 6 messages" in page
    assert "0 of 6 messages processed." in page
    assert "<progress" in page
    job_functions.process_messages_and_refold()
    replay = MessageReplay.objects.get()
    page = text(session.get(f"/messages/replays/{replay.pk}"))
    assert "4 applied, 2 parked again." in page
    assert "1 order affected" in page
    for query, count in (("state=applied", 4), ("state=parked&reason=syntax", 2)):
        listed = text(session.get(f"/messages?replay={replay.pk}&{query}"))
        assert listed.count("<tr data-id=") == count


def test_without_csrf_token_nothing_is_replayed(session: Client, parked_messages: Source) -> None:
    assert session.post("/messages/replays", {"source": "wms"}).status_code == 403
    assert not MessageReplay.objects.exists()


def test_causes_are_grouped_across_sources_and_link_to_exactly_their_messages(
    session: Client,
) -> None:
    for source in (create_source(), create_source("other")):
        for _ in range(2):
            message(source, state="parked", reason="schema", detail="sku: expected text")
    message(create_source("third"), state="parked", reason="schema", detail="")
    page = text(session.get("/sources"))
    query = "state=parked&amp;reason=schema&amp;detail=sku%3A+expected+text"
    assert f'href="/messages?{query}">4</a>' in page
    listed = text(session.get(f"/messages?{query.replace('&amp;', '&')}"))
    assert listed.count("<tr data-id=") == 4
    listed = text(session.get("/messages?state=parked&reason=schema&detail="))
    assert listed.count("<tr data-id=") == 1


def test_duplicates_of_a_polled_source_are_explained(session: Client) -> None:
    message(create_source("erp", connector="business_central"), repeats=7)
    message(create_source(), repeats=7)
    assert text(session.get("/sources")).count("re-read</span>") == 1
    assert "re-read by the poller, not counted twice" in text(session.get("/sources/erp"))
    assert "re-read by the poller" not in text(session.get("/sources/wms"))


def test_replay_pages_run_a_fixed_number_of_statements(
    session: Client, parked_messages: Source
) -> None:
    before = statements(session, "/messages/replay?source=wms")
    for _ in range(9):
        message(parked_messages, state="parked", reason="mapping", detail="PRT_SHP")
    assert statements(session, "/messages/replay?source=wms") == before <= 14


@pytest.fixture
def api() -> Callable[..., Any]:
    client = signed_in(UserRole.INTEGRATOR, "ines")

    def call(path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"/api/v1/messages/replays{path}"
        if body is None:
            return client.get(url)
        return client.post(url, orjson.dumps(body), content_type="application/json")

    return call


def test_replay_over_the_api(api: Callable[..., Any], parked_messages: Source) -> None:
    preview = api("/preview?source=wms").json()
    assert (preview["selected"], preview["readable"], preview["order_count"]) == (6, 4, 1)
    assert preview["still_parked"] == [{"reason": "syntax", "detail": "", "count": 2}]
    started = api("", {"source": "wms"})
    assert (started.status_code, started.json()["waiting"]) == (202, 6)
    job_functions.process_messages_and_refold()
    result = api(f"/{started.json()['id']}").json()
    assert (result["applied"], result["finished"], result["orders"]) == (4, True, 1)
    assert result["still_parked"] == [{"reason": "syntax", "detail": "", "count": 2}]
    assert api("", {"source": "nothing"}).status_code == 400
    assert api("", {"source": "wms", "reason": "schema"}).status_code == 409
    assert api("/999").status_code == 404
