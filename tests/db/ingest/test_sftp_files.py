"""Files of an SFTP server: read when complete, stored before they are moved, never lost or doubled.

The server is a real one (asyncssh), on loopback.
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import asyncssh
import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from tests.builders.sftp_server import PASSWORD, USER, SftpTestServer, running_sftp_server
from visibility.ingest import polling, sftp_files
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    add_source,
    change_settings,
)
from visibility.ingest.fetch_first_page import fetch_first_page
from visibility.ingest.source_secrets import decrypt_secrets
from visibility.models import Cursor, InboundMessage, MessageKey, PollRound, Source
from visibility.outbound import sftp_connection
from visibility.pipeline import job_functions

pytestmark = [pytest.mark.django_db(transaction=True)]
ORDER = b"ST*850*0001~BEG*00*SA*PO-77**20260302~PO1*1*5*EA*9.90**VN*A-1~SE*4*0001~"


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[SftpTestServer]:
    (tmp_path / "out").mkdir()
    with running_sftp_server(tmp_path) as running:
        settings.OUTGOING_ALLOWED = {f"127.0.0.1:{running.port}"}
        yield running


def connect(server: SftpTestServer, now: datetime, **config: str) -> Source:
    """A source that reads the folder `out`, with a confirmed host key."""
    config = {
        "sftp_host": "127.0.0.1",
        "sftp_port": str(server.port),
        "sftp_user": USER,
        "sftp_password": PASSWORD,
        "sftp_host_key": server.fingerprint,
        "sftp_folder": "out",
        **config,
    }
    return add_source("edi", connector="x12", config=config, now=now).source


def put(server: SftpTestServer, name: str, body: bytes, *, at: datetime) -> Path:
    path = server.root / "out" / name
    path.write_bytes(body)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def poll(now: datetime) -> int:
    """Claim and run the due round."""
    claimed = polling.claim_due_polls(now, limit=5, slow_limit=5)
    return sum(polling.poll_source(each, now=now) for each in claimed)


def poll_twice(now: datetime) -> int:
    """Two rounds, a minute apart: files are then complete."""
    return poll(now) + poll(now + timedelta(minutes=2))


def order(number: int) -> bytes:
    return ORDER.replace(b"PO-77", b"PO-%d" % number)


def test_a_file_becomes_an_order_and_stays_on_the_server(
    server: SftpTestServer, now: datetime
) -> None:
    source = connect(server, now)
    path = put(server, "po.edi", ORDER, at=now)
    assert poll_twice(now) == 1
    assert poll(now + timedelta(minutes=4)) == 0
    assert path.exists()
    assert server.opened == ["po.edi"]
    message = InboundMessage.objects.get()
    assert message.body == ORDER
    assert message.headers["x-file-name"] == "po.edi"
    assert message.headers["x-file-folder"] == f"sftp://127.0.0.1:{server.port}/out"
    job_functions.process_messages_and_refold()
    assert not InboundMessage.objects.filter(state="parked").exists()
    source.refresh_from_db()
    assert (source.poll_error, source.file_error) == ("", "")
    assert PollRound.objects.filter(source=source).count() == 3


def test_a_file_is_read_once_its_size_and_time_stay_the_same(
    server: SftpTestServer, now: datetime
) -> None:
    connect(server, now, sftp_settle="5 min")
    put(server, "po.edi", ORDER[:40], at=now)
    put(server, "other.edi.filepart", ORDER, at=now)
    put(server, ".hidden", ORDER, at=now)
    (server.root / "out" / "folder.edi").mkdir()
    assert poll(now) == 0
    put(server, "po.edi", ORDER, at=now + timedelta(minutes=2))
    assert poll(now + timedelta(minutes=2)) == 0
    assert poll(now + timedelta(minutes=6)) == 0
    assert server.opened == []
    assert poll(now + timedelta(minutes=8)) == 1
    assert InboundMessage.objects.get().body == ORDER


def test_a_file_that_grows_while_it_is_read_is_read_later(
    server: SftpTestServer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, now)
    put(server, "po.edi", ORDER[:40], at=now)
    poll(now)
    read = sftp_connection.SftpConnection.read

    def read_and_grow(self: sftp_connection.SftpConnection, name: str, limit: int) -> bytes:
        body = read(self, name, limit)
        put(server, "po.edi", ORDER, at=now + timedelta(minutes=2))
        return body

    with monkeypatch.context() as patch:
        patch.setattr(sftp_connection.SftpConnection, "read", read_and_grow)
        assert poll(now + timedelta(minutes=2)) == 0
    assert poll(now + timedelta(minutes=4)) == 0
    assert poll(now + timedelta(minutes=6)) == 1
    assert InboundMessage.objects.get().body == ORDER


@pytest.mark.parametrize("afterwards", ["move", "delete"])
def test_files_are_moved_or_deleted_after_they_are_stored(
    server: SftpTestServer, now: datetime, afterwards: str
) -> None:
    connect(server, now, sftp_afterwards=afterwards)
    for number in (1, 2):
        put(server, f"po{number}.edi", order(number), at=now)
    assert poll_twice(now) == 2
    assert not list((server.root / "out").glob("*.edi"))
    put(server, "po1.edi", order(3), at=now)
    assert poll(now + timedelta(minutes=4)) + poll(now + timedelta(minutes=6)) == 1
    archived = sorted(path.name for path in (server.root / "out").glob("archive/*"))
    assert archived == (["po1.edi", "po1.edi.1", "po2.edi"] if afterwards == "move" else [])


def test_a_process_that_is_killed_before_the_move_loses_and_doubles_nothing(
    server: SftpTestServer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = connect(server, now, sftp_afterwards="move")
    put(server, "po.edi", ORDER, at=now)
    poll(now)

    class KilledPoll(BaseException):
        """As the end of the process: nothing handles it."""

    def kill(*_: object) -> None:
        raise KilledPoll

    with monkeypatch.context() as patch:
        patch.setattr(sftp_files.SftpFolderReader, "_move_or_delete", lambda *_: None)
        patch.setattr(polling, "record_poll_result", kill)
        with pytest.raises(KilledPoll):
            poll(now + timedelta(minutes=2))
    assert InboundMessage.objects.count() == 1
    assert (server.root / "out" / "po.edi").exists()
    # Its lease ends, and the next round moves the file without reading it a second time.
    assert poll(now + timedelta(minutes=4)) == 0
    assert server.opened == ["po.edi"]
    assert (server.root / "out" / "archive" / "po.edi").read_bytes() == ORDER
    # Without the cursor, the content shows that it is a duplicate.
    put(server, "po.edi", ORDER, at=now)
    Cursor.objects.filter(source=source).update(value="")
    assert poll(now + timedelta(minutes=6)) + poll(now + timedelta(minutes=8)) == 0
    assert MessageKey.objects.get().duplicate_count == 1


def test_a_file_that_its_sender_replaced_meanwhile_is_not_deleted(
    server: SftpTestServer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, now, sftp_afterwards="delete")
    put(server, "po.edi", ORDER, at=now)
    poll(now)
    store = polling._store_page_and_cursor

    def store_and_replace(*arguments: object, **options: object) -> int:
        stored: int = store(*arguments, **options)  # type: ignore[arg-type]  # passed on
        put(server, "po.edi", order(2), at=now + timedelta(minutes=2))
        return stored

    with monkeypatch.context() as patch:
        patch.setattr(polling, "_store_page_and_cursor", store_and_replace)
        assert poll(now + timedelta(minutes=2)) == 1
    assert poll(now + timedelta(minutes=4)) + poll(now + timedelta(minutes=6)) == 1
    bodies = {bytes(message.body) for message in InboundMessage.objects.all()}
    assert bodies == {ORDER, order(2)}


def test_a_listing_larger_than_a_page_is_read_in_several_rounds(
    server: SftpTestServer, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp_files, "MAX_FILES", 150)
    source = connect(server, now, sftp_pattern="PO_*.EDI")
    for number in range(230):
        put(server, f"po_{number:03}.edi", order(number), at=now - timedelta(seconds=300 - number))
    put(server, "other.edi", ORDER, at=now)
    assert poll(now) == 0
    assert poll(now + timedelta(minutes=2)) == 150
    assert server.opened == [f"po_{number:03}.edi" for number in range(150)]
    assert poll(now + timedelta(minutes=4)) == 80
    assert poll(now + timedelta(minutes=6)) == 0
    last = PollRound.objects.filter(source=source).order_by("-id")[1]
    assert (last.new_count, last.page_count, last.error) == (80, 9, "")


def test_files_that_cannot_be_read_are_reported_and_the_others_are_read(
    server: SftpTestServer, now: datetime, settings: Settings
) -> None:
    settings.MAX_FILE_BODY = 1_000
    source = connect(server, now)
    put(server, "a-large.edi", b"x" * 1_001, at=now)
    put(server, "b-locked.edi", order(1), at=now)
    put(server, "c-good.edi", order(2), at=now)
    server.unreadable = {"b-locked.edi"}
    assert poll_twice(now) == 1
    source.refresh_from_db()
    assert source.file_error == "a-large.edi is larger than 1000 bytes (1 more)"
    assert source.failing_since is not None
    (server.root / "out" / "a-large.edi").unlink()
    poll(now + timedelta(minutes=4))
    source.refresh_from_db()
    assert source.file_error == "b-locked.edi cannot be read: Permission denied"
    server.unreadable = set()
    assert poll(now + timedelta(minutes=6)) == 1
    source.refresh_from_db()
    assert source.file_error == ""


def test_a_folder_in_which_nothing_can_be_moved_is_reported(
    server: SftpTestServer, now: datetime
) -> None:
    source = connect(server, now, sftp_afterwards="move")
    put(server, "po.edi", ORDER, at=now)
    server.is_read_only = True
    assert poll_twice(now) == 1
    source.refresh_from_db()
    assert source.file_error == "po.edi was read, but cannot be moved: Permission denied"
    server.is_read_only = False
    assert poll(now + timedelta(minutes=4)) == 0
    source.refresh_from_db()
    assert (source.file_error, server.opened) == ("", ["po.edi"])


def test_names_that_are_not_utf_8_are_read(server: SftpTestServer, now: datetime) -> None:
    connect(server, now)
    raw = os.path.join(os.fsencode(server.root / "out"), b"b\xe4r.edi")
    Path(os.fsdecode(raw)).write_bytes(ORDER)
    assert poll_twice(now) == 1
    assert InboundMessage.objects.get().headers["x-file-name"] == "b\ufffdr.edi"


def test_a_source_is_read_by_one_process_at_a_time(server: SftpTestServer, now: datetime) -> None:
    connect(server, now)
    assert len(polling.claim_due_polls(now, limit=5, slow_limit=5)) == 1
    assert polling.claim_due_polls(now, limit=5, slow_limit=5) == []
    assert len(polling.claim_due_polls(now + polling.LEASE, limit=5, slow_limit=5)) == 1


def test_nothing_is_sent_to_a_server_without_a_confirmed_host_key(
    server: SftpTestServer, now: datetime
) -> None:
    source = connect(server, now, sftp_host_key="")
    put(server, "po.edi", ORDER, at=now)
    assert poll(now) == 0
    source.refresh_from_db()
    assert server.fingerprint in source.poll_error
    assert "which nobody has confirmed" in source.poll_error
    trial = fetch_first_page(source, now=now)
    assert trial.host_key == server.fingerprint
    change_settings(source, {"sftp_host_key": "SHA256:" + "A" * 43}, now=now)
    source.refresh_from_db()
    trial = fetch_first_page(source, now=now)
    assert (trial.host_key, trial.records) == ("", 0)
    assert "has another host key than the confirmed one" in trial.error
    assert (server.sign_ins, server.passwords) == ([], [])
    change_settings(source, {"sftp_host_key": server.fingerprint}, now=now)
    source.refresh_from_db()
    trial = fetch_first_page(source, now=now)
    assert (trial.records, trial.error) == (1, "")
    assert not InboundMessage.objects.exists()


def test_a_test_reads_files_and_changes_nothing(server: SftpTestServer, now: datetime) -> None:
    source = connect(server, now, sftp_afterwards="delete")
    path = put(server, "po.edi", ORDER, at=now)
    trial = fetch_first_page(source, now=now)
    assert (trial.records, trial.readings[0]["file"]) == (1, "po.edi")
    assert path.exists()
    assert not InboundMessage.objects.exists()
    assert poll_twice(now) == 1


def test_a_private_key_signs_in_and_is_stored_encrypted(
    server: SftpTestServer, now: datetime
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server.authorized = {key.get_fingerprint()}
    # Forms and shells may remove the line ends.
    text = key.export_private_key().decode().replace("\n", " ")
    source = connect(server, now, sftp_password="", sftp_private_key=text)
    assert "PRIVATE" not in str(source.config)
    assert "sftp_private_key" in {s.setting for s in decrypt_secrets(source.sealed_secrets)}
    put(server, "po.edi", ORDER, at=now)
    assert poll_twice(now) == 1


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"sftp_password": "wrong"}, "127.0.0.1 refuses the user partner: check the user"),
        ({"sftp_folder": "missing"}, "the folder missing: No such file"),
    ],
)
def test_a_server_that_refuses_is_an_error_of_the_source(
    server: SftpTestServer, now: datetime, config: dict[str, str], error: str
) -> None:
    source = connect(server, now, **config)
    assert poll(now) == 0
    source.refresh_from_db()
    assert error in source.poll_error
    assert source.failing_since is not None


def test_an_address_that_is_not_allowed_is_not_called(
    server: SftpTestServer, now: datetime, settings: Settings
) -> None:
    settings.OUTGOING_ALLOWED = set()
    source = connect(server, now)
    poll(now)
    source.refresh_from_db()
    assert "127.0.0.1 is not a public address" in source.poll_error
    assert server.sign_ins == []


def test_a_server_that_is_not_there_is_an_error(
    server: SftpTestServer, now: datetime, settings: Settings
) -> None:
    source = connect(server, now)
    server.stop()
    poll(now)
    source.refresh_from_db()
    assert "127.0.0.1: " in source.poll_error


@pytest.mark.parametrize(
    ("config", "name", "sentence"),
    [
        ({"sftp_host": "sftp://a.example"}, "sftp_host", "Enter a host name or an IP address"),
        ({"sftp_user": ""}, "sftp_user", "Enter the user at the SFTP server."),
        ({"sftp_password": ""}, "sftp_password", "Enter a password or a private key."),
        ({"sftp_host_key": "md5:ab"}, "sftp_host_key", "Enter the fingerprint as ssh-keygen"),
        ({"sftp_private_key": "abc"}, "sftp_private_key", "This is not a private key"),
        ({"sftp_folder": "../x"}, "sftp_folder", "Enter a path without '..'."),
        ({"sftp_port": "70000"}, "sftp_port", "is more than 65535"),
        ({"sftp_afterwards": "burn"}, "sftp_afterwards", "is not one of leave, move, delete"),
        ({"drop": "/srv/in"}, "sftp_host", "not from both"),
    ],
)
def test_invalid_settings_are_refused_where_they_are_entered(
    now: datetime, config: dict[str, str], name: str, sentence: str
) -> None:
    valid = {"sftp_host": "a.example", "sftp_user": USER, "sftp_password": PASSWORD}
    with pytest.raises(InvalidSource) as caught:
        add_source("edi", connector="x12", config={**valid, **config}, now=now)
    assert sentence in caught.value.sentence_by_name[name]


def test_a_connector_that_reads_no_files_has_no_sftp_settings(now: datetime) -> None:
    with pytest.raises(InvalidSource) as caught:
        add_source("shop", connector="shopify", config={"sftp_host": "a.example"}, now=now)
    assert "sftp_host" in caught.value.sentence_by_name


def test_the_command_tests_a_source(
    server: SftpTestServer, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    source = connect(server, now, sftp_host_key="")
    put(server, "po.edi", ORDER, at=now)
    with pytest.raises(CommandError, match="the host key is not confirmed"):
        call_command("test_source", "edi")
    assert f"source set edi sftp_host_key={server.fingerprint}" in capsys.readouterr().err
    change_settings(source, {"sftp_host_key": server.fingerprint}, now=now)
    call_command("test_source", "edi")
    assert capsys.readouterr().out.startswith("1 read, nothing stored")
