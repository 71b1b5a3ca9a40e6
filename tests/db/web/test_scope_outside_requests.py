"""Scopes of people where no request of theirs runs: workers, sockets, and connections of others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from connectors.sdk.settings import ParsedSettings, Setting
from tests.builders.alerts import alert, order, source_alert
from tests.builders.listed_orders import read_csv_export
from tests.builders.live_client import LiveTestClient
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from visibility.alerts.queue_notifications import queue_notifications
from visibility.db.change_feed import append_changes
from visibility.db.data_scope import DataScope, limited_to
from visibility.db.database_time import database_now
from visibility.export.background_exports import write_background_exports
from visibility.models import (
    BackgroundExport,
    Notification,
    Order,
    PersonScope,
    Subscription,
    Team,
)
from visibility.notify import outbox
from visibility.notify.channel import Channel, OutgoingMessage
from visibility.web import background_exports as web_exports
from visibility.web.live import hub as hubs
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
INSIDE, OUTSIDE = "SO-INSIDE", "SO-OUTSIDE"
SCOPE = DataScope(1, channels=("b2b",))


class Recorder(Channel):
    """Records what is sent."""

    code = "email"
    title = "Recorder"
    settings = (Setting("address", "Where."),)

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, note: OutgoingMessage, values: ParsedSettings) -> None:
        self.texts.append(f"{note.subject} {note.text}")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    channel = Recorder()
    monkeypatch.setattr(outbox, "channel_registry", lambda: {"email": channel})
    return channel


@pytest.fixture
def orders(db: None) -> tuple[Order, Order]:
    return order(INSIDE, channel="b2b"), order(OUTSIDE, channel="web")


def limit(user: User, *channels: str) -> None:
    PersonScope.objects.update_or_create(
        user=user, defaults={"channels": [*channels], "changed_at": database_now()}
    )


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send_all() -> None:
    outbox.send_due_notifications(now=database_now() + timedelta(minutes=2))


@pytest.mark.parametrize("of_team", [False, True])
def test_a_subscription_tells_only_about_orders_inside(
    of_team: bool, orders: tuple[Order, Order], recorder: Recorder
) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    team = Team.objects.create(slug="dock", title="Dock") if of_team else None
    limit(user, "b2b")
    Subscription.objects.create(user=user, address="lim@example.invalid", team=team)
    silent = source_alert(create_source("wms"))
    queue_notifications([alert(of=orders[0]), alert(of=orders[1]), silent], "opened")
    send_all()
    assert [INSIDE in text for text in recorder.texts] == [True]
    assert OUTSIDE not in recorder.texts[0]
    assert "No data from" not in recorder.texts[0]


def test_what_waits_to_be_sent_is_checked_with_the_scope_of_that_time(
    orders: tuple[Order, Order], recorder: Recorder
) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    Subscription.objects.create(user=user, address="lim@example.invalid")
    queue_notifications([alert(of=orders[0]), alert(of=orders[1])], "opened")
    limit(user, "b2b")
    send_all()
    assert len(recorder.texts) == 1
    assert INSIDE in recorder.texts[0]
    assert OUTSIDE not in recorder.texts[0]
    states = dict(Notification.objects.values_list("alert__order__order__number", "state"))
    assert states == {INSIDE: "sent", OUTSIDE: "cancelled"}


def test_others_are_notified_of_what_a_person_with_a_scope_does(
    orders: tuple[Order, Order], recorder: Recorder
) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    limit(user, "b2b")
    boss = create_user(UserRole.OPERATIONS, "boss")
    Subscription.objects.create(user=boss, address="boss@example.invalid")
    own = alert(of=orders[0])
    answer = client_of(user).post(f"/alerts/{own.pk}/escalate", {"note": "line down"})
    assert answer.status_code in {200, 302}
    send_all()
    assert len(recorder.texts) == 1


def test_a_person_with_a_scope_sees_and_changes_only_own_subscriptions(
    orders: tuple[Order, Order],
) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    limit(user, "b2b")
    boss = create_user(UserRole.OPERATIONS, "boss")
    team = Team.objects.create(slug="dock", title="Dock")
    team.members.add(user, boss)
    other = Subscription.objects.create(user=boss, team=team, address="boss@example.invalid")
    client = client_of(user)
    assert "boss@example.invalid" not in client.get("/subscriptions").content.decode()
    assert client.get(f"/subscriptions/{other.pk}").status_code == 404
    assert client.post(f"/subscriptions/{other.pk}/save", {}).status_code == 404


def test_the_worker_writes_the_export_of_a_person_with_their_scope(
    orders: tuple[Order, Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_exports, "MAX_DIRECT_ROWS", 0)
    user = create_user(UserRole.OPERATIONS, "lim")
    client = client_of(user)
    # The scope is that of the time when the worker writes the file.
    assert client.get("/orders/export?format=csv").status_code == 302
    limit(user, "b2b")
    assert write_background_exports() == 1
    export = BackgroundExport.objects.get()
    assert export.state == "ready"
    _, rows = read_csv_export(client.get(f"/exports/{export.pk}/file"))
    assert [row["Order"] for row in rows] == [INSIDE]
    assert Order.objects.count() == 2


@pytest.fixture
def _fast_hub(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    # The pause between two checks, with the time that one takes, is below 5 seconds.
    assert hubs.AUTHORIZATION_SECONDS <= 3
    monkeypatch.setattr(hubs, "AUTHORIZATION_SECONDS", 0.05)
    monkeypatch.setattr(hubs, "POLL_SECONDS", 0.1)
    hubs.hub_of_this_process.cache_clear()


@pytest.mark.usefixtures("_fast_hub")
def test_the_socket_closes_when_the_scope_changes(orders: tuple[Order, Order]) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    page, other = client_of(user), signed_in(UserRole.OPERATIONS)
    admin = signed_in(UserRole.ADMIN)

    def change(channels: list[str]) -> None:
        body = {"channels": channels}
        answer = admin.patch(f"/api/v1/people/{user.pk}", body, "application/json")
        assert answer.status_code == 200

    async def run() -> None:
        unlimited = LiveTestClient(other)
        assert await unlimited.connect()
        for channels in (["b2b"], ["b2b", "web"], []):
            socket = LiveTestClient(page)
            assert await socket.connect()
            await sync_to_async(change)(channels)
            assert await socket.close_code() == 4401
        assert (await unlimited.receive())["type"] == "hello"
        await unlimited.disconnect()

    async_to_sync(run)()


@pytest.mark.usefixtures("_fast_hub")
def test_the_socket_of_a_person_with_a_scope_names_no_order(orders: tuple[Order, Order]) -> None:
    user = create_user(UserRole.OPERATIONS, "lim")
    limit(user, "b2b")
    page, other = client_of(user), signed_in(UserRole.OPERATIONS)

    async def run() -> None:
        limited, unlimited = LiveTestClient(page), LiveTestClient(other)
        assert await limited.connect()
        assert await unlimited.connect()
        await asyncio.sleep(0.2)
        await sync_to_async(append_changes)({"order": [orders[1].pk]})
        seen, complete = await limited.receive_change(), await unlimited.receive_change()
        assert complete["ids"] == {"order": [orders[1].pk]}
        assert (seen["kinds"], seen["ids"]) == (["order"], {})
        await limited.disconnect()
        await unlimited.disconnect()

    async_to_sync(run)()


def search_path(of: Any) -> str:
    return str(of.execute("SHOW search_path").fetchone()[0])


def test_a_connection_returns_to_the_pool_without_the_scope() -> None:
    first = connection.copy()
    first.connect()
    raw, default = first.connection, search_path(first.connection)
    with limited_to(SCOPE):
        first.cursor().execute("SELECT FROM visibility_order")
        assert search_path(raw) == "visibility_scoped"
        first.set_autocommit(False)
        first.cursor().execute("SELECT FROM visibility_order")
        first.close()
    assert raw.closed or search_path(raw) == default
    second = connection.copy()
    with second.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone()[0] == default
    second.close()


def test_a_role_without_rights_of_an_owner_reads_the_views(orders: tuple[Order, Order]) -> None:
    with limited_to(SCOPE), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE scope_reader")
        cursor.execute("GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO scope_reader")
        cursor.execute("SET LOCAL ROLE scope_reader")
        assert [row.number for row in Order.objects.all()] == [INSIDE]
        assert Order.objects.select_for_update().update(status="shipped") == 1
        cursor.execute("RESET ROLE")
    assert set(Order.objects.values_list("status", flat=True)) == {"shipped", "released"}


def test_statements_fail_if_the_scope_cannot_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    user = create_user(UserRole.CUSTOMER_SERVICE, "lim")
    limit(user, "b2b")
    order(OUTSIDE, channel="web")
    client = Client(raise_request_exception=False)
    client.force_login(user)
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA visibility_scoped RENAME TO absent")
    answer = client.get("/orders")
    assert answer.status_code >= 500
    assert OUTSIDE not in answer.content.decode()
