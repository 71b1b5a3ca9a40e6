"""A token or session that ends while a file is sent, over real HTTP with the product's server."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from pytest_django import Settings

from tests.builders.users import create_user
from tests.builders.uvicorn_server import serve
from tests.db.web.api.test_api_tokens import new_token, with_token
from visibility.db.database_time import database_now
from visibility.launcher.process_plan import web_command
from visibility.models import ApiToken, BackgroundExport, BackgroundExportChunk
from visibility.web.permissions import Permission, UserRole
from visibility.web.revocable_streams import CHUNKS_BETWEEN_CHECKS
from visibility.web.send_files import BLOCK_SIZE

pytestmark = pytest.mark.django_db
WEB_COMMAND = web_command("127.0.0.1", 0)
HTTP_OPTION = WEB_COMMAND[WEB_COMMAND.index("--http") + 1]
FILE_CHUNKS, MIB = 16, 1_048_576
# What both ends of a connection on one machine buffer.
BUFFERED = 6 * MIB
EXPORT, MASTER = "/api/v1/exports/{}/file", "/api/v1/master/item/export"


@pytest.fixture(autouse=True)
def _connection_stays_open(settings: Settings) -> Iterator[None]:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
    # The test runs in one transaction, so its connection stays open between two requests.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def large_export(owner_id: int) -> BackgroundExport:
    now = database_now()
    export = BackgroundExport.objects.create(
        list="orders",
        query="",
        columns=["number"],
        owner_id=owner_id,
        permissions=["export", "orders"],
        state="ready",
        requested_at=now,
        expires_at=now + timedelta(days=1),
        size=FILE_CHUNKS * MIB,
    )
    for number in range(FILE_CHUNKS):
        BackgroundExportChunk.objects.create(export=export, number=number, data=b"x" * MIB)
    return export


def large_table(*_: object) -> Iterator[bytes]:
    for _number in range(FILE_CHUNKS * MIB // BLOCK_SIZE):
        yield b"x" * BLOCK_SIZE


async def receive(path: str, header: str, port: int, in_the_middle: Callable[[], None]) -> bytes:
    """Send a request, read a part of the answer, act, and read what else comes."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n"
        writer.write(head.encode())
        received = bytearray(await asyncio.wait_for(reader.readexactly(MIB), 20))
        await sync_to_async(in_the_middle)()
        async with asyncio.timeout(20):
            while piece := await reader.read(MIB):
                received += piece
                if received.endswith(b"0\r\n\r\n") or len(received) > FILE_CHUNKS * MIB:
                    break
        writer.close()
    return bytes(received)


def transfer_twice(path: str, header: str, in_the_middle: Callable[[], None]) -> list[bytes]:
    """Receive a file to its end, and once more, acting in the middle."""
    answers = []

    async def then(port: int) -> None:
        answers.append(await receive(path, header, port, lambda: None))
        answers.append(await receive(path, header, port, in_the_middle))

    serve(get_asgi_application(), then, http=HTTP_OPTION)
    return answers


def assert_incomplete(complete: bytes, broken: bytes) -> None:
    assert complete.startswith(b"HTTP/1.1 200 ")
    assert complete.count(b"x" * 1024) * 1024 >= (FILE_CHUNKS - 1) * MIB
    assert broken.startswith(b"HTTP/1.1 200 ")
    assert not broken.endswith(b"0\r\n\r\n")
    assert len(broken) <= MIB + BUFFERED + (CHUNKS_BETWEEN_CHECKS + 1) * BLOCK_SIZE


@pytest.mark.parametrize("kind", ["background export", "table of unknown length"])
def test_the_transfer_ends_incomplete_after_the_token_is_revoked(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = create_user(UserRole.ADMIN, "ada")
    token, text = new_token(owner, *Permission)
    monkeypatch.setattr("visibility.master_data.export.csv_chunks", large_table)
    path = EXPORT.format(large_export(owner.pk).pk) if kind == "background export" else MASTER
    bearer = f"Authorization: Bearer {text}"

    def revoke() -> None:
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=database_now())

    complete, broken = transfer_twice(path, bearer, revoke)
    assert_incomplete(complete, broken)
    # Chunked, the last piece is missing; with a length, bytes are.
    assert (b"content-length" in broken.lower()) == (kind == "background export")
    assert with_token(text).get(path).status_code == 401


def deactivate(user: User, _client: Client) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def sign_out(_user: User, client: Client) -> None:
    assert client.post("/signout").status_code == 302


@pytest.mark.parametrize("end", [deactivate, sign_out])
def test_the_transfer_ends_incomplete_after_the_session_ends(
    end: Callable[[User, Client], None],
) -> None:
    user = create_user(UserRole.ADMIN, "ada")
    client = Client()
    client.force_login(user)
    cookie = f"Cookie: sessionid={client.cookies['sessionid'].value}"
    path = f"/exports/{large_export(user.pk).pk}/file"
    complete, broken = transfer_twice(path, cookie, lambda: end(user, client))
    assert_incomplete(complete, broken)


def test_a_background_export_is_not_given_to_a_token_revoked_while_it_is_written() -> None:
    owner = create_user(UserRole.ADMIN, "ada")
    token, text = new_token(owner, *Permission)
    export = large_export(owner.pk)
    BackgroundExport.objects.update(state="running")
    path = EXPORT.format(export.pk)
    assert with_token(text).get(path).status_code == 409
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=database_now())
    BackgroundExport.objects.update(state="ready")
    for address in (path, path.removesuffix("/file"), "/api/v1/exports"):
        assert with_token(text).get(address).status_code == 401
    # The export is the person's: another token of theirs gets it.
    assert with_token(new_token(owner, *Permission)[1]).get(path).status_code == 200
