"""Pages of sources and messages, and replay of parked messages."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from connectors import catalog
from connectors.sdk.payload import ParkReason
from tests.builders.alerts import order, statements
from tests.builders.sources import create_source, event, message
from tests.builders.users import signed_in
from visibility.boards.tiles.source_health import SourceHealthTile
from visibility.db.database_time import database_now
from visibility.models import (
    AuditEntry,
    BusinessObject,
    Identifier,
    InboundMessage,
    ObjectRelation,
    RejectedRequestCount,
    Source,
    SourceActivity,
)
from visibility.pipeline import job_functions
from visibility.screens.messages import message_queries, parked
from visibility.screens.sources import health
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nudges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the nudged jobs."""
    nudged: list[str] = []
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", nudged.append)
    return nudged


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def state_of(feed: Source) -> SourceState:
    """The state of a source on its page, which equals that on boards."""
    now = database_now()
    state = health.load_source_health_reports(now, [feed])[0].state
    chips = SourceHealthTile().load_context(now)["feeds"]
    assert [chip.state for chip in chips if chip.slug == feed.slug] == [state]
    return state


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.INTEGRATOR, UserRole.ADMIN])
def test_operations_integrator_and_admin_can_open_sources(role: UserRole) -> None:
    create_source()
    client = signed_in(role)
    for address in ("/sources", "/sources/wms", "/messages"):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("role", [UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE])
def test_other_roles_get_403(role: UserRole) -> None:
    feed = create_source()
    message_id = message(feed, state="parked", reason="schema")
    client = signed_in(role)
    for address in ("/sources", "/sources/wms", "/messages", f"/messages/{message_id}"):
        assert client.get(address).status_code == 403
    for address in (f"/messages/{message_id}/replay", "/messages/replays"):
        assert client.post(address).status_code == 403


def test_anonymous_user_is_redirected_to_sign_in() -> None:
    assert Client().get("/sources")["Location"] == "/signin?next=/sources"


def test_page_without_sources_explains_how_to_add_one(integrator: Client) -> None:
    page = text(integrator, "/sources")
    assert "No sources connected yet." in page
    assert page.count('href="/sources/new"') == 2


def test_each_source_state() -> None:
    now = database_now()
    live = create_source("live")
    message(live)
    silent = create_source("silent")
    message(silent, received_at=now - 2 * HOUR)
    failing = create_source("failing", poll_error="HTTP 500")
    message(failing)
    states = [
        state_of(feed)
        for feed in (
            live,
            silent,
            failing,
            create_source("new"),
            create_source("off", enabled=False),
        )
    ]
    assert states == [
        SourceState.LIVE,
        SourceState.SILENT,
        SourceState.FAILING,
        SourceState.WAITING,
        SourceState.PAUSED,
    ]


def test_source_without_schedule_is_always_live() -> None:
    feed = create_source(expect_every=None)
    message(feed, received_at=database_now() - 400 * HOUR)
    assert state_of(feed) == SourceState.LIVE


def test_source_of_which_all_messages_are_parked_is_not_live(integrator: Client) -> None:
    feed, now = create_source(), database_now()
    for minutes in (5, 4, 3):
        message(feed, state="parked", reason="schema", received_at=now - timedelta(minutes=minutes))
    assert state_of(feed) == SourceState.PARKED
    page = text(integrator, "/sources")
    assert "1 of 1 sources needs attention: WMS (all messages parked)" in page
    assert "none of its messages could be processed ever" in page
    # One message that is parked beside others that are applied is no such state.
    message(feed, received_at=now - timedelta(minutes=2))
    message(feed, state="parked", reason="schema", received_at=now - timedelta(minutes=1))
    assert state_of(feed) == SourceState.LIVE
    InboundMessage.objects.filter(state="applied").update(received_at=now - 2 * HOUR)
    assert state_of(feed) == SourceState.PARKED


def test_polled_source_without_news_is_live() -> None:
    now = database_now()
    feed = create_source(polled_until=now - timedelta(minutes=1))
    message(feed, received_at=now - 9 * HOUR)
    assert state_of(feed) == SourceState.LIVE


def test_source_catches_up_until_its_events_reach_the_end_of_its_outage(
    integrator: Client,
) -> None:
    feed, now = create_source(), database_now()
    message(feed, received_at=now - timedelta(minutes=1))
    activity = SourceActivity.objects.create(
        source=feed,
        last_received_at=now - timedelta(minutes=1),
        newest_event_at=now - 4 * HOUR,
        resumed_at=now - timedelta(minutes=10),
    )
    assert state_of(feed) == SourceState.CATCHING_UP
    assert "after sending no data: its newest event is of" in text(integrator, "/sources")
    activity.newest_event_at = now - timedelta(minutes=1)
    activity.save()
    assert state_of(feed) == SourceState.LIVE


def test_silent_event_type_is_shown(integrator: Client) -> None:
    feed, now = create_source(config={"silent_after.pack.completed": "2 h"}), database_now()
    message(feed)
    SourceActivity.objects.create(
        source=feed, event_type="pack.completed", last_received_at=now - 3 * HOUR
    )
    assert state_of(feed) == SourceState.SILENT
    assert "no pack.completed events for 3 h" in text(integrator, "/sources")


def test_source_with_rejected_requests_is_failing_with_reason(integrator: Client) -> None:
    feed, now = create_source(), database_now()
    message(feed)
    RejectedRequestCount.objects.create(slug="wms", status=401, hour=now, count=3, last_at=now)
    assert state_of(feed) == SourceState.FAILING
    assert "invalid signature" in text(integrator, "/sources")


@pytest.mark.parametrize("minutes_ago", [(40, 5), (5, 40)])
def test_latest_rejection_decides_whatever_its_status(minutes_ago: tuple[int, int]) -> None:
    feed, now = create_source(), database_now()
    message(feed, received_at=now - HOUR / 2)
    for status, minutes in zip((401, 413), minutes_ago, strict=True):
        RejectedRequestCount.objects.create(
            slug="wms", status=status, hour=now, last_at=now - timedelta(minutes=minutes)
        )
    assert state_of(feed) == SourceState.FAILING
    RejectedRequestCount.objects.update(last_at=now - 2 * HOUR)
    assert state_of(feed) == SourceState.LIVE


def test_worst_source_comes_first_and_is_named(integrator: Client) -> None:
    message(create_source("alpha"))
    create_source("zulu", poll_error="HTTP 500")
    page = text(integrator, "/sources")
    assert "1 of 2 sources needs attention: ZULU (failing)." in page
    assert page.index('href="/sources/zulu"') < page.index('href="/sources/alpha"')


def test_message_counts_delay_and_hourly_counts() -> None:
    feed, now = create_source(), database_now()
    shipped = BusinessObject.objects.create(kind="order")
    recent = message(feed, repeats=2)
    event(recent, feed, shipped)
    message(feed, received_at=now - 3 * HOUR)
    message(feed, received_at=now - 30 * HOUR)
    shown = health.load_source_health_reports(now, [feed])[0]
    assert (shown.last_hour, shown.last_day, shown.duplicates) == (1, 2, 2)
    assert (shown.hours[23], shown.hours[20], sum(shown.hours)) == (1, 1, 2)
    assert shown.delay is None  # before the source was created: imported history
    Source.objects.update(created_at=now - timedelta(days=2))
    assert health.load_source_health_reports(now, [feed])[0].delay == timedelta(minutes=10)


def test_every_accepted_message_has_one_outcome() -> None:
    feed, other = create_source(), create_source("other")
    message(feed, repeats=3)
    message(feed, state="parked", reason="schema")
    message(feed, state="waiting")
    message(other)
    balance = health.count_message_outcomes(feed)
    assert (balance.applied, balance.parked, balance.waiting, balance.duplicate) == (1, 1, 1, 3)
    assert balance.accepted == 6


def test_sources_page_statement_count_does_not_grow(integrator: Client) -> None:
    for index in range(3):
        message(create_source(f"feed-{index}"), state="parked", reason="schema", detail=str(index))
    few = statements(integrator, "/sources")
    for index in range(3, 12):
        message(create_source(f"feed-{index}"), state="parked", reason="schema", detail=str(index))
    # Two are for the orders affected by each cause and for the latest replays; five for the tools
    # of the list.
    assert statements(integrator, "/sources") == few <= 30


def test_message_list_statement_count_does_not_grow(integrator: Client) -> None:
    feed = create_source()
    message(feed)
    few = statements(integrator, "/messages")
    for _ in range(20):
        message(feed)
    # Three are for the columns, saved views and teams, two for the count and the types of events.
    assert statements(integrator, "/messages") == few <= 13


@pytest.mark.parametrize("address", ["/sources", "/sources/wms?tab=messages", "/messages"])
def test_html_in_data_is_escaped(integrator: Client, address: str) -> None:
    feed = create_source(
        title=HOSTILE, poll_error=HOSTILE, owner=HOSTILE, config={HOSTILE: HOSTILE}
    )
    message(feed, state="parked", reason="mapping", detail=HOSTILE, key=HOSTILE)
    for page_url in (
        address,
        "/sources/wms",
        "/sources/wms?tab=parked",
        "/sources/wms?tab=settings",
    ):
        assert HOSTILE not in text(integrator, page_url)
    assert "&lt;script&gt;" in text(integrator, address)


def test_message_page_shows_result_events_and_orders(integrator: Client) -> None:
    feed, placed = create_source(), order("SO-4711")
    message_id = message(feed, repeats=2)
    event(message_id, feed, placed.object)
    page = text(integrator, f"/messages/{message_id}")
    for expected in ("Created 1 event.", "order.received", "orders/create", "SO-4711", "85 ms"):
        assert expected in page


def test_affected_orders_include_parents_and_merge_targets(integrator: Client) -> None:
    feed, placed = create_source(), order("SO-4711")
    old = BusinessObject.objects.create(kind="order", merged_into=placed.object)
    parcel = BusinessObject.objects.create(kind="package")
    ObjectRelation.objects.create(parent=old, child=parcel, event_id=1)
    message_id = message(feed)
    event(message_id, feed, parcel, type="shipment.delivered")
    assert "SO-4711" in text(integrator, f"/messages/{message_id}")


@pytest.mark.parametrize("number", [1, 10**30])
def test_unknown_message_and_source_are_404(integrator: Client, number: int) -> None:
    assert integrator.get(f"/messages/{number}").status_code == 404
    assert integrator.post(f"/messages/{number}/replay").status_code == 404
    assert integrator.get("/sources/nothing").status_code == 404


def test_payload_is_shown_on_request_and_audited(integrator: Client) -> None:
    message_id = message(create_source(), body=f'{{"name": "{HOSTILE}", "qty": 1.10}}'.encode())
    assert "&quot;qty&quot;" not in text(integrator, f"/messages/{message_id}")
    assert not AuditEntry.objects.exists()
    page = text(integrator, f"/messages/{message_id}?body=1")
    assert HOSTILE not in page
    assert "1.10" in page
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object) == ("message.read", f"message {message_id}")
    assert entry.user is not None
    assert entry.user.username == "ines"


def test_binary_payload_is_shown(integrator: Client) -> None:
    message_id = message(create_source(), body=b"\xff\xfe\x00[" + b"[" * 5000)
    assert text(integrator, f"/messages/{message_id}?body=1")


def test_operations_see_result_but_not_payload() -> None:
    message_id = message(create_source(), body=b"secret content")
    client = signed_in(UserRole.OPERATIONS)
    assert "You do not have permission to view payloads." in text(client, f"/messages/{message_id}")
    assert client.get(f"/messages/{message_id}?body=1").status_code == 403
    assert [entry.action for entry in AuditEntry.objects.all()] == ["denied"]


def test_signature_and_authorization_headers_are_hidden(integrator: Client) -> None:
    headers = {"x-shopify-hmac-sha256": "abcdef", "authorization": "Bearer x1", "x-topic": "orders"}
    message_id = message(create_source(), headers=headers)
    page = text(integrator, f"/messages/{message_id}")
    assert "abcdef" not in page
    assert "Bearer x1" not in page
    assert "orders" in page


def test_secrets_are_never_shown(integrator: Client) -> None:
    create_source(
        sealed_secrets="gAAAAABsealed", config={"api_token": "t0ps3cret", "site": "Dallas"}
    )
    page = text(integrator, "/sources/wms?tab=settings")
    assert "Secret set. Settings last changed" in page
    assert "/hooks/wms" in page
    assert "Dallas" in page
    assert "t0ps3cret" not in page
    assert "gAAAAAB" not in page
    assert signed_in(UserRole.OPERATIONS).get("/sources/wms?tab=settings").status_code == 403


def test_invalid_stored_settings_are_shown_and_break_no_page(integrator: Client) -> None:
    create_source("legacy", connector="shiphero", config={"zone": "Texas"}, role="boss")
    create_source("orphan", connector="removed")
    page = text(integrator, "/sources/legacy")
    assert "is not an IANA time zone" in page
    assert "is not a role; the source counts as other" in page
    assert "There is no connector" in text(integrator, "/sources/orphan")
    assert "LEGACY" in text(integrator, "/sources")
    assert "Invalid settings" not in text(
        integrator, f"/sources/{create_source('fine', connector='ocel').slug}"
    )


def test_broken_manifests_are_shown_on_the_list_of_sources(
    integrator: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Invalid connector manifests" not in text(integrator, "/sources")
    (tmp_path / "desk.yaml").write_text(f"connector: desk\ntitle: {HOSTILE}\nrole: boss\n")
    monkeypatch.setattr(catalog, "_own", {})
    monkeypatch.setattr(catalog, "_refreshed_at", {})
    catalog.use_own_manifests(tmp_path, list)
    page = text(integrator, "/sources")
    assert "Invalid connector manifests" in page
    assert "desk.yaml:3" in page
    assert "is not one of shop" in page
    assert HOSTILE not in page


def test_parked_messages_are_grouped_by_cause_with_remedy(integrator: Client) -> None:
    feed = create_source()
    for _ in range(3):
        message(feed, state="parked", reason="mapping", detail="status: PRT_SHP is unknown")
    message(feed, state="parked", reason="schema", detail="sku: expected text, got nothing")
    groups = parked.group_parked_messages_by_cause(feed.id)
    assert [(group.reason, group.count) for group in groups] == [("mapping", 3), ("schema", 1)]
    page = text(integrator, "/sources/wms?tab=parked")
    assert "A value is not mapped" in page
    assert "PRT_SHP" in page


def test_every_parking_reason_has_a_text() -> None:
    assert set(parked.EXPLANATIONS) == set(ParkReason)
    assert (
        parked.cause_and_remedy_of_park_reason("something new")[0]
        == "The message could not be processed"
    )


def test_replay_of_one_parked_message(integrator: Client, nudges: list[str]) -> None:
    message_id = message(create_source(), state="parked", reason="mapping")
    answer = integrator.post(f"/messages/{message_id}/replay", follow=True)
    assert "Replay of 1 message" in answer.content.decode()
    assert InboundMessage.objects.get(id=message_id).state == "waiting"
    assert nudges == ["process"]
    assert AuditEntry.objects.get().action == "message.replay"


def test_replay_of_message_that_is_not_parked_changes_nothing(integrator: Client) -> None:
    message_id = message(create_source())
    answer = integrator.post(f"/messages/{message_id}/replay", follow=True)
    assert "Nothing to replay" in answer.content.decode()
    assert InboundMessage.objects.get(id=message_id).state == "applied"


def test_replay_of_one_cause_leaves_others_parked(integrator: Client) -> None:
    feed, other = create_source(), create_source("other")
    cause: dict[str, Any] = {"state": "parked", "reason": "mapping", "detail": "PRT_SHP"}
    mine = [message(feed, **cause) for _ in range(2)]
    stay = [
        message(feed, **cause | {"detail": "CNCLD"}),
        message(feed, **cause | {"reason": "schema"}),
        message(other, **cause),
    ]
    selected = {"source": "wms", "reason": "mapping", "detail": "PRT_SHP"}
    integrator.post("/messages/replays", selected)
    states = dict(InboundMessage.objects.values_list("id", "state"))
    assert {states[message_id] for message_id in mine} == {"waiting"}
    assert {states[message_id] for message_id in stay} == {"parked"}


def test_operations_see_parked_messages_but_cannot_replay() -> None:
    message_id = message(create_source(), state="parked", reason="mapping")
    client = signed_in(UserRole.OPERATIONS)
    assert "/replay" not in text(client, "/sources/wms?tab=parked")
    assert client.post(f"/messages/{message_id}/replay").status_code == 403
    assert client.post("/messages/replays", {"source": "wms"}).status_code == 403
    assert client.get("/messages/replay?source=wms").status_code == 403
    assert InboundMessage.objects.get(id=message_id).state == "parked"


def test_replay_requires_post(integrator: Client) -> None:
    message_id = message(create_source(), state="parked", reason="mapping")
    assert integrator.get(f"/messages/{message_id}/replay").status_code == 405
    assert integrator.get("/messages/replays").status_code == 405


def test_message_search_by_any_number(integrator: Client) -> None:
    feed, placed = create_source(), order("SO-4711")
    message_id = message(feed, key="evt_one")
    event(message_id, feed, placed.object)
    other = message(feed, key="evt_two")
    Identifier.objects.create(
        kind="order",
        scheme="sales_order",
        issuer="erp",
        value="SO-4711",
        raw="SO-4711",
        is_identity=True,
        object=placed.object,
    )
    for number in ("so-4711", "evt_one", str(message_id)):
        page = text(integrator, f"/messages?q={number}")
        assert f'href="/messages/{message_id}"' in page
        assert f'href="/messages/{other}"' not in page
    assert "No messages found" in text(integrator, "/messages?q=nothing")


def test_messages_are_filtered_by_source_and_state(integrator: Client) -> None:
    message_id = message(create_source(), state="parked", reason="schema")
    other = message(create_source("other"))
    page = text(integrator, "/messages?source=other&state=applied")
    assert f'href="/messages/{other}"' in page
    assert f'href="/messages/{message_id}"' not in page


@pytest.mark.parametrize("by", ["", "?source=wms", "?source=wms&tab=messages"])
def test_message_pages_have_no_gaps_or_duplicates(integrator: Client, by: str) -> None:
    feed = create_source()
    for _ in range(message_queries.PAGE_SIZE + 3):
        message(feed)
    chosen = feed.id if by else None
    first = message_queries.list_messages(source_id=chosen)
    second = message_queries.list_messages(
        source_id=chosen, after=first[message_queries.PAGE_SIZE - 1].cursor
    )
    seen = [row.id for row in [*first[: message_queries.PAGE_SIZE], *second]]
    assert len(seen) == len(set(seen)) == message_queries.PAGE_SIZE + 3
    assert "Next page" in text(integrator, f"/messages{by}")


@pytest.mark.parametrize(
    "address",
    [
        "/messages?q=%00&source=%00&state=%00&after=%00",
        "/messages?after=x~y&state=nothing&source=nothing",
        "/messages?q=" + "9" * 300,
        "/sources/wms?tab=nothing&after=~",
    ],
)
def test_invalid_query_parameters_are_ignored(integrator: Client, address: str) -> None:
    message(create_source())
    assert integrator.get(address).status_code == 200


def test_other_version_of_message_is_linked(integrator: Client) -> None:
    feed = create_source()
    message_id = message(feed, key="same")
    other = message(feed, key="same", state="parked", reason="conflict")
    assert f'href="/messages/{other}"' in text(integrator, f"/messages/{message_id}")


def test_open_message_list_is_updated_in_place(integrator: Client) -> None:
    feed = create_source()
    page = text(integrator, "/sources/wms?tab=messages")
    assert "data-live-keep" not in page
    row = message(feed)
    page = text(integrator, "/sources/wms?tab=messages")
    assert 'data-live-list="messages" data-live-keep' in page
    assert f'<tr data-id="{row}"' in page
    assert 'id="source-messages-new" hidden' in page
