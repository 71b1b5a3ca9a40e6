"""Drop folders: files are stored once, moved after the commit, ignored while incomplete."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.builders.sources import create_source
from visibility.ingest import add_source_and_rotate_secret, file_drop
from visibility.models import InboundMessage, MessageKey, Order, Source
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db
ORDER = b"ST*850*0001~BEG*00*SA*PO-77**20260302~PO1*1*5*EA*9.90**VN*A-1~SE*4*0001~"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_source("edi", connector="x12", role="edi", config={"drop": str(tmp_path)})
    return tmp_path


def put_file(folder: Path, name: str, body: bytes, *, age: int, now: datetime) -> Path:
    path = folder / name
    path.write_bytes(body)
    at = (now - timedelta(seconds=age)).timestamp()
    os.utime(path, (at, at))
    return path


def test_complete_file_becomes_an_order_and_is_archived(folder: Path, now: datetime) -> None:
    path = put_file(folder, "po.edi", ORDER, age=10, now=now)
    assert file_drop.collect_files(now=now) == 1
    job_functions.process_messages_and_refold()
    assert Order.objects.get().number == "PO-77"
    assert not path.exists()
    assert (folder / "archive" / "po.edi").read_bytes() == ORDER


def test_file_being_written_is_ignored(folder: Path, now: datetime) -> None:
    put_file(folder, "young.edi", ORDER, age=0, now=now)
    put_file(folder, "po.edi.part", ORDER, age=99, now=now)
    (folder / "link.edi").symlink_to("/etc/hostname")
    assert file_drop.collect_files(now=now) == 0
    assert not InboundMessage.objects.exists()


def test_identical_file_is_a_duplicate(folder: Path, now: datetime) -> None:
    for name in ("one.edi", "two.edi"):
        put_file(folder, name, ORDER, age=10, now=now)
    assert file_drop.collect_files(now=now) == 1
    put_file(folder, "one.edi", ORDER, age=10, now=now)
    assert file_drop.collect_files(now=now) == 0
    assert MessageKey.objects.get().duplicate_count == 2
    assert sorted(p.name for p in (folder / "archive").iterdir()) == [
        "one.edi",
        "one.edi.1",
        "two.edi",
    ]


def test_too_large_file_is_rejected_and_reported(
    folder: Path, now: datetime, settings: Settings
) -> None:
    settings.MAX_FILE_BODY = 10
    put_file(folder, "big.edi", ORDER, age=10, now=now)
    assert file_drop.collect_files(now=now) == 0
    assert (folder / "rejected" / "big.edi").exists()
    assert "larger than 10 bytes" in Source.objects.get().file_error
    file_drop.collect_files(now=now)
    assert "larger than 10 bytes" in Source.objects.get().file_error
    put_file(folder, "small.edi", b"ST*850", age=10, now=now)
    file_drop.collect_files(now=now)
    healed = Source.objects.get()
    assert (healed.file_error, healed.failing_since, healed.recovered_at) == ("", now, now)


def test_error_from_before_an_upgrade_gets_a_time_and_ends(folder: Path, now: datetime) -> None:
    folder.rmdir()
    error = f"{folder} is not a folder"
    Source.objects.update(file_error=error)  # as migration 0009 leaves it: without a time
    file_drop.collect_files(now=now)
    file_drop.collect_files(now=now + timedelta(minutes=1))
    failed = Source.objects.get()
    assert (failed.file_error, failed.failing_since, failed.recovered_at) == (error, now, None)
    folder.mkdir()
    later = now + timedelta(minutes=2)
    file_drop.collect_files(now=later)
    healed = Source.objects.get()
    assert (healed.file_error, healed.failing_since, healed.recovered_at) == ("", now, later)


def test_drop_folder_requires_a_connector_that_accepts_files(now: datetime) -> None:
    with pytest.raises(add_source_and_rotate_secret.InvalidSource, match="does not accept files"):
        add_source_and_rotate_secret.add_source(
            "shop", connector="shopify", config={"drop": "/tmp"}, now=now
        )


def test_name_that_is_not_utf_8_is_stored_with_replaced_bytes(folder: Path, now: datetime) -> None:
    put_file(folder, os.fsdecode(b"M\xe4rz.edi"), ORDER, age=10, now=now)
    assert file_drop.collect_files(now=now) == 1
    assert InboundMessage.objects.get().headers["x-file-name"] == "M\ufffdrz.edi"
    assert Source.objects.get().file_error == ""


def test_unreadable_file_is_reported_and_the_others_are_read(
    folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a.edi", "b.edi", os.fsdecode(b"c\xff.edi"))
    for number, name in enumerate(names):
        put_file(folder, name, ORDER + bytes([65 + number]), age=10 - number, now=now)
    read_bytes = Path.read_bytes

    def refuse_first(path: Path) -> bytes:
        if path.name == "a.edi":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse_first)
    assert file_drop.collect_files(now=now) == 2
    assert Source.objects.get().file_error == "a.edi cannot be read or moved: Permission denied"
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["a.edi"]
    monkeypatch.undo()
    assert file_drop.collect_files(now=now) == 1
    assert Source.objects.get().file_error == ""


def test_unreadable_files_do_not_take_the_place_of_newer_ones(
    folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_drop, "MAX_FILES", 2)
    for number in range(3):
        put_file(folder, f"old{number}.edi", ORDER, age=90 - number, now=now)
        put_file(folder, f"new{number}.edi", ORDER + b"%d" % number, age=9 - number, now=now)
    read_bytes = Path.read_bytes

    def refuse_old(path: Path) -> bytes:
        if path.name.startswith("old"):
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse_old)
    assert file_drop.collect_files(now=now) == 2, "a round still has a limit"
    assert Source.objects.get().file_error == (
        "old0.edi cannot be read or moved: Permission denied (2 more)"
    )
    assert file_drop.collect_files(now=now) == 1
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "old0.edi",
        "old1.edi",
        "old2.edi",
    ]


def test_a_file_that_disappears_while_the_folder_is_listed_is_left_out(
    folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_file(folder, "gone.edi", ORDER, age=10, now=now)
    put_file(folder, "po.edi", ORDER, age=10, now=now)
    is_file = Path.is_file

    def remove_after_check(path: Path) -> bool:
        result = is_file(path)
        if path.name == "gone.edi":
            path.unlink()
        return result

    monkeypatch.setattr(Path, "is_file", remove_after_check)
    assert file_drop.collect_files(now=now) == 1
    assert Source.objects.get().file_error == ""
