"""The live socket: authorization, messages, limits on what pages send."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from tests.builders.live_client import HOST, LiveTestClient
from tests.builders.users import create_user, signed_in
from visibility.db.change_feed import append_changes
from visibility.models import Change, ChangeHead
from visibility.notify.publish_change_number import broadcast_change_number, broadcaster
from visibility.web.live import hub as hubs
from visibility.web.live.hub import Subscriber, encode_message, hub_of_this_process
from visibility.web.live.origin import is_same_origin
from visibility.web.live.ready_frames import ReadyFrameWriter
from visibility.web.people.session_access import SessionAccess
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fast_hub(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Give each test its own hub and broadcaster, with short intervals."""
    settings.ALLOWED_HOSTS = ["testserver"]
    # The test runs in one transaction, so its connection must stay open between two queries.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    hub_of_this_process.cache_clear()
    broadcaster.cache_clear()
    monkeypatch.setattr(hubs, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(hubs, "AUTHORIZATION_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "MIN_PAUSE_SECONDS", 0.05)


def run_connected(client: Client, then: Callable[[LiveTestClient], Awaitable[None]]) -> None:
    """Connect, receive the hello, run `then`, disconnect."""

    async def run() -> None:
        page = LiveTestClient(client)
        assert await page.connect()
        assert (await page.receive())["type"] == "hello"
        await then(page)
        await page.disconnect()

    async_to_sync(run)()


def refused(page: LiveTestClient) -> bool:
    async def run() -> bool:
        return not await page.connect()

    return async_to_sync(run)()


@pytest.mark.parametrize("role", list(UserRole))
def test_every_role_may_connect(role: UserRole) -> None:
    async def then(page: LiveTestClient) -> None:
        head = await sync_to_async(append_changes)({"order": [1]})
        assert (await page.receive_change())["head"] == head

    run_connected(signed_in(role), then)


def test_anonymous_users_users_without_a_role_and_inactive_users_are_refused() -> None:
    assert refused(LiveTestClient(None))
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert refused(LiveTestClient(client))
    client = signed_in(UserRole.ADMIN, "gone")
    User.objects.update(is_active=False)
    assert refused(LiveTestClient(client))


@pytest.mark.parametrize(
    "headers",
    [
        (HOST,),
        (HOST, (b"origin", b"null")),
        (HOST, (b"origin", b"http://evil.example")),
        (HOST, (b"origin", b"http://testserver.evil.example")),
        (HOST, (b"origin", b"http://testserver:8001")),
        (HOST, (b"origin", b"http://[::1")),
        (HOST, (b"origin", b"\xff\xfe")),
        ((b"host", b"evil.example"), (b"origin", b"http://evil.example")),
    ],
)
def test_pages_of_other_hosts_are_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert refused(LiveTestClient(signed_in(UserRole.ADMIN), *headers))


def test_unknown_socket_paths_are_refused() -> None:
    assert refused(LiveTestClient(signed_in(UserRole.ADMIN), path="/ws/other"))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"https://testserver", b"testserver"),
        (b"https://testserver", b"testserver:443"),
        (b"http://TestServer:80", b"testserver"),
        (b"http://testserver:8123", b"testserver:8123"),
    ],
)
def test_same_origin_is_recognized_with_and_without_default_port(
    origin: bytes, host: bytes
) -> None:
    assert is_same_origin({b"origin": origin, b"host": host})


def test_change_message_has_number_kinds_and_ids() -> None:
    async def then(page: LiveTestClient) -> None:
        head = await sync_to_async(append_changes)({"order": [7, 5], "alert": [3], "source": [1]})
        message = await page.receive_change()
        assert message == {
            "type": "change",
            "head": head,
            "kinds": ["alert", "order", "source"],
            "ids": {"alert": [3], "order": [5, 7]},
        }

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_published_change_wakes_the_hub_before_its_next_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "POLL_SECONDS", 60)

    async def then(page: LiveTestClient) -> None:
        await asyncio.sleep(0.3)  # until the hub has subscribed
        head = await sync_to_async(append_changes)({"order": [1]})
        await sync_to_async(broadcast_change_number)(head, ["order"])
        assert (await page.receive_change())["head"] == head

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_changes_arrive_without_redis(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def then(page: LiveTestClient) -> None:
        head = await sync_to_async(append_changes)({"order": [1]})
        assert (await page.receive_change())["head"] == head

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_many_changes_are_coalesced_into_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MIN_PAUSE_SECONDS", 0.25)

    async def then(page: LiveTestClient) -> None:
        many, head, received = 60, 0, 0
        for n in range(many):
            head = await sync_to_async(append_changes)({"order": [n]})
            await asyncio.sleep(0.01)
        while (await page.receive_change())["head"] < head:
            received += 1
        assert received < 6

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_pause_is_twice_the_broadcast_duration_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hubs, "MIN_PAUSE_SECONDS", 0.05)
    assert [hubs.pause_seconds_after_broadcast(duration) for duration in (0.001, 0.04, 1)] == [
        0.05,
        0.08,
        0.25,
    ]


def test_change_of_many_rows_omits_their_ids() -> None:
    async def then(page: LiveTestClient) -> None:
        await sync_to_async(append_changes)({"order": list(range(1, 150))})
        assert (await page.receive_change())["ids"] == {}

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_heartbeat_has_the_change_number() -> None:
    async def then(page: LiveTestClient) -> None:
        head = await sync_to_async(append_changes)({"order": [1]})
        await page.receive_change()
        assert await page.receive() == {"type": "heartbeat", "head": head}

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_restored_database_is_reported_as_a_change_of_everything() -> None:
    append_changes({"order": [1], "alert": [1]})

    async def then(page: LiveTestClient) -> None:
        await sync_to_async(ChangeHead.objects.update)(number=0)
        await sync_to_async(Change.objects.all().delete)()
        message = await page.receive_change()
        assert (message["head"], message["kinds"]) == (0, ["alert", "export", "order", "source"])

    run_connected(signed_in(UserRole.OPERATIONS), then)


def _sign_out(user: User) -> None:
    Session.objects.all().delete()


def _deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _remove_role(user: User) -> None:
    user.groups.clear()


def _change_password(user: User) -> None:
    user.set_password("a different password")
    user.save(update_fields=["password"])


@pytest.mark.parametrize("revoke", [_sign_out, _deactivate, _remove_role, _change_password])
def test_open_socket_closes_when_its_user_is_no_longer_authorized(
    revoke: Callable[[User], None],
) -> None:
    user = create_user(UserRole.OPERATIONS)
    client = Client()
    client.force_login(user)

    async def run() -> None:
        page = LiveTestClient(client)
        assert await page.connect()
        await sync_to_async(revoke)(user)
        assert await page.close_code() == 4401

    async_to_sync(run)()


@pytest.mark.parametrize(
    ("sent", "code"),
    [(["x" * 70_000], 1009), (["é" * 40_000], 1009), (["x"] * 40, 1008)],
)
def test_oversized_and_too_frequent_frames_close_the_socket(sent: list[str], code: int) -> None:
    async def then(page: LiveTestClient) -> None:
        for frame in sent:
            await page.send(text=frame)
        assert await page.close_code() == code

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_occasional_frames_from_a_page_are_ignored() -> None:
    async def then(page: LiveTestClient) -> None:
        await page.send(text="ping")
        await page.send(bytes=b"\x00\xff")
        assert (await page.receive())["type"] == "heartbeat"

    run_connected(signed_in(UserRole.OPERATIONS), then)


def test_full_queue_becomes_one_message_that_everything_may_have_changed() -> None:
    async def run() -> None:
        subscriber = Subscriber(SessionAccess(user_id=1, session_key="s", auth_hash="h"))
        for n in range(100):
            subscriber.enqueue_message_or_replace_full_queue(
                encode_message("change", n, kinds=["order"]), n
            )
        assert subscriber.queue.qsize() <= hubs.MAX_QUEUED
        first = subscriber.queue.get_nowait()
        assert first is not None
        assert json.loads(first)["kinds"] == ["alert", "export", "order", "source"]

    async_to_sync(run)()


class FakeWriter(ReadyFrameWriter):
    """A socket whose buffer has room or not."""

    def __init__(self) -> None:
        self.is_writable, self.written = True, list[bytes]()

    def write(self, frame: bytes) -> bool:
        self.written += [frame] if self.is_writable else []
        return self.is_writable


def test_message_that_cannot_be_written_at_once_is_queued_and_none_overtakes_it() -> None:
    async def run() -> None:
        writer = FakeWriter()
        subscriber = Subscriber(
            SessionAccess(user_id=1, session_key="s", auth_hash="h"), writer=writer
        )
        subscriber.send_frame_or_enqueue(b"1", "one", 1)
        writer.is_writable = False
        subscriber.send_frame_or_enqueue(b"2", "two", 2)
        writer.is_writable = True
        subscriber.send_frame_or_enqueue(b"3", "three", 3)
        assert (writer.written, subscriber.queue.qsize()) == ([b"1"], 2)
        assert [subscriber.queue.get_nowait() for _ in range(2)] == ["two", "three"]
        subscriber.is_sending = True
        subscriber.send_frame_or_enqueue(b"4", "four", 4)
        assert (writer.written, subscriber.queue.get_nowait()) == ([b"1"], "four")
        subscriber.is_sending = False
        subscriber.send_frame_or_enqueue(b"5", "five", 5)
        assert writer.written == [b"1", b"5"]

    async_to_sync(run)()


def test_sockets_per_session_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MAX_SOCKETS", 1)
    client = signed_in(UserRole.OPERATIONS)

    async def then(page: LiveTestClient) -> None:
        second = LiveTestClient(client)
        assert not await second.connect()

    run_connected(client, then)


def test_hub_stops_after_the_last_socket_closes() -> None:
    async def nothing(page: LiveTestClient) -> None:
        assert hub_of_this_process().tasks

    run_connected(signed_in(UserRole.OPERATIONS), nothing)
    assert not hub_of_this_process().tasks
    assert not hub_of_this_process().subscribers


def test_group_that_is_no_role_grants_no_access() -> None:
    user = User.objects.create_user("guest")
    user.groups.add(Group.objects.create(name="guests"))
    client = Client()
    client.force_login(user)
    assert refused(LiveTestClient(client))
