"""The live socket: who may listen, what is told, what is done with what pages send."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from tests.web.alert_cast import person, signed_in
from tests.web.live_page import HOST, Page
from visibility.db.change_feed import change
from visibility.models import Change, ChangeHead
from visibility.notify.broadcast import announce, doorbell
from visibility.web.live import hub as hubs
from visibility.web.live.consumer import own_page
from visibility.web.live.hub import Ear, hub, message
from visibility.web.permissions import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A hub and a doorbell of this test's own, that do not wait as long."""
    settings.ALLOWED_HOSTS = ["testserver"]
    # The test's transaction is the connection: it must not be given back between two questions.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    hub.cache_clear()
    doorbell.cache_clear()
    for name, seconds in (("BEAT", 0.3), ("CHECK", 0.1), ("POLL", 0.1), ("PAUSE", 0.05)):
        monkeypatch.setattr(hubs, f"{name}_SECONDS", seconds)


def listening(client: Client, then: Callable[[Page], Awaitable[None]]) -> None:
    """Connect, take the hello, go on, hang up."""

    async def run() -> None:
        one = Page(client)
        assert await one.connect()
        assert (await one.told())["type"] == "hello"
        await then(one)
        await one.hang_up()

    async_to_sync(run)()


def refused(one: Page) -> bool:
    async def run() -> bool:
        return not await one.connect()

    return async_to_sync(run)()


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_listen(role: Role) -> None:
    async def nothing(one: Page) -> None:
        pass

    listening(signed_in(role), nothing)


def test_strangers_people_without_a_role_and_closed_accounts_are_refused() -> None:
    assert refused(Page(None))
    client = Client()
    client.force_login(User.objects.create_user("new"))
    assert refused(Page(client))
    client = signed_in(Role.ADMIN, "gone")
    User.objects.update(is_active=False)
    assert refused(Page(client))


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
    assert refused(Page(signed_in(Role.ADMIN), *headers))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"https://testserver", b"testserver"),
        (b"https://testserver", b"testserver:443"),
        (b"http://TestServer:80", b"testserver"),
        (b"http://testserver:8123", b"testserver:8123"),
    ],
)
def test_own_pages_are_known_whatever_the_port_is_called(origin: bytes, host: bytes) -> None:
    assert own_page({b"origin": origin, b"host": host})


def test_a_change_is_told_with_its_number_kinds_and_ids() -> None:
    async def then(one: Page) -> None:
        head = await sync_to_async(change)({"order": [7, 5], "alert": [3], "source": [1]})
        said = await one.told_of_change()
        assert said == {
            "type": "change",
            "head": head,
            "kinds": ["alert", "order", "source"],
            "ids": {"alert": [3], "order": [5, 7]},
        }

    listening(signed_in(Role.OPERATIONS), then)


def test_the_doorbell_makes_it_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "POLL_SECONDS", 60)

    async def then(one: Page) -> None:
        await asyncio.sleep(0.3)  # the subscription needs a moment
        head = await sync_to_async(change)({"order": [1]})
        await sync_to_async(announce)(head, ["order"])
        assert (await one.told_of_change())["head"] == head

    listening(signed_in(Role.OPERATIONS), then)


def test_without_redis_it_is_told_all_the_same(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def then(one: Page) -> None:
        head = await sync_to_async(change)({"order": [1]})
        assert (await one.told_of_change())["head"] == head

    listening(signed_in(Role.OPERATIONS), then)


def test_many_changes_at_once_are_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "PAUSE_SECONDS", 0.25)

    async def then(one: Page) -> None:
        many, head, heard = 60, 0, 0
        for n in range(many):
            head = await sync_to_async(change)({"order": [n]})
            await asyncio.sleep(0.01)
        while (await one.told_of_change())["head"] < head:
            heard += 1
        assert heard < 6

    listening(signed_in(Role.OPERATIONS), then)


def test_the_more_telling_takes_the_longer_it_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "PAUSE_SECONDS", 0.05)
    assert [hubs.pause(took) for took in (0.001, 0.04, 1)] == [0.05, 0.08, 0.25]


def test_a_change_of_many_rows_is_told_without_their_ids() -> None:
    async def then(one: Page) -> None:
        await sync_to_async(change)({"order": list(range(1, 150))})
        assert (await one.told_of_change())["ids"] == {}

    listening(signed_in(Role.OPERATIONS), then)


def test_the_heartbeat_carries_the_head() -> None:
    async def then(one: Page) -> None:
        head = await sync_to_async(change)({"order": [1]})
        await one.told_of_change()
        assert await one.told() == {"type": "beat", "head": head}

    listening(signed_in(Role.OPERATIONS), then)


def test_a_restored_database_makes_everything_change() -> None:
    change({"order": [1], "alert": [1]})

    async def then(one: Page) -> None:
        await sync_to_async(ChangeHead.objects.update)(number=0)
        await sync_to_async(Change.objects.all().delete)()
        said = await one.told_of_change()
        assert (said["head"], said["kinds"]) == (0, ["alert", "order", "source"])

    listening(signed_in(Role.OPERATIONS), then)


def _sign_out(user: User) -> None:
    Session.objects.all().delete()


def _close(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _take_role(user: User) -> None:
    user.groups.clear()


def _change_password(user: User) -> None:
    user.set_password("another one altogether")
    user.save(update_fields=["password"])


@pytest.mark.parametrize("happens", [_sign_out, _close, _take_role, _change_password])
def test_an_open_socket_closes_once_its_person_may_no_longer_listen(
    happens: Callable[[User], None],
) -> None:
    user = person(Role.OPERATIONS)
    client = Client()
    client.force_login(user)

    async def run() -> None:
        one = Page(client)
        assert await one.connect()
        await sync_to_async(happens)(user)
        assert await one.closed() == 4401

    async_to_sync(run)()


@pytest.mark.parametrize(
    ("sent", "code"),
    [(["x" * 70_000], 1009), (["é" * 40_000], 1009), (["x"] * 40, 1008)],
)
def test_what_is_too_much_closes_the_socket(sent: list[str], code: int) -> None:
    async def then(one: Page) -> None:
        for frame in sent:
            await one.send(text=frame)
        assert await one.closed() == code

    listening(signed_in(Role.OPERATIONS), then)


def test_a_page_that_pings_now_and_then_is_left_alone() -> None:
    async def then(one: Page) -> None:
        await one.send(text="ping")
        await one.send(bytes=b"\x00\xff")
        assert (await one.told())["type"] == "beat"

    listening(signed_in(Role.OPERATIONS), then)


def test_a_slow_socket_is_told_once_that_everything_may_have_changed() -> None:
    async def run() -> None:
        ear = Ear(user=1, session="s", auth_hash="h")
        for n in range(100):
            ear.tell(message("change", n, kinds=["order"]), n)
        assert ear.queue.qsize() <= hubs.MAX_WAITING
        first = ear.queue.get_nowait()
        assert first is not None
        assert json.loads(first)["kinds"] == ["alert", "order", "source"]

    async_to_sync(run)()


def test_a_session_has_only_so_many_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MAX_SOCKETS", 1)
    client = signed_in(Role.OPERATIONS)

    async def then(one: Page) -> None:
        another = Page(client)
        assert not await another.connect()

    listening(client, then)


def test_the_hub_rests_when_nobody_listens() -> None:
    async def nothing(one: Page) -> None:
        assert hub().tasks

    listening(signed_in(Role.OPERATIONS), nothing)
    assert not hub().tasks
    assert not hub().ears


def test_groups_of_other_names_are_no_role() -> None:
    user = User.objects.create_user("guest")
    user.groups.add(Group.objects.create(name="guests"))
    client = Client()
    client.force_login(user)
    assert refused(Page(client))
